package send

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/cmd/flyball/internal/console"
	"flyball/cmd/flyball/internal/promote"
)

// The record in force is named if one is.
func TestPromotionsAsJSON(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.jsonl")
	const record = `{"schema":"flyball/promotion","schema_version":2,"number":1,"previous":"","by":"ann",` +
		`"at":"2020-01-01T00:00:00Z","expires":"2020-01-02T00:00:00Z","shown":{"scenario":"s","scenario_id":"",` +
		`"seed":1,"replications":10,"digest":"",` +
		`"revision":"","replay":"","measures":null},"parameters":"[governor]\n","sum":"SUM"}`
	sum := "026a71f0a9bba66af5db621326caa2b65a85623407cb2652282c0f906b46abad"
	if err := os.WriteFile(file, []byte(strings.Replace(record, "SUM", sum, 1)+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file+".head", []byte("flyball promotion head 1\n1 "+sum+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for at, inForce := range map[string]bool{"2020-01-01T12:00:00Z": true, "2020-01-03T00:00:00Z": false} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		wrong := app{&console.App{Out: &out}}.checkPromotions(promote.Records{File: file}, now, true)
		var p Promotions
		if err := json.Unmarshal(out.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		if len(p.Records) != 1 || (p.InForce != nil && *p.InForce == 1) != inForce ||
			(wrong == nil) != inForce || (p.Refused == "") != inForce {
			t.Errorf("at %s: got %+v and %v, want in force: %t", at, p, wrong, inForce)
		}
	}
}
