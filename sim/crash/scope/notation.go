package scope

import (
	"fmt"
	"strconv"
	"strings"

	"flyball/internal/vt"
)

// Text writes a case as Parse reads it: "loss=0.1; 12+ B1 power-min 3s; @4.5s A kill 60s".
func (c *Config) Text(x *Case) string {
	var all []string
	for _, v := range []struct {
		name  string
		share float64
	}{{"lost", x.Lost}, {"loss", x.Loss}, {"repeat", x.Repeat}} {
		if v.share > 0 {
			all = append(all, fmt.Sprintf("%s=%v", v.name, v.share))
		}
	}
	for i, d := range x.Drift {
		if d != 0 {
			all = append(all, fmt.Sprintf("drift:%s=%v", c.HostName(i+1), d))
		}
	}
	for _, v := range x.Crashes {
		all = append(all, c.crashText(v))
	}
	return strings.Join(all, "; ")
}

func (c *Config) crashText(x Crash) string {
	place, model, victim := fmt.Sprintf("%d-", x.Effect), x.Model.String(), ""
	switch {
	case x.Effect == 0:
		place = "@" + vt.Span(x.Time).String()
	case x.After:
		place = fmt.Sprintf("%d+", x.Effect)
	}
	switch {
	case x.Fault == Pause:
		model = "pause"
	case x.Fault == Cut:
		model = "cut"
	case x.Kept > 0:
		model += fmt.Sprintf("+%d", x.Kept)
	}
	switch x.Victim {
	case Actor:
		victim = "actor"
	case All:
		victim = "all"
	default:
		victim = c.HostName(x.Victim)
	}
	return fmt.Sprintf("%s %s %s %s", place, victim, model, x.Down)
}

// Parse reads a case: shares and crashes with ";" between them.
func (c *Config) Parse(text string) (x Case, err error) {
	for part := range strings.SplitSeq(text, ";") {
		part = strings.TrimSpace(part)
		if name, value, ok := strings.Cut(part, "="); ok {
			if err := c.share(&x, name, value); err != nil {
				return x, fmt.Errorf("%q: %w", part, err)
			}
			continue
		}
		v, err := c.crash(strings.Fields(part))
		if err != nil {
			return x, fmt.Errorf("%q: %w", part, err)
		}
		if n := len(x.Crashes); n > 0 && v.Effect > 0 && v.Effect < x.Crashes[n-1].Effect {
			return x, fmt.Errorf("%q: got effect %d after %d, want them in order", part, v.Effect,
				x.Crashes[n-1].Effect)
		}
		x.Crashes = append(x.Crashes, v)
	}
	return x, nil
}

func (c *Config) share(x *Case, name, value string) error {
	v, err := strconv.ParseFloat(value, 64)
	server, drifts := strings.CutPrefix(name, "drift:")
	switch {
	case err != nil:
		return fmt.Errorf("got %q, want a share such as 0.05", value)
	case drifts:
		for h := 1; h <= c.Servers; h++ {
			if c.HostName(h) == server && v > -0.01 && v < 0.01 {
				for len(x.Drift) < h {
					x.Drift = append(x.Drift, 0)
				}
				x.Drift[h-1] = v
				return nil
			}
		}
		return fmt.Errorf("got server %q and drift %s, want B1 to B%d, and between -0.01 and 0.01", server, value,
			c.Servers)
	case !(v >= 0 && v <= 0.5):
		return fmt.Errorf("got %s, want from 0 to 0.5", value)
	}
	switch name {
	case "lost":
		x.Lost = v
	case "loss":
		x.Loss = v
	case "repeat":
		x.Repeat = v
	default:
		return fmt.Errorf("got %q, want lost, loss, repeat or drift:B1", name)
	}
	return nil
}

func (c *Config) crash(words []string) (x Crash, err error) {
	if len(words) != 4 {
		return x, fmt.Errorf(`got %d words, want an effect or a time, a server, what its disk keeps and for how long `+
			`it stops, such as "12+ B1 power-min 3s"`, len(words))
	}
	if at, ok := strings.CutPrefix(words[0], "@"); ok {
		var span vt.Span
		if err := span.UnmarshalText([]byte(at)); err != nil {
			return x, err
		}
		if x.Time = vt.Time(span); span <= 0 {
			return x, fmt.Errorf("got time %s, want more than 0", at)
		}
	} else {
		number, after := strings.CutSuffix(words[0], "+")
		number, before := strings.CutSuffix(number, "-")
		x.After = after
		if x.Effect, err = strconv.Atoi(number); err != nil || x.Effect < 1 || after == before {
			return x, fmt.Errorf(`got effect %q, want a number from 1 on with "-" (before it) or "+" (after it), or a `+
				`time such as @4.5s`, words[0])
		}
	}
	x.Victim = All - 1
	for h := range c.Hosts() {
		if c.HostName(h) == words[1] {
			x.Victim = h
		}
	}
	switch {
	case words[1] == "actor" && x.Effect > 0:
		x.Victim = Actor
	case words[1] == "all":
		x.Victim = All
	case x.Victim < All:
		return x, fmt.Errorf("got server %q, want A, B1 to B%d, C, D, all, or actor at an effect", words[1], c.Servers)
	}
	model, kept, more := strings.Cut(words[2], "+")
	x.Model = Models
	for m := range Models {
		if m.String() == model {
			x.Model = m
		}
	}
	switch model {
	case "pause":
		x.Model, x.Fault = Kill, Pause
	case "cut":
		x.Model, x.Fault = Kill, Cut
	}
	if more {
		x.Kept, err = strconv.Atoi(kept)
	}
	if x.Model == Models || more && (x.Model != PowerAny || err != nil || x.Kept < 1) {
		return x, fmt.Errorf("got %q, want kill, power-min, power-any, power-any+1, ..., pause or cut", words[2])
	}
	if err := x.Down.UnmarshalText([]byte(words[3])); err != nil {
		return x, err
	}
	if x.Down <= 0 {
		return x, fmt.Errorf("got %s, want more than 0", words[3])
	}
	return x, nil
}
