package traces

import (
	"encoding/csv"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
)

var names = Names{Servers: []string{"b1"}, Destinations: []string{"big", "=cmd"},
	Address: func(mail.Recipient) string { return `"a b"@big.example` }}

// attempt returns an attempt that was refused at RCPT, over a new connection.
func attempt(text string) *mail.Trace {
	t := &mail.Trace{Attempt: mail.Attempt{Rcpt: 7, Try: 1, Dest: 1}, Start: vt.Time(90 * vt.Second),
		Reply: mail.Reply{Took: 1500 * vt.Millisecond, Code: 450, Stage: mail.StageRCPT},
		At:    netip.MustParseAddrPort("[2001:db8::1]:25"), Trip: 20 * vt.Millisecond, Hops: 9, Text: []byte(text)}
	for s := range mail.StageDATA {
		t.Stages[s] = vt.Span(s+1) * 10 * vt.Millisecond // 210 ms in all
	}
	return t
}

func rowOf(t *testing.T, add ...*mail.Trace) [][]string {
	t.Helper()
	var out strings.Builder
	b := NewBook(&out, names)
	for _, a := range add {
		b.Add(a)
	}
	if n, err := b.Rows(); n != len(add) || err != nil {
		t.Fatal(n, err)
	}
	rows, err := csv.NewReader(strings.NewReader(out.String())).ReadAll()
	if err != nil || len(rows) != len(add)+1 {
		t.Fatalf("got %q, %v", out.String(), err)
	}
	return rows
}

func TestRows(t *testing.T) {
	rows := rowOf(t, attempt("4.2.1 slowly, please"))
	got := map[string]string{}
	for i, name := range rows[0] {
		got[name] = rows[1][i]
	}
	want := map[string]string{"recipient": "7", "email": `"a b"@big.example`, "try": "2", "server": "b1",
		"destination": "'=cmd", "address": "[2001:db8::1]:25", "connection": "fresh", "start_s": "90.000000",
		"took_s": "1.500000", "wait_s": "1.290000", "dns_s": "0.010000", "connect_s": "0.020000",
		"banner_s": "0.030000", "ehlo_s": "0.040000", "mail_s": "0.050000", "rcpt_s": "0.060000", "data_s": "",
		"dot_s": "", "class": "deferral", "stage": "rcpt", "code": "450", "status": "4.2.1", "fault": "",
		"text": "4.2.1 slowly, please", "trip_s": "0.020000", "hops": "9"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	reused := attempt("")
	reused.Conn, reused.Reply = mail.Reused, mail.Reply{Took: vt.Second, Stage: mail.StageDot, Fault: mail.Drop}
	reused.Stages = [mail.Stages]vt.Span{}
	for i, name := range rows[0] {
		got[name] = rowOf(t, reused)[1][i]
	}
	if got["dns_s"]+got["connect_s"]+got["ehlo_s"]+got["code"]+got["text"]+got["status"] != "" ||
		got["data_s"] != "0.000000" || got["class"] != "ambiguous" || got["fault"] != "drop" {
		t.Errorf("got %v", got)
	}
}

// Whatever a receiver writes, its text is one short line without anything that a terminal or a spreadsheet obeys, and
// stays one cell.
func TestTextIsHarmless(t *testing.T) {
	for _, text := range []string{"\x1b]0;title\x07\x1b[2J", "=HYPERLINK(\"http://x\",\"y\")", "+1", "-1", "@a",
		"a\r\nb,c", "\u202egnp.exe", "\xff\xfe", strings.Repeat("\u00e9", 10_000), strings.Repeat("x", 10_000),
		"\u0085next", ",\",\"", " ="} {
		rows := rowOf(t, attempt(text))
		cell := rows[1][len(rows[1])-3]
		if len(cell) > mostText+1 || strings.ContainsFunc(cell, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("%.40q is written as %.400q", text, cell)
		}
		if cell != "" && strings.IndexByte("=+-@\t\r", cell[0]) >= 0 {
			t.Errorf("%q begins a formula: %q", text, cell)
		}
		if len(rows[1]) != len(rows[0]) {
			t.Errorf("%q: got %d cells, want %d", text, len(rows[1]), len(rows[0]))
		}
	}
}

// An enhanced status begins the text (RFC 3463 2): class, subject and detail of at most three digits.
func TestStatus(t *testing.T) {
	for text, want := range map[string]string{"5.1.1 no": "5.1.1", "4.7.650": "4.7.650", "2.0.0 ok": "2.0.0",
		"5.1.1234 no": "", "3.1.1 no": "", "5.1 no": "", "5.1.1no": "", "5..1 no": "", ".1.1 no": "", "": "",
		"55.1.1 x": "", "5.1.1.1 x": "", "5.1.": "", "mx.5.1.1": ""} {
		if got := status(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

// A disk that is full ends the table, not the run.
func TestFullDisk(t *testing.T) {
	b := NewBook(full{}, names)
	for range 10_000 {
		b.Add(attempt(""))
	}
	if _, err := b.Rows(); err == nil || err.Error() != "disk full" {
		t.Errorf("got %v", err)
	}
	if rows := b.Stages(nil); len(rows) == 0 || rows[len(rows)-1].Count != 10_000 {
		t.Errorf("got %v", rows)
	}
}

// Quantiles count the attempts that reached a stage, and the file has what the report has.
func TestStages(t *testing.T) {
	live, sim := NewBook(nil, names), NewBook(nil, names)
	for i := range 100 {
		a := attempt("")
		a.Stages[mail.StageRCPT] = vt.Span(i+1) * vt.Second
		a.Reply.Took += a.Stages[mail.StageRCPT]
		live.Add(a)
	}
	refused := attempt("")
	refused.Reply.Stage = mail.StageMAIL
	sim.Add(refused)
	rows := live.Stages(sim)
	parts := map[string]Row{}
	for _, r := range rows {
		parts[r.Part] = r
		if r.Destination != "=cmd" {
			t.Errorf("got %v", r)
		}
	}
	near := func(got, want float64) bool { return got > want*0.98 && got < want*1.02 }
	if r := parts["rcpt"]; r.Count != 100 || !near(float64(r.P50), 50) || !near(float64(r.P99), 99) ||
		!near(float64(r.Greatest), 100) || r.Simulated.Count != 0 || r.Simulated.P50.Known() {
		t.Errorf("got %+v", r)
	}
	if r := parts["connect to banner"]; r.Count != 100 || !near(float64(r.P50), 0.05) || r.Simulated.Count != 1 {
		t.Errorf("got %+v", r)
	}
	never := attempt("") // waits for nothing
	never.Reply.Took = 210 * vt.Millisecond
	idle := NewBook(nil, names)
	idle.Add(never)
	for _, r := range idle.Stages(nil) {
		if r.Part == "wait" {
			t.Errorf("an attempt that did not wait has %+v", r)
		}
	}
	if _, there := parts["data"]; there {
		t.Error("a stage was counted that no attempt reached")
	}
	again, err := Read(CSV(rows))
	if err != nil || len(again) != len(rows) || string(CSV(again)) != string(CSV(rows)) {
		t.Errorf("got %v, %v", again, err)
	}
	if got := Table(rows, 12); len(got.Rows) != len(rows) || len(got.Rows[0]) != len(got.Head) {
		t.Errorf("got %v", got)
	}
}
