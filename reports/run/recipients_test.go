package run

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/runlog"
)

// ended is a list of four recipients for two destinations, written by hand.
func ended() *RecipientsFile {
	list := mail.ReadList([]mail.Destination{0, 1, 1, 0})
	return &RecipientsFile{
		List: &list, Servers: []string{"b1", "=b2"}, Destinations: []string{"big", "a,b"},
		Outcomes: runlog.Outcomes{
			{First: vt.Time(1500 * vt.Millisecond), End: vt.Time(2 * vt.Second), Code: 250, Tries: 1, Status: mail.Done,
				Stage: mail.StageDot},
			{First: 0, End: vt.Time(vt.Hour), Code: 550, Tries: 3, Server: 1, Status: mail.Failed,
				Stage: mail.StageRCPT},
			{First: vt.Time(vt.Minute), End: vt.Time(2 * vt.Minute), Tries: 2, Status: mail.Held, Stage: mail.StageDot,
				Fault: mail.Drop},
			{},
		},
	}
}

func TestRecipientsFile(t *testing.T) {
	const want = `recipient,destination,server,status,tries,code,stage,fault,first_attempt_s,end_s
0,big,b1,delivered,1,250,dot,,1.500,2.000
1,"a,b",'=b2,failed,3,550,rcpt,,0.000,3600.000
2,"a,b",b1,ambiguous,2,,dot,drop,60.000,120.000
3,big,,pending,0,,,,,
`
	var got bytes.Buffer
	f := ended()
	if err := f.Write(&got); err != nil || got.String() != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, got.String(), want)
	}

	addresses := []string{"ann@big.example", "bob@a.example", "gone@a.example", "cy@a.example", "-d@big.example"}
	f.Addresses = func(each func(string, bool) error) error {
		for i, a := range addresses {
			if err := each(a, i == 2); err != nil {
				return err
			}
		}
		return nil
	}
	got.Reset()
	err := f.Write(&got)
	rows, bad := csv.NewReader(&got).ReadAll()
	if err != nil || bad != nil || len(rows) != 6 {
		t.Fatalf("%v, %v, %q", err, bad, rows)
	}
	if !slices.Equal(rows[3], strings.Split("gone@a.example,,,suppressed,0,,,,,", ",")) ||
		rows[4][0] != "cy@a.example" || rows[4][3] != "ambiguous" ||
		rows[5][0] != "'-d@big.example" {
		t.Errorf("addresses stand at other recipients: %q", rows)
	}

	// A list that is another one by now is an error, whichever is longer.
	addresses = append(addresses, "new@big.example")
	if err := f.Write(io.Discard); err == nil || !strings.Contains(err.Error(), "the list has changed") {
		t.Errorf("one address more: %v", err)
	}
	addresses = addresses[:2]
	if err := f.Write(io.Discard); err == nil || !strings.Contains(err.Error(), "got 2 addresses, want 4") {
		t.Errorf("fewer addresses: %v", err)
	}
	if err := ended().Write(broken{}); err == nil {
		t.Error("a full disk is not reported")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("no space") }

// A long list is compressed, and its name says so.
func TestLongRecipientsFile(t *testing.T) {
	f := ended()
	if f.FileName() != "recipients.csv" {
		t.Errorf("a short list is in %s", f.FileName())
	}
	f.Outcomes = make(runlog.Outcomes, PlainRows+1)
	dest := make([]mail.Destination, PlainRows+1)
	list := mail.ReadList(dest)
	f.List = &list
	var got bytes.Buffer
	if err := f.Write(&got); err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(&got)
	if err != nil || f.FileName() != "recipients.csv.gz" {
		t.Fatalf("%v, in %s", err, f.FileName())
	}
	rows, err := csv.NewReader(zip).ReadAll()
	if err != nil || len(rows) != PlainRows+2 || rows[PlainRows+1][0] != "100000" {
		t.Errorf("%v, %d rows", err, len(rows))
	}
}
