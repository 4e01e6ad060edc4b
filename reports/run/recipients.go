package run

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/klauspost/compress/gzip"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/reports/format"
	"flyball/reports/runlog"
)

// RecipientsFile is where each recipient of a run ended, for recipients.csv.
type RecipientsFile struct {
	Outcomes     runlog.Outcomes
	List         *mail.List
	Servers      []string
	Destinations []string

	// Addresses calls each with the address of every recipient in the order of the
	// list, and with those of suppressed ones in between. Nil for a synthetic list,
	// whose recipients are named by their position from 0.
	Addresses func(each func(address string, suppressed bool) error) error
}

// KeptBySize is the length of the longest synthetic list whose recipients are
// kept without being asked for.
const KeptBySize = 1_000_000

// PlainRows is the number of rows of a table of recipients, or of attempts, beyond which its file is compressed.
const PlainRows = 100_000

// recipientColumns are the columns of recipients.csv. Times are virtual seconds
// from the start of the run, empty for a recipient that was never tried; code is
// the reply to the last attempt, empty if there was none.
var recipientColumns = []string{"recipient", "destination", "server", "status", "tries", "code", "stage", "fault",
	"first_attempt_s", "end_s"}

// FileName returns the name of the file: recipients.csv, or recipients.csv.gz
// for a long list.
func (r *RecipientsFile) FileName() string {
	if len(r.Outcomes) > PlainRows {
		return "recipients.csv.gz"
	}
	return "recipients.csv"
}

// Write writes the file, a row for each recipient, without holding it in memory.
// An error of Addresses, or another number of addresses than of recipients,
// ends it.
func (r *RecipientsFile) Write(to io.Writer) error {
	if len(r.Outcomes) > PlainRows {
		zip, err := gzip.NewWriterLevel(to, gzip.BestSpeed)
		if err != nil {
			return err
		}
		return errors.Join(r.rows(zip), zip.Close())
	}
	return r.rows(to)
}

func (r *RecipientsFile) rows(to io.Writer) error {
	out := bufio.NewWriterSize(to, 1<<16)
	for i, name := range recipientColumns {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(name)
	}
	out.WriteByte('\n')
	var row []byte
	if r.Addresses == nil {
		for i := range r.Outcomes {
			row = strconv.AppendInt(row[:0], int64(i), 10)
			out.Write(r.end(row, i))
		}
		return out.Flush()
	}
	next := 0
	err := r.Addresses(func(address string, suppressed bool) error {
		row = append(row[:0], format.Field(address)...)
		switch {
		case suppressed:
			row = append(row, ",,,suppressed,0,,,,,\n"...)
		case next == len(r.Outcomes):
			return fmt.Errorf("recipient %d: got an address, want %d recipients: the list has changed", next,
				len(r.Outcomes))
		default:
			row = r.end(row, next)
			next++
		}
		_, err := out.Write(row)
		return err
	})
	if err == nil && next < len(r.Outcomes) {
		err = fmt.Errorf("got %d addresses, want %d: the list has changed", next, len(r.Outcomes))
	}
	return errors.Join(err, out.Flush())
}

// end appends the columns after the first of recipient i.
func (r *RecipientsFile) end(row []byte, i int) []byte {
	v := &r.Outcomes[i]
	row = append(row, ',')
	row = append(row, format.Field(r.Destinations[r.List.Destination(mail.Recipient(i))])...)
	row = append(row, ',')
	if v.Tries == 0 {
		return append(append(append(row, ','), v.Status.String()...), ",0,,,,,\n"...)
	}
	row = append(row, format.Field(r.Servers[v.Server])...)
	row = append(append(row, ','), v.Status.String()...)
	row = strconv.AppendUint(append(row, ','), uint64(v.Tries), 10)
	row = append(row, ',')
	if v.Code > 0 {
		row = strconv.AppendUint(row, uint64(v.Code), 10)
	}
	row = append(append(row, ','), v.Stage.String()...)
	row = append(append(row, ','), v.Fault.String()...)
	row = appendSeconds(append(row, ','), vt.Span(v.First))
	row = appendSeconds(append(row, ','), vt.Span(v.End))
	return append(row, '\n')
}

// appendSeconds appends a time in seconds, to the millisecond.
func appendSeconds(row []byte, t vt.Span) []byte {
	ms := (t + vt.Millisecond/2) / vt.Millisecond
	row = strconv.AppendInt(row, int64(ms/1000), 10)
	return append(row, '.', byte('0'+ms/100%10), byte('0'+ms/10%10), byte('0'+ms%10))
}
