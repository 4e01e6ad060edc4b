package scope

import (
	"reflect"
	"testing"
)

// Every field of Config is a key, so that a script leaves nothing out.
func TestEveryFieldIsAKey(t *testing.T) {
	var cfg Config
	if got, want := len(cfg.keys()), reflect.TypeFor[Config]().NumField(); got != want {
		t.Errorf("got %d keys for %d fields of Config", got, want)
	}
}
