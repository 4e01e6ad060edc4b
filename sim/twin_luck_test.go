package sim_test

import (
	"math"
	"math/big"

	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
)

// The twin's draws. The use of each word of a draw is in docs/model.md, section 2.
const (
	luckOfList    rng.Purpose = 1
	luckOfLookUp  rng.Purpose = 16
	luckOfLine    rng.Purpose = 17
	lossOnLine    rng.Purpose = 18
	luckOfMailbox rng.Purpose = 19
	luckOfMessage rng.Purpose = 20
	lossOfMessage rng.Purpose = 21
	luckOfOutage  rng.Purpose = 22
	luckOfWeather rng.Purpose = 23
	luckOfRate    rng.Purpose = 24
	luckOfCall    rng.Purpose = 25
	luckOfEvent   rng.Purpose = 26
	luckOfTemper  rng.Purpose = 27
	luckOfSize    rng.Purpose = 28
	luckOfHold    rng.Purpose = 29
)

// losses returns the number of lost exchanges of the stage: negative binomial,
// truncated at the number that loses the connection.
func (p *process) losses(x exchange, luck rng.Block) int {
	pass := math.Pow(1-p.s.Network.HopLoss, float64(p.line.hops)) // one round trip
	u := (float64(luck[x.stage%4]) + 0.5) / (1 << 32)
	here := math.Pow(pass, float64(x.trips)) // probability of n losses
	n := 0
	for below := here; u > below && n < p.s.Network.GiveUpAt; below += here {
		here *= (1 - pass) * float64(x.trips+n) / float64(n+1)
		n++
	}
	return n
}

// connectionFails returns the failure of the connection at a stage.
func (p *process) connectionFails(at mail.Stage) mail.Reply {
	if p.line.shut.At == at.String() {
		v := p.line.shut
		return p.says(p.line.dest, at, v.Reply, v.Enhanced, v.Text)
	}
	var sum float64
	for _, f := range p.s.Destinations[p.line.dest].Fail {
		stage, _ := mail.StageNamed(f.At)
		if stage > mail.StageEHLO {
			continue
		}
		if sum += f.P; happens(sum, p.line.luck[0]) {
			return p.failure(p.line.dest, f, stage == at)
		}
	}
	return mail.Reply{}
}

// deathOf returns how a recipient fails at every try; nowhere if it does not.
func deathOf(d *config.Destination, mailbox rng.Block) config.Dead {
	var sum float64
	for _, dead := range d.Dead {
		if sum += dead.Share; happens(sum, mailbox[0]) {
			return dead
		}
	}
	return config.Dead{}
}

// messageFails returns the failure of the attempt at a stage.
func (p *process) messageFails(at mail.Stage, d mail.Destination, message rng.Block) mail.Reply {
	var sum float64
	for _, f := range p.s.Destinations[d].Fail {
		stage, _ := mail.StageNamed(f.At)
		if stage <= mail.StageEHLO {
			continue
		}
		if sum += f.P; happens(sum, message[0]) {
			return p.failure(d, f, stage == at)
		}
	}
	return mail.Reply{}
}

func (p *process) failure(d mail.Destination, f config.Fail, here bool) mail.Reply {
	at, _ := mail.StageNamed(f.At)
	fault, _ := mail.FaultNamed(f.Fault)
	switch {
	case !here:
		return mail.Reply{}
	case fault != mail.NoFault:
		return mail.Reply{Fault: fault}
	}
	return p.says(d, at, f.Reply, f.Enhanced, f.Text)
}

// greylisted reports whether a command that is sent now at the greylist's stage is deferred.
func (p *process) greylisted(r *recipient, d *config.Destination, mailbox rng.Block) bool {
	if !happens(d.Greylist.Share, mailbox[1]) || p.met.welcome {
		return false
	}
	if int64(p.now)/1e9-int64(r.sight)/1e9 > 7*24*3600 {
		r.seen = vt.Never // forgotten
	}
	p.listed = true
	p.passed = r.seen != vt.Never && p.now.Sub(r.seen) >= max(1, p.quantile(d.Greylist.Delay, mailbox[2]))
	return !p.passed
}

// happens reports whether an event of the given probability occurs.
func happens(probability float64, word uint32) bool {
	return float64(word) < math.Round(probability*(1<<32))
}

// draw returns the draws of a recipient's try.
func (p *process) draw(r *recipient, try mail.Try, purpose rng.Purpose) rng.Block {
	return p.key.At(uint64(r.number), uint32(try), purpose)
}

func (p *process) drawLine(l *line, purpose rng.Purpose) rng.Block {
	return p.key.At(p.lineEntity(l.dest, l.number), 0, purpose)
}

func (p *process) lineEntity(d mail.Destination, ordinal uint64) uint64 {
	return uint64(p.number)<<48 + uint64(d)<<32 + ordinal
}

// destination returns the destination of a recipient.
func (t *twin) destination(r mail.Recipient) mail.Destination {
	word := t.key.At(uint64(r)/4, 0, luckOfList)[r%4]
	var all, sum float64
	for _, d := range t.s.Destinations {
		all += d.Share
	}
	for i, d := range t.s.Destinations {
		if sum += d.Share; happens(sum/all, word) {
			return mail.Destination(i)
		}
	}
	panic("shares do not add up to all")
}

// knot is a place in a quantile function.
type knot struct {
	delay.Dist
	p float64
}

// quantile draws a time from the quantile function with 1,024 knots in whole
// microseconds, another 1,024 knots in its last cell, and straight lines between.
func (t *twin) quantile(d delay.Dist, word uint32) vt.Span {
	if d.Dist == "constant" {
		return d.Mean
	}
	const knots = 1024
	at := func(p float64) *big.Int {
		us, ok := t.knots[knot{d, p}]
		if !ok {
			us = min(math.Round(d.Quantile(p)/1000), 1e14)
			t.knots[knot{d, p}] = us
		}
		return new(big.Int).Mul(big.NewInt(int64(us)), big.NewInt(1000))
	}
	width, start := 1.0/knots, 0.0 // of the cell
	cells, part := word/(1<<22), word%(1<<22)
	inCell := uint32(1 << 22)
	if cells == knots-1 {
		width, start = 1.0/knots/knots, 1-1.0/knots
		cells, part, inCell = part/(1<<12), part%(1<<12), 1<<12
	}
	from, to := start+float64(cells)*width, start+float64(cells+1)*width
	if to == 1 {
		to = 1 - width/2 // the last knot
	}
	low, high := at(from), at(to)
	rise := new(big.Int).Sub(high, low)
	rise.Mul(rise, big.NewInt(int64(part))).Div(rise, big.NewInt(int64(inCell)))
	return vt.Span(low.Add(low, rise).Int64())
}

// normal is the quantile function of the standard normal distribution.
func normal(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }
