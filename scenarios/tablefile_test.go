package scenarios

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"flyball/internal/tomlfile"
)

// withTable loads a scenario whose retry table is in a file.
func withTable(csv string, set ...string) (*Scenario, error) {
	src := strings.Replace(minimal, "schema_version = 1\n",
		"schema_version = 1\nretry = { policy = \"both-fn\", table_file = \"limits.csv\" }\n", 1)
	return LoadWith("s.toml", []byte(src), set, Outside{Files: func(name string) ([]byte, error) {
		if name != "limits.csv" {
			return nil, fmt.Errorf("no file %s", name)
		}
		return []byte(csv), nil
	}})
}

// A table in a file gives the same scenario as a table written out, in any order
// of its columns.
func TestTableFromFile(t *testing.T) {
	want, err := Load("s.toml", []byte(minimal), []string{"retry.policy=both-fn",
		"retry.table=[{allocated = 0.9, dfr = 4, limit = 7}, {allocated = 1.0, dfr = 7.5, limit = 5}]"})
	if err != nil {
		t.Fatal(err)
	}
	for _, csv := range []string{
		"allocated,dfr,limit\n0.9,4,7\n1.0,7.5,5\n",
		"\xef\xbb\xbf# of the operators\r\nlimit, dfr, allocated\r\n7, 4, 0.9\r\n\r\n5, 7.5, 1\r\n",
		"# a, b\rLimit;DFR;allocated\r7;4;0.9\r5;7.5;1\r", "sep=\t\n\"limit\"\tdfr\tallocated\n7\t4\t0.9\n5\t7.5\t1",
	} {
		got, err := withTable(csv)
		if err != nil || !reflect.DeepEqual(got, want) || ID(got) != ID(want) {
			t.Errorf("%q: got %+v, %v, want %+v", csv, got, err, want)
		}
	}
}

func TestBadTableFile(t *testing.T) {
	for csv, want := range map[string]string{
		"": "limits.csv:1:1: file is empty, want the columns allocated, dfr, " +
			"limit and a row at least",
		"allocated,dfr,limit\n": "retry.table: got none, want at least one row",
		"allocated,dfr\n1,2\n": "limits.csv:1:1: got the columns [\"allocated\" \"dfr\"], want " +
			"allocated, dfr, limit",
		"allocated,dfr,limit\n1,2\n":               "limits.csv:2:1: fields: got 2, want 3 as in the header",
		"allocated,dfr,limit\n\n1,two,5\n":         "limits.csv:3:3: got \"two\", want a number",
		"\xff\xfea\x00":                            "limits.csv:1:1: file is UTF-16",
		"allocated,dfr,DFR\n1,2,3\n":               "limits.csv:1:15: header names columns 2 and 3 both \"dfr\"",
		"allocated;dfr;limit\n1;2,5;7\n":           "limits.csv:2:3: got \"2,5\", want a number",
		"allocated,dfr,limit\n1,\"2,5\n":           "limits.csv:2:3: quote is not closed before the end of the file",
		"allocated,dfr,limit\n1,2,5\n1,2,11\n":     "retry.table[1].limit: got 11, want 0 to limit = 10",
		"allocated,dfr,limit\n1,2,1001\n1,2,0.5\n": "retry.table[1].limit: got 0.5, want a whole number 0 to 1000",
	} {
		_, err := withTable(csv)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "s.toml:2:") {
			t.Errorf("%q: got %v, want %s", csv, err, want)
		}
	}
	for set, want := range map[string]string{
		"retry.table=[]":              "retry.table_file: got \"limits.csv\" beside a table, want one of the two",
		"retry.table_file=others.csv": "retry.table_file: no file others.csv",
	} {
		_, err := withTable("allocated,dfr,limit\n1,2,5\n", set)
		var p tomlfile.Problems
		if !errors.As(err, &p) || len(p) != 1 || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", set, err, want)
		}
	}
}

// Without a reader of files the key is refused.
func TestTableFileUnread(t *testing.T) {
	_, err := Load("s.toml", []byte(minimal), []string{"retry.policy=both-fn", "retry.table_file=limits.csv"})
	if want := `--set retry.table_file: got "limits.csv", want rows in table: no file is read here`; err == nil ||
		err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
