// Package traces tells of single attempts: a table with a row for each, and how long their stages took by destination,
// of a live run beside the simulation of the same run. It keeps no attempt in memory.
package traces

import (
	"bufio"
	"io"
	"strconv"
	"sync"
	"unicode/utf8"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/format"
)

// Names are what stands in the table for numbers.
type Names struct {
	Servers      []string
	Destinations []string
	Address      func(mail.Recipient) string // nil: addresses are left out
}

// Book takes attempts in. Any goroutine may call its methods.
type Book struct {
	names Names

	lock   sync.Mutex
	out    *bufio.Writer // nil: no table
	err    error
	rows   int
	row    []byte
	stages stages
}

// NewBook returns a book that writes its table to w; with a nil w it measures stages alone.
func NewBook(w io.Writer, n Names) *Book {
	b := &Book{names: n}
	if w != nil {
		b.out = bufio.NewWriterSize(w, 1<<16)
		b.line(columns)
	}
	return b
}

// columns are the columns of attempts.csv. Recipient is the place in the list, from 0 on; try counts from 1. Times are
// seconds of the run, empty for a stage that was not reached. Wait_s is what remains of took_s beside the stages.
// Trip_s and hops are empty if they are not known; email is empty in a simulation and of a synthetic list, and address
// in a simulation.
const columns = "recipient,email,try,server,destination,address,connection,start_s,took_s,wait_s,dns_s,connect_s," +
	"banner_s,ehlo_s,mail_s,rcpt_s,data_s,dot_s,class,stage,code,status,fault,text,trip_s,hops\n"

func (b *Book) line(text string) {
	if b.err == nil {
		_, b.err = b.out.WriteString(text)
	}
}

// Add takes an attempt in.
func (b *Book) Add(t *mail.Trace) {
	b.lock.Lock()
	defer b.lock.Unlock()
	b.stages.add(t)
	if b.out == nil || b.err != nil {
		return
	}
	b.rows++
	b.row = b.append(b.row[:0], t)
	_, b.err = b.out.Write(b.row)
}

// Rows returns the number of attempts in the table, and the first error of writing it. It writes what is left.
func (b *Book) Rows() (int, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	if b.out != nil && b.err == nil {
		b.err = b.out.Flush()
	}
	return b.rows, b.err
}

func (b *Book) append(row []byte, t *mail.Trace) []byte {
	text := func(s string) { row = append(append(row, format.Field(s)...), ',') }
	row = append(strconv.AppendUint(row, uint64(t.Rcpt), 10), ',')
	if b.names.Address != nil {
		row = append(row, format.Field(b.names.Address(t.Rcpt))...)
	}
	row = append(row, ',')
	row = append(strconv.AppendUint(row, uint64(t.Try)+1, 10), ',')
	text(b.names.Servers[t.Server])
	text(b.names.Destinations[t.Dest])
	if t.At.IsValid() {
		row = t.At.AppendTo(row)
	}
	row = append(append(append(row, ','), t.Conn.String()...), ',')
	row = appendSeconds(row, vt.Span(t.Start))
	row = appendSeconds(row, t.Reply.Took)
	row = appendSeconds(row, t.Waited())
	for stage, took := range t.Stages {
		if s := mail.Stage(stage); s > t.Reply.Stage || s < mail.StageMAIL && took == 0 {
			row = append(row, ',')
		} else {
			row = appendSeconds(row, took)
		}
	}
	row = append(append(row, t.Reply.Class().String()...), ',')
	row = append(append(row, t.Reply.Stage.String()...), ',')
	if t.Reply.Code > 0 {
		row = strconv.AppendUint(row, uint64(t.Reply.Code), 10)
	}
	row = append(row, ',')
	said := shown(t.Text)
	row = append(append(append(row, status(said)...), ','), t.Reply.Fault.String()...)
	row = append(row, ',')
	if said != "" {
		row = append(row, format.Field(said)...)
	}
	row = append(row, ',')
	if t.Trip > 0 {
		row = appendSeconds(row, t.Trip)
	} else {
		row = append(row, ',')
	}
	if t.Hops > 0 {
		row = strconv.AppendUint(row, uint64(t.Hops), 10)
	}
	return append(row, '\n')
}

// mostText is the most bytes of the text of a reply in the table.
const mostText = 300

// shown returns the beginning of a text without anything that a terminal would obey.
func shown(text []byte) string {
	plain := true
	for _, c := range text {
		plain = plain && c >= ' ' && c <= '~'
	}
	if plain {
		return string(text[:min(len(text), mostText)])
	}
	var out []byte
	for len(text) > 0 && len(out) < mostText {
		c, n := utf8.DecodeRune(text)
		if text = text[n:]; c < ' ' || c > '~' {
			c = '?'
		}
		out = append(out, byte(c))
	}
	return string(out)
}

// status returns the enhanced status with which a text begins (RFC 3463 2); empty without one.
func status(text string) string {
	dots, digits := 0, 0
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9' && digits < 3:
			digits++
		case c == '.' && digits > 0 && dots < 2:
			dots, digits = dots+1, 0
		case c == ' ' && dots == 2 && digits > 0:
			return classed(text[:i])
		default:
			return ""
		}
	}
	if dots == 2 && digits > 0 {
		return classed(text)
	}
	return ""
}

// classed returns a status if its class is one.
func classed(s string) string {
	if s[1] == '.' && (s[0] == '2' || s[0] == '4' || s[0] == '5') {
		return s
	}
	return ""
}

// appendSeconds appends a time in seconds, to the microsecond, and a comma.
func appendSeconds(row []byte, t vt.Span) []byte {
	us := uint64(max(t+vt.Microsecond/2, 0) / vt.Microsecond)
	row = append(strconv.AppendUint(row, us/1e6, 10), '.')
	for part := uint64(1e5); part > 0; part /= 10 {
		row = append(row, byte('0'+us%1e6/part%10))
	}
	return append(row, ',')
}
