package crash

import (
	"flyball/engine"
	"flyball/sim/crash/scope"
)

// perFile is the number of facts in a file of a journal.
const perFile = 16

// disk is the journal of a server: facts in order, in files. A file begins when the one before it is full, and
// whenever the server has begun again. What is in a file is lost with the file's name, which the folder has. A journal
// is read up to the first file or record that is missing or torn, so what is left of it is always a beginning.
type disk struct {
	facts  []engine.Fact
	synced int   // number of the first ones whose data is durable
	room   int   // number of facts that the file has room for
	names  []int // of each file whose name is not durable: number of facts before it
	torn   int   // 1 + number of facts before a record that is torn; 0: none is
}

func (d *disk) write(f engine.Fact) {
	if d.room == 0 {
		d.names, d.room = append(d.names, len(d.facts)), perFile
	}
	d.facts = append(d.facts, f)
	d.room--
}

// sync makes the data of the first facts durable.
func (d *disk) sync(upTo int) { d.synced = max(d.synced, upTo) }

// unnamed reports whether a file with one of the first facts has a name that is not durable.
func (d *disk) unnamed(upTo int) bool { return len(d.names) > 0 && d.names[0] < upTo }

// name makes the names of the files with the first facts durable.
func (d *disk) name(upTo int) {
	for d.unnamed(upTo) {
		d.names = d.names[1:]
	}
}

// least returns the number of facts that stay whatever happens.
func (d *disk) least() int {
	if len(d.names) > 0 {
		return min(d.synced, d.names[0])
	}
	return d.synced
}

// atRisk returns the number of facts that may be lost.
func (d *disk) atRisk() int { return len(d.facts) - d.least() }

// left returns the number of facts that the model keeps. Of what may be lost PowerAny keeps as many as kept.
func (d *disk) left(m scope.Model, kept int) int {
	switch m {
	case scope.Kill:
		return len(d.facts)
	case scope.PowerMin:
		return d.least()
	}
	return min(d.least()+kept, len(d.facts))
}

// stop loses what the model does not keep. PowerAny tears the next fact after those that it keeps.
func (d *disk) stop(m scope.Model, kept int) {
	if m == scope.Kill {
		return
	}
	n := d.left(m, kept)
	if m == scope.PowerAny && n < len(d.facts) {
		d.torn = n + 1
	}
	d.facts, d.synced, d.names = d.facts[:n], n, nil
}

// open returns the facts that can be read. They are durable from then on: what only the memory of the operating system
// has is written, a torn record is cut off, and the next fact begins a file.
func (d *disk) open() []engine.Fact {
	if d.torn > 0 {
		d.facts, d.torn = d.facts[:d.torn-1], 0
	}
	d.synced, d.names, d.room = len(d.facts), nil, 0
	return d.facts
}
