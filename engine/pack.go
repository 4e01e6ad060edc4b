package engine

import (
	"encoding/binary"
	"math"

	"flyball/internal/mail"
	"flyball/internal/vt"
)

// This file packs lists into strings, so that messages and facts stay comparable values.

// Part is a range of a list: the recipients [From, To).
type Part struct{ From, To mail.Recipient }

// PackParts packs ranges of a list, in 8 bytes each.
func PackParts(all []Part) string {
	b := make([]byte, 0, 8*len(all))
	for _, p := range all {
		b = binary.BigEndian.AppendUint32(b, uint32(p.From))
		b = binary.BigEndian.AppendUint32(b, uint32(p.To))
	}
	return string(b)
}

// UnpackParts is the inverse of PackParts.
func UnpackParts(s string) (all []Part) {
	for ; s != ""; s = s[8:] {
		all = append(all, Part{mail.Recipient(word(s)), mail.Recipient(word(s[4:]))})
	}
	return all
}

// Resend is a recipient that had Try tries; the next one may begin at Due.
type Resend struct {
	Rcpt mail.Recipient
	Try  mail.Try
	Due  vt.Time
}

// PackResends packs recipients that were tried before, in 14 bytes each.
func PackResends(all []Resend) string {
	b := make([]byte, 0, 14*len(all))
	for _, r := range all {
		b = binary.BigEndian.AppendUint32(b, uint32(r.Rcpt))
		b = binary.BigEndian.AppendUint16(b, uint16(r.Try))
		b = binary.BigEndian.AppendUint64(b, uint64(r.Due))
	}
	return string(b)
}

// UnpackResends is the inverse of PackResends.
func UnpackResends(s string) (all []Resend) {
	for ; s != ""; s = s[14:] {
		due := uint64(word(s[6:]))<<32 | uint64(word(s[10:]))
		all = append(all, Resend{mail.Recipient(word(s)), mail.Try(s[4])<<8 | mail.Try(s[5]), vt.Time(due)})
	}
	return all
}

// Final is the end of a recipient on a delivering server.
type Final struct {
	Rcpt      mail.Recipient
	Status    mail.Status
	Ambiguous bool // one of its attempts was
}

// PackOutcomes packs ends of recipients, in 5 bytes each.
func PackOutcomes(all []Final) string {
	b := make([]byte, 0, 5*len(all))
	for _, f := range all {
		flag := byte(f.Status)
		if f.Ambiguous {
			flag |= 1 << 7
		}
		b = append(binary.BigEndian.AppendUint32(b, uint32(f.Rcpt)), flag)
	}
	return string(b)
}

// UnpackOutcomes is the inverse of PackOutcomes.
func UnpackOutcomes(s string) (all []Final) {
	for ; s != ""; s = s[5:] {
		all = append(all, Final{mail.Recipient(word(s)), mail.Status(s[4] &^ (1 << 7)), s[4]>>7 != 0})
	}
	return all
}

// Change is a change of the list: the recipient is deleted and must get nothing any more or, if Add is
// set, is added and may get mail again.
type Change struct {
	Rcpt mail.Recipient // a place before 1 << 31
	Add  bool
}

// Fact returns the fact of a server that has the change, with its number, from another server.
func (c Change) Fact(from Address, number uint64) Fact {
	if c.Add {
		return Unbarred{from, number, c.Rcpt}
	}
	return Barred{from, number, c.Rcpt}
}

// PackChanges packs changes, in 4 bytes each. The first bit of an addition is set.
func PackChanges(all []Change) string {
	b := make([]byte, 0, 4*len(all))
	for _, c := range all {
		w := uint32(c.Rcpt)
		if c.Add {
			w |= 1 << 31
		}
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return string(b)
}

// UnpackChanges is the inverse of PackChanges.
func UnpackChanges(s string) (all []Change) {
	for ; s != ""; s = s[4:] {
		all = append(all, Change{mail.Recipient(word(s) &^ (1 << 31)), word(s)>>31 != 0})
	}
	return all
}

// PackReturns packs returned mails, in 13 bytes each.
func PackReturns(all []Returned) string {
	b := make([]byte, 0, 13*len(all))
	for _, r := range all {
		hard := byte(0)
		if r.Hard {
			hard = 1
		}
		b = binary.BigEndian.AppendUint64(b, r.Token)
		b = append(binary.BigEndian.AppendUint32(b, uint32(r.Rcpt)), hard)
	}
	return string(b)
}

// UnpackReturns is the inverse of PackReturns.
func UnpackReturns(s string) (all []Returned) {
	for ; s != ""; s = s[13:] {
		all = append(all, Returned{uint64(word(s))<<32 | uint64(word(s[4:])), mail.Recipient(word(s[8:])), s[12] != 0})
	}
	return all
}

func word(s string) uint32 {
	return uint32(s[0])<<24 | uint32(s[1])<<16 | uint32(s[2])<<8 | uint32(s[3])
}

// DigestOf returns the FNV-1a digest of a string of packed values.
func DigestOf(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// PackDestinations packs the measurements of destinations, in 72 bytes each.
func PackDestinations(all []DestinationInterval) string {
	b := make([]byte, 0, 72*len(all))
	for _, d := range all {
		for _, v := range []uint64{uint64(d.Limit), d.Limits, math.Float64bits(d.Busy), d.Attempts, d.Delivered,
			d.Refusals, d.Timeouts, uint64(d.AttemptTime), uint64(d.Parked)} {
			b = binary.BigEndian.AppendUint64(b, v)
		}
	}
	return string(b)
}

// UnpackDestinations is the inverse of PackDestinations.
func UnpackDestinations(s string) (all []DestinationInterval) {
	for ; s != ""; s = s[72:] {
		at := func(i int) uint64 { return uint64(word(s[8*i:]))<<32 | uint64(word(s[8*i+4:])) }
		all = append(all, DestinationInterval{Limit: int(at(0)), Limits: at(1), Busy: math.Float64frombits(at(2)),
			Attempts: at(3), Delivered: at(4), Refusals: at(5), Timeouts: at(6), AttemptTime: vt.Span(at(7)),
			Parked: int(at(8))})
	}
	return all
}
