package realrun

// places has where the facts of a role are, which are numbered from 1 on.
type places struct {
	written uint64 // number of facts
	durable uint64 // number of the first ones that are durable
	records []place
}

// place is a record that is not durable.
type place struct {
	upTo   uint64 // number of the facts in it and in all before it
	record uint64
}

// put notes that all facts are in the journal, the last of them in a record.
func (p *places) put(record uint64) {
	before := p.durable
	if n := len(p.records); n > 0 {
		before = p.records[n-1].upTo
	}
	if p.written > before {
		p.records = append(p.records, place{p.written, record})
	}
}

// keep notes that a record, and all before it, are durable.
func (p *places) keep(record uint64) {
	n := 0
	for n < len(p.records) && p.records[n].record <= record {
		p.durable = p.records[n].upTo
		n++
	}
	p.records = p.records[:copy(p.records, p.records[n:])]
}

// of returns the record with a fact: 0 if it is durable, and next if it is in none yet.
func (p *places) of(fact, next uint64) uint64 {
	if fact <= p.durable {
		return 0
	}
	for _, r := range p.records {
		if fact <= r.upTo {
			return r.record
		}
	}
	return next
}
