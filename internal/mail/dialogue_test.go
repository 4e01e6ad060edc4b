package mail

import (
	"slices"
	"testing"

	"flyball/internal/vt"
)

// roundTrips adds up the steps of an attempt.
func roundTrips(d Dialogue, c Conn, size int64) (n int) {
	for _, s := range d.Steps(c, size) {
		n += s.RoundTrips
	}
	return n
}

// Counted by hand. Fresh: TCP, banner, EHLO; MAIL, RCPT, DATA, one each or one
// together; the message. TLS: STARTTLS, one flight of TLS 1.3, EHLO again. Over
// a used connection MAIL comes first; after a refusal RSET and, as the real
// client does, EHLO.
func TestRoundTrips(t *testing.T) {
	for _, v := range []struct {
		name                 string
		pipelining, starttls bool
		fresh, reused, reset int
	}{
		{"plain", false, false, 7, 4, 6},
		{"pipelined", true, false, 5, 2, 4},
		{"TLS", false, true, 10, 4, 6},
		{"TLS, pipelined", true, true, 8, 2, 4},
	} {
		d := Dialogue{Pipelining: v.pipelining, StartTLS: v.starttls}
		for c, want := range []int{v.fresh, v.reused, v.reset} {
			if got := roundTrips(d, Conn(c), 2000); got != want {
				t.Errorf("%s, %s: %d round trips, want %d", v.name, Conn(c), got, want)
			}
		}
	}
}

// Slow start with a first window of ten segments of 1460 bytes (RFC 6928): one
// more round trip beyond 14,600 bytes, two beyond 43,800, three beyond 102,200.
func TestSlowStart(t *testing.T) {
	for _, v := range []struct {
		size int64
		more int
	}{{1, 0}, {14_600, 0}, {14_601, 1}, {43_800, 1}, {43_801, 2}, {102_200, 2}, {102_201, 3}, {219_000, 3},
		{219_001, 4}, {1 << 30, 16}} {
		if got := roundTrips(Dialogue{}, Fresh, v.size) - 7; got != v.more {
			t.Errorf("%d bytes: %d more round trips, want %d", v.size, got, v.more)
		}
		if got := roundTrips(Dialogue{}, Reused, v.size); got != 4 {
			t.Errorf("%d bytes over a used connection: %d round trips, want 4", v.size, got)
		}
	}
}

func TestStepsInOrder(t *testing.T) {
	got := Dialogue{StartTLS: true, Pipelining: true}.Steps(Fresh, 20_000)
	want := []Step{{StageConnect, 1}, {StageBanner, 1}, {StageEHLO, 4}, {StageMAIL, 1}, {StageRCPT, 0}, {StageDATA, 0},
		{StageDot, 2}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for auth, more := range map[string]int{"none": 0, "plain": 1, "login": 3} { // RFC 4954 4
		for tls, ehlo := range map[bool]int{false: 1, true: 4} {
			d := Dialogue{StartTLS: tls, Auth: auth}
			if got := d.Steps(Fresh, 1)[2]; got != (Step{StageEHLO, ehlo + more}) {
				t.Errorf("TLS %v, AUTH %s: %v, want %d round trips", tls, auth, got, ehlo+more)
			}
			if got := roundTrips(d, Reused, 1); got != 4 {
				t.Errorf("TLS %v, AUTH %s over a used connection: %d round trips, want 4", tls, auth, got)
			}
		}
	}
	got = Dialogue{}.Steps(Reset, 1)
	want = []Step{{StageEHLO, 2}, {StageMAIL, 1}, {StageRCPT, 1}, {StageDATA, 1}, {StageDot, 1}}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestPatience(t *testing.T) {
	to := Timeouts{DNS: 1, Connect: 2, Banner: 3, Command: 4, Data: 5, Dot: 6}
	want := map[Stage]vt.Span{StageDNS: 1, StageConnect: 2, StageBanner: 3, StageEHLO: 4, StageMAIL: 4, StageRCPT: 4,
		StageDATA: 5, StageDot: 6}
	for s := range Stages {
		if got := to.Patience(s); got != want[s] {
			t.Errorf("at %s the client waits %d, want %d", s, got, want[s])
		}
	}
}

// RFC 5321 4.5.3.2 asks for these as the least.
func TestDefaultTimeoutsAreLongEnough(t *testing.T) {
	d := DefaultDialogue()
	if errs := d.Validate(); len(errs) > 0 {
		t.Fatal(errs)
	}
	to := d.Timeouts
	if to.Banner < 5*vt.Minute || to.Command < 5*vt.Minute || to.Data < 2*vt.Minute || to.Dot < 10*vt.Minute {
		t.Errorf("%+v", to)
	}
}

func TestDialogueValidateMessages(t *testing.T) {
	for _, v := range []struct {
		change func(*Dialogue)
		want   string
	}{
		{func(d *Dialogue) { d.Messages = 0 }, "messages_per_connection: got 0, want 1 to 1000000"},
		{func(d *Dialogue) { d.Messages = 1_000_001 }, "messages_per_connection: got 1000001, want 1 to 1000000"},
		{func(d *Dialogue) { d.Timeouts.DNS = 0 }, "timeouts.dns: got 0s, want 1ms to 1h"},
		{func(d *Dialogue) { d.Timeouts.Connect = vt.Day }, "timeouts.connect: got 1d, want 1ms to 1h"},
		{func(d *Dialogue) { d.Timeouts.Banner = 1 }, "timeouts.banner: got 1ns, want 1ms to 1h"},
		{func(d *Dialogue) { d.Timeouts.Command = 61 * vt.Minute }, "timeouts.command: got 1h1m, want 1ms to 1h"},
		{func(d *Dialogue) { d.Timeouts.Data = 0 }, "timeouts.data: got 0s, want 1ms to 1h"},
		{func(d *Dialogue) { d.Timeouts.Dot = 0 }, "timeouts.dot: got 0s, want 1ms to 1h"},
	} {
		d := DefaultDialogue()
		v.change(&d)
		if errs := d.Validate(); len(errs) != 1 || errs[0].Error() != v.want {
			t.Errorf("got  %v\nwant %s", errs, v.want)
		}
	}
}
