// Package pause waits.
package pause

import (
	"context"
	"time"
)

// For waits for a time. The error is ctx's if ctx ends before, or has ended.
func For(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
	return ctx.Err()
}
