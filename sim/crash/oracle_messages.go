package crash

import "flyball/engine"

// This file checks messages between servers: each has only what is durable on the server that sends it.

// told checks a message that is sent: what it tells is durable.
func (o *oracle) told(h *host, m *engine.Message) {
	name := o.w.cfg.HostName(h.number)
	switch b := m.Body.(type) {
	case engine.Progress:
		v := &o.each[h.number]
		for _, r := range engine.UnpackOutcomes(b.Outcomes) {
			if v.rows[r.Rcpt].final != r.Status {
				o.fail("%s tells that recipient %d is %v, and has no durable fact of it", name, r.Rcpt, r.Status)
			}
		}
		if b.Checkpoint > v.points[b.Subset] || b.Barred > v.bars {
			o.fail("%s tells checkpoint %v and %d bars, and has %v and %d", name, b.Checkpoint, b.Barred,
				v.points[b.Subset], v.bars)
		}
	case engine.Changes:
		all, first := o.changes[m.From.Role-engine.Bounces], b.First-1
		for i, c := range engine.UnpackChanges(b.Entries) {
			if n := first + uint64(i); n >= uint64(len(all)) || all[n] != c {
				o.fail("%s tells %+v as change %d, and has %v", name, c, n+1, all)
			}
		}
	case engine.Confirm:
		if !o.rcpts[b.Rcpt].wants[b.Token] {
			o.fail("%s asks recipient %d to confirm request %d, and none waits for it", name, b.Rcpt, b.Token)
		}
	case engine.Got:
		if h.number == 0 {
			o.acknowledges(m.To.Role, b.UpTo)
		}
	case engine.Pull:
		o.acknowledges(m.To.Role, b.UpTo)
	case engine.Transfer:
		if !o.planned(b.Subset) {
			o.fail("A transfers %v, and no durable plan has it", b.Subset)
		}
	case engine.Start:
		if b.Imported > o.imported[b.Subset] {
			o.fail("%v: A tells that %d outcomes are imported, and has %d", b.Subset, b.Imported,
				o.imported[b.Subset])
		}
		if last := b.First - 1 + uint64(len(b.Bars)/4); !o.planned(b.Subset) || last > uint64(len(o.barred)) {
			o.fail("%v: A starts it with bars up to %d, and has %d, or no durable plan", b.Subset, last, len(o.barred))
		}
	case engine.Drop:
		if _, open := o.parts[b.Subset]; open {
			o.fail("%v: A drops it, and it is in force", b.Subset)
		}
	case engine.Summary:
		if m := o.w.mailing(b.Job); m.point != engine.P699 || m.recorded {
			o.fail("A reports the mailing at checkpoint %v, reported: %v", m.point, m.recorded)
		}
	}
}

func (o *oracle) acknowledges(source engine.Kind, upTo uint64) {
	if has := o.bars[source-engine.Bounces]; upTo > has {
		o.fail("A acknowledges change %d of %v, and has %d", upTo, source, has)
	}
}
