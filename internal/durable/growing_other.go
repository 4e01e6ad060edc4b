//go:build !linux

package durable

// Reserve has no effect.
func (f *growing) Reserve(int64) error { return nil }
