package crash

import (
	"testing"

	"flyball/engine"
	"flyball/sim/crash/scope"
)

// journal writes facts to a disk, and makes the first ones durable.
func journal(facts, synced, named int) *disk {
	d := &disk{}
	for n := range facts {
		d.write(engine.Began{Subset: engine.Subset{Number: uint32(n)}})
	}
	d.sync(synced)
	d.name(named)
	return d
}

// A journal keeps what is durable, whatever the model, and never more than was written.
func TestDisk(t *testing.T) {
	for _, v := range []struct {
		model                scope.Model
		kept                 int
		synced, named, facts int
	}{
		{scope.Kill, 0, 3, 3, 5}, {scope.PowerMin, 9, 3, 3, 3},
		{scope.PowerAny, 0, 3, 3, 3}, {scope.PowerAny, 1, 3, 3, 4},
		{scope.PowerAny, 2, 3, 3, 5}, {scope.PowerAny, 9, 3, 3, 5},
		{scope.Kill, 0, 5, 0, 5}, {scope.PowerMin, 0, 5, 0, 0},
		{scope.PowerAny, 1, 5, 0, 1}, // its file has no durable name
	} {
		d := journal(5, v.synced, v.named)
		if d.stop(v.model, v.kept); len(d.open()) != v.facts || d.least() != v.facts {
			t.Errorf("%+v: got %d facts, %d durable; want %d", v, len(d.facts), d.least(), v.facts)
		}
	}
}

// Data that is durable is lost with a file whose name is not, and so are all files after it.
func TestDiskLosesNames(t *testing.T) {
	d := journal(2*perFile+3, 2*perFile+3, perFile)
	if d.least() != perFile || !d.unnamed(perFile+1) || d.unnamed(perFile) {
		t.Errorf("got %d durable facts, want %d: the second file has no name", d.least(), perFile)
	}
	if d.name(2 * perFile); d.least() != 2*perFile {
		t.Errorf("got %d durable facts, want %d: the third file has no name", d.least(), 2*perFile)
	}
	if d.name(2*perFile + 1); d.least() != 2*perFile+3 {
		t.Errorf("got %d durable facts, want all", d.least())
	}
}

// Behind a torn record nothing is read: it is cut off before something is written, and what is written then begins a
// file.
func TestDiskCutsWhatIsTorn(t *testing.T) {
	d := journal(5, 3, 3)
	d.stop(scope.PowerAny, 1)
	d.stop(scope.PowerMin, 0) // power is lost again, and nothing more with it
	if d.open(); len(d.facts) != 4 {
		t.Fatalf("got %d facts, want 4", len(d.facts))
	}
	d.write(engine.Began{})
	if !d.unnamed(5) || d.unnamed(4) {
		t.Error("the fifth fact does not begin a file")
	}
	d.sync(5)
	d.name(5)
	d.stop(scope.PowerMin, 0)
	if d.open(); len(d.facts) != 5 {
		t.Errorf("got %d facts, want 5: all were durable", len(d.facts))
	}
}
