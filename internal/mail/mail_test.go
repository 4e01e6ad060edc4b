package mail

import (
	"testing"

	"flyball/internal/vt"
)

// RFC 5321 4.2.1: 2yz is success, 4yz may be tried again, 5yz may not; and no
// reply after the final dot leaves the matter open.
func TestClass(t *testing.T) {
	for _, v := range []struct {
		r    Reply
		want Class
	}{
		{Reply{Code: 250, Stage: StageDot}, Delivered}, {Reply{Code: 251, Stage: StageDot}, Delivered},
		{Reply{Code: 400, Stage: StageMAIL}, Deferral}, {Reply{Code: 421, Stage: StageBanner}, Deferral},
		{Reply{Code: 451, Stage: StageRCPT}, Deferral}, {Reply{Code: 499, Stage: StageDot}, Deferral},
		{Reply{Code: 554, Stage: StageBanner}, Bounce}, {Reply{Code: 550, Stage: StageRCPT}, Bounce},
		{Reply{Code: 599, Stage: StageDot}, Bounce},
		{Reply{Fault: Drop, Stage: StageConnect}, Deferral}, {Reply{Fault: Timeout, Stage: StageDATA}, Deferral},
		{Reply{Fault: Drop, Stage: StageRCPT}, Deferral},
		{Reply{Fault: ServFail, Stage: StageDNS}, Deferral}, {Reply{Fault: Timeout, Stage: StageDNS}, Deferral},
		{Reply{Fault: NoName, Stage: StageDNS}, Bounce},
		{Reply{Fault: Drop, Stage: StageDot}, Ambiguous}, {Reply{Fault: Timeout, Stage: StageDot}, Ambiguous},
	} {
		if got := v.r.Class(); got != v.want {
			t.Errorf("%+v is a %s, want %s", v.r, got, v.want)
		}
	}
}

func TestOpen(t *testing.T) {
	for _, v := range []struct {
		r    Reply
		want bool
	}{
		{Reply{Code: 250, Stage: StageDot}, true}, {Reply{Code: 451, Stage: StageMAIL}, true},
		{Reply{Code: 550, Stage: StageRCPT}, true}, {Reply{Code: 452, Stage: StageDot}, true},
		{Reply{Code: 421, Stage: StageRCPT}, false}, {Reply{Code: 421, Stage: StageDot}, false},
		{Reply{Code: 421, Stage: StageBanner}, false},
		{Reply{Code: 554, Stage: StageBanner}, false}, {Reply{Code: 502, Stage: StageEHLO}, false},
		{Reply{Fault: Drop, Stage: StageRCPT}, false}, {Reply{Fault: Timeout, Stage: StageDot}, false},
		{Reply{Fault: ServFail, Stage: StageDNS}, false},
	} {
		if got := v.r.Open(); got != v.want {
			t.Errorf("%+v leaves the connection open: %v, want %v", v.r, got, v.want)
		}
	}
}

// Names are found by what they print, and by nothing else.
func TestNames(t *testing.T) {
	for s := range Stages {
		if got, ok := StageNamed(s.String()); !ok || got != s {
			t.Errorf("stage %d prints as %q and is found as %d, %v", s, s, got, ok)
		}
	}
	for f := Drop; f < Faults; f++ {
		if got, ok := FaultNamed(f.String()); !ok || got != f {
			t.Errorf("fault %d prints as %q and is found as %d, %v", f, f, got, ok)
		}
	}
	for _, bad := range []string{"", "DOT", "helo", "drop "} {
		if s, ok := StageNamed(bad); ok {
			t.Errorf("stage %q is %s", bad, s)
		}
		if f, ok := FaultNamed(bad); ok {
			t.Errorf("fault %q is %s", bad, f)
		}
	}
	for i, want := range []string{"pending", "delivered", "failed", "suppressed", "ambiguous", "not-allowed"} {
		if got := Status(i).String(); got != want {
			t.Errorf("status %d prints as %q, want %q", i, got, want)
		}
	}
	if int(Statuses) != 6 || Fresh.String() != "fresh" || Reused.String() != "reused" || Reset.String() != "reset" {
		t.Error("statuses or connections have other names")
	}
}

func TestWay(t *testing.T) {
	for _, v := range []struct {
		lookup vt.Span
		hops   int
		want   uint64
	}{{0, 0, 0}, {0, 14, 14}, {vt.Hour, 255, 255}, {vt.Hour + 1, 300, 255}} {
		if w := NewWay(v.lookup, v.hops); w.Lookup() != v.lookup || w.Hops() != v.want {
			t.Errorf("%s and %d hops come back as %s and %d", v.lookup, v.hops, w.Lookup(), w.Hops())
		}
	}
}

// A kept connection has come to its end if it fails before the recipient's mail
// is named, or is closed then; 421 closes it (RFC 5321 3.8).
func TestEndedBy(t *testing.T) {
	for _, v := range []struct {
		reply Reply
		ended bool // if it was kept
	}{
		{Reply{Stage: StageEHLO, Code: 451}, true},
		{Reply{Stage: StageEHLO, Code: 503}, true},
		{Reply{Stage: StageEHLO, Fault: Garbled}, true},
		{Reply{Stage: StageEHLO, Fault: Drop}, true},
		{Reply{Stage: StageEHLO, Fault: Timeout}, true},
		{Reply{Stage: StageEHLO, Fault: Aborted}, false},
		{Reply{Stage: StageMAIL, Code: 421}, true},
		{Reply{Stage: StageMAIL, Fault: Drop}, true},
		{Reply{Stage: StageMAIL, Code: 450}, false},
		{Reply{Stage: StageMAIL, Code: 550}, false},
		{Reply{Stage: StageMAIL, Fault: Timeout}, false},
		{Reply{Stage: StageMAIL, Code: 452}, true},
		{Reply{Stage: StageMAIL, Code: 503}, true},
		{Reply{Stage: StageMAIL, Fault: Garbled}, true},
		{Reply{Stage: StageMAIL, Fault: Aborted}, false},
		{Reply{Stage: StageRCPT, Code: 421}, false},
		{Reply{Stage: StageRCPT, Fault: Drop}, false},
		{Reply{Stage: StageDot, Code: 421}, false},
		{Reply{Stage: StageDot, Code: 250}, false},
	} {
		for c, want := range []bool{Fresh: false, Reused: v.ended, Reset: v.ended} {
			if got := Conn(c).EndedBy(&v.reply); got != want {
				t.Errorf("%s connection, %+v: %v, want %v", Conn(c), v.reply, got, want)
			}
		}
	}
}

// A refusal of the sender bounces no recipient (RFC 4954 6); one of an envelope sender does
// (RFC 5321 4.5.4.1), and so does every 5yz to RCPT and later.
func TestOfSender(t *testing.T) {
	for _, v := range []struct {
		reply Reply
		want  bool
	}{
		{Reply{Stage: StageDNS, Fault: NoResolver}, true},
		{Reply{Stage: StageDNS, Fault: ServFail}, false},
		{Reply{Stage: StageDNS, Fault: Timeout}, false},
		{Reply{Stage: StageBanner, Code: 554}, false},
		{Reply{Stage: StageEHLO, Code: 550}, true},
		{Reply{Stage: StageEHLO, Code: 535}, true},
		{Reply{Stage: StageEHLO, Code: 504}, true},
		{Reply{Stage: StageEHLO, Code: 450}, false},
		{Reply{Stage: StageEHLO, Fault: Drop}, false},
		{Reply{Stage: StageMAIL, Code: 500}, true},
		{Reply{Stage: StageMAIL, Code: 503}, true},
		{Reply{Stage: StageMAIL, Code: 505}, false},
		{Reply{Stage: StageMAIL, Code: 530}, true},
		{Reply{Stage: StageMAIL, Code: 535}, true},
		{Reply{Stage: StageMAIL, Code: 538}, true},
		{Reply{Stage: StageMAIL, Code: 550}, false},
		{Reply{Stage: StageMAIL, Code: 552}, false},
		{Reply{Stage: StageMAIL, Code: 553}, false},
		{Reply{Stage: StageMAIL, Code: 555}, true},
		{Reply{Stage: StageRCPT, Code: 530}, false},
		{Reply{Stage: StageDot, Code: 554}, false},
	} {
		if got := v.reply.OfSender(); got != v.want {
			t.Errorf("%+v: %v, want %v", v.reply, got, v.want)
		}
		want := Bounce
		if v.want || v.reply.Code < 500 {
			want = Deferral
		}
		if got := v.reply.Class(); got != want {
			t.Errorf("%+v is a %s, want a %s", v.reply, got, want)
		}
	}
}
