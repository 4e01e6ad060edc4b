package scenarios

import (
	"reflect"
	"strings"
	"testing"
)

// Keys that the retry policy or the schedule does not use are left out of the
// resolved file and of the ID. Keys that it uses are not.
func TestPoliciesAreResolvedWithTheirOwnKeys(t *testing.T) {
	id := map[string]string{}
	for _, v := range []struct {
		set  string   // one line each
		keys []string // of [retry] and [freeing], in order
	}{
		{"", []string{"policy", "limit", "delays", "bounce", "ambiguous"}},
		{"retry.policy=fixed\nfreeing.policy=none", []string{"policy", "limit", "delays", "bounce", "ambiguous"}},
		{"retry.policy=alloc", []string{"policy", "limit", "low", "when", "load_above", "load_below", "dwell",
			"restore_after", "delays", "bounce", "ambiguous"}},
		{"retry.policy=alloc\nretry.processes=30", []string{"policy", "limit", "low", "when", "load_above",
			"load_below", "processes", "dwell", "restore_after", "delays", "bounce", "ambiguous"}},
		{"retry.policy=dfr-fn\nretry.low=4", []string{"policy", "limit", "low", "scope", "dfr_above", "dfr_below",
			"min_attempts", "dwell", "delays", "bounce", "ambiguous"}},
		{"retry.policy=both-fn\nretry.table=[{allocated = 0.9, dfr = 4.0, limit = 7}]",
			[]string{"policy", "limit", "min_attempts", "dwell", "delays", "bounce", "ambiguous", "allocated", "dfr",
				"limit"}},
		{"retry.policy=stage\nretry.inverse=true", []string{"policy", "limit", "low", "when", "late", "inverse",
			"delays", "bounce", "ambiguous"}},
		{"retry.policy=yield\nretry.loss=0.01", []string{"policy", "limit", "low", "loss", "probe", "memory", "dwell",
			"delays", "bounce", "ambiguous"}},
		{"retry.schedule=mox\nretry.max_age=2d", []string{"policy", "max_age", "schedule", "bounce", "ambiguous"}},
		{"retry.schedule=gmail\nretry.greylist_delay=5m", []string{"policy", "limit", "schedule", "greylist_delay",
			"bounce", "ambiguous"}},
		{"freeing.policy=continuous", []string{"policy", "limit", "delays", "bounce", "ambiguous", "policy", "victim",
			"shorten"}},
	} {
		s, err := Load("s.toml", []byte(minimal), strings.FieldsFunc(v.set, func(r rune) bool { return r == '\n' }))
		if err != nil {
			t.Fatal(err)
		}
		var keys []string
		inside := false
		for _, line := range strings.Split(string(Resolved(s)), "\n") {
			if strings.HasPrefix(line, "[") {
				inside = strings.Contains(line, "retry") || strings.Contains(line, "freeing")
			} else if key, _, ok := strings.Cut(line, " = "); ok && inside {
				keys = append(keys, key)
			}
		}
		if !reflect.DeepEqual(keys, v.keys) {
			t.Errorf("%q is resolved with\n%v, want\n%v", v.set, keys, v.keys)
		}
		again, err := Load("again.toml", Resolved(s), nil)
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("%q: read back it is %+v, was %+v (%v)", v.set, again, s, err)
		}
		if other, seen := id[ID(s)]; seen != (v.set == "retry.policy=fixed\nfreeing.policy=none") {
			t.Errorf("%q has the ID of %q", v.set, other)
		}
		id[ID(s)] = v.set
	}
}
