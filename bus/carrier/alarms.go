package carrier

import (
	"fmt"
	"sync"
	"time"
)

// quiet is how long an alarm of one kind keeps others of its kind back: a stranger may send a thousand a second.
const quiet = 10 * time.Second

// alarms says what goes wrong, each kind at most once in quiet.
type alarms struct {
	say func(text string) // may be nil

	mu    sync.Mutex
	kinds map[string]*alarm
}

type alarm struct {
	said time.Time
	kept int // others since then
}

func (a *alarms) raise(kind, format string, args ...any) {
	if a.say == nil {
		return
	}
	a.mu.Lock()
	v := a.kinds[kind]
	if v == nil {
		if a.kinds == nil {
			a.kinds = map[string]*alarm{}
		}
		v = &alarm{}
		a.kinds[kind] = v
	}
	if time.Since(v.said) < quiet {
		v.kept++
		a.mu.Unlock()
		return
	}
	text := fmt.Sprintf(format, args...)
	if v.kept > 0 {
		text += fmt.Sprintf(" (and %d others before)", v.kept)
	}
	*v = alarm{said: time.Now()}
	a.mu.Unlock()
	a.say(text)
}
