package farm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// version is the version of the messages below. Another one is refused, and so is a message with an unknown field.
const version = 1

// Bounds of messages. A worker is a stranger to the coordinator, and the other way round.
const (
	MostSpec   = 600 << 10 // bytes of the specification of a job
	mostRecord = 448 << 10 // bytes of a result: with mostReport, and as text, less than 1 MiB
	mostGiven  = 512 << 10 // bytes of the specifications in a message, unless one alone has more
	mostReport = 256 << 10 // bytes of the results in a message
	mostSlots  = 4096
	mostWords  = 4 << 10 // bytes of a reason
)

// tooLarge is why a worker has no record of a job that it has done. The coordinator, which then does the job itself,
// sees whether that is true.
var tooLarge = fmt.Sprintf("the result has more than the %d KiB that a message may have", mostRecord>>10)

// Subjects; a worker's name follows. A broker can so allow each worker its own subjects and no others.
const (
	helloSubject = "flyball.farm.hello."
	workSubject  = "flyball.farm.work."
)

// hello is what a worker says first.
type hello struct {
	Version int
	Program string // version and revision of the program
	Build   string // SHA-256 of its file, if the revision does not say everything
}

// welcome is the answer to a hello.
type welcome struct {
	Version int
	Farm    string // number of this coordinator
	What    string // is done here
	Refused string // why the worker may not take part; empty if it may
	Silence int    // milliseconds after which a worker's jobs are given to others
}

// ask has the results of a slot, and asks for its next jobs.
type ask struct {
	Version int
	Farm    string
	Slot    int
	Results []Result
	Alive   bool // the slot goes on with its jobs and wants no others
	Leaving bool // the slot wants no more jobs
}

// States of a coordinator.
const (
	stateWork   = "work"
	stateWait   = "wait" // there may be jobs later
	stateOver   = "over" // everything is done here, or the coordinator stops
	stateHello  = "hello"
	stateBarred = "barred"
)

// give is the answer to an ask.
type give struct {
	Version int
	State   string
	Why     string   // the worker is barred
	Specs   []string // of the jobs
	Jobs    []given
	Wait    int  // milliseconds to wait before the next ask
	Gone    bool // the broker goes as well
}

type given struct {
	Number int
	Spec   int // index into Specs
	Part   uint64
}

// Job is something to do. Many jobs may share a specification, of which they are different parts.
type Job struct {
	Spec string
	Part uint64
}

// encode returns a message. Messages have no values that JSON cannot express.
func encode(message any) []byte {
	text, err := json.Marshal(message)
	if err != nil {
		panic(err)
	}
	return text
}

// decode reads a message that is a stranger's.
func decode[T interface{ check() error }](text []byte, to T) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(to); err != nil {
		return fmt.Errorf("got a message that cannot be read: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("got more than one message")
	}
	return to.check()
}

func checkVersion(got int) error {
	if got != version {
		return fmt.Errorf("got version %d of the messages, want %d", got, version)
	}
	return nil
}

func (h *hello) check() error {
	if len(h.Program) > mostWords || len(h.Build) > mostWords {
		return errors.New("got a program's name that is too long")
	}
	return nil // another version is refused in words
}

func (w *welcome) check() error {
	if w.Refused == "" && (w.Farm == "" || w.Silence < 1) {
		return errors.New("got a welcome without a farm")
	}
	return checkVersion(w.Version)
}

func (a *ask) check() error {
	if a.Slot < 0 || a.Slot >= mostSlots {
		return fmt.Errorf("got slot %d", a.Slot)
	}
	for _, r := range a.Results {
		if len(r.Record) > mostRecord || len(r.Failed) > mostWords || (len(r.Record) == 0) == (r.Failed == "") {
			return fmt.Errorf("got a result of job %d with %d bytes and a failure of %d, want one of the two", r.Number,
				len(r.Record), len(r.Failed))
		}
	}
	return checkVersion(a.Version)
}

func (g *give) check() error {
	for _, s := range g.Specs {
		if len(s) > MostSpec {
			return fmt.Errorf("got a job of %d bytes", len(s))
		}
	}
	for _, j := range g.Jobs {
		if j.Spec < 0 || j.Spec >= len(g.Specs) || j.Number < 0 {
			return fmt.Errorf("got job %d without a specification", j.Number)
		}
	}
	return checkVersion(g.Version)
}
