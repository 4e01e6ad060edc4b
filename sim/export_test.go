package sim

// KeepEvery makes runs keep states at least n events apart, so that short runs branch too.
func (b *Batches) KeepEvery(n uint64) { b.branches.every = n }

// Branched returns the number of runs that branched off.
func (b *Batches) Branched() int { return b.branches.times }

// Accepts returns how many messages each recipient's receiver accepted; nil if nothing can stop a server.
func (w *World) Accepts() []uint8 { return w.system.accepts }
