package live

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"time"

	"flyball/cmd/flyball/internal/kept"
	"flyball/cmd/flyball/internal/kinds"
	"flyball/cmd/flyball/internal/letters"
	"flyball/cmd/flyball/internal/promote"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/input"
	"flyball/internal/list"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/netmodel"
	"flyball/realrun"
	"flyball/realrun/dial"
	"flyball/realrun/guard"
	"flyball/realrun/mailing"
	"flyball/realrun/sink"
	"flyball/realrun/wire"
	"flyball/scenarios"
)

// prepared is a live run that was checked and can start, with what it is compared to.
type prepared struct {
	scenario *scenarios.Scenario  // as the run has it
	text     []byte               // of its file
	own      scenarios.Parameters // of the scenario's file
	promoted *promote.InForce     // nil without records; its parameters replace the scenario's own
	says     []string             // what else there is to say
	rejects  *task.Spool          // of a list; nil without one
	mailing  *mailing.Mailing
	resolver realrun.Resolver
	allow    *dial.Allowlist  // nil: loopback and reserved domains
	allowed  *realrun.Allowed // nil without an allowlist
	caps     *guard.Caps      // nil without an allowlist
	breaker  *guard.Breaker
	lookups  *lookups   // with a name server that is not Flyball's; else nil
	sink     *sink.Sink // nil with a receiver that is not Flyball's
	ends     *ends
	attempts *task.Attempts // nil: no table of them

	back     *fallback // nil without records of promotions
	secret   mail.Key  // of the run
	security wire.Security
}

// load reads the question's scenario and, where it names records of promotions, gives it the parameters in force.
func (q *Run) load() (*prepared, error) {
	s, text, err := q.From.Load()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(q.Validate(), q.From.Learns(s)); err != nil {
		return nil, err
	}
	r := &prepared{scenario: s, text: text, own: s.Parameters()}
	if q.Promotion.File == "" {
		return r, nil
	}
	if r.promoted, err = q.Promotion.InForce(time.Now()); err != nil {
		return nil, err
	}
	var words string
	if r.scenario, words, err = r.promoted.Apply(s); err != nil {
		return nil, err
	}
	r.says = append(r.says, words)
	return r, nil
}

// prepare checks everything that the question names, and connects to nothing. Own is what stays the same in the
// mailing.
func (q *Run) prepare(r *prepared, own kept.Mailing, st *kept.State) (err error) {
	r.secret = own.Secret
	if r.allow, _, err = ReadAllowlist("--allow", q.Outside.Allow); err != nil {
		return err
	}
	if err := q.reachable(r.allow); err != nil {
		return err
	}
	if r.security, err = q.Security.read(q); err != nil {
		return err
	}
	if err := realrun.Check(r.scenario, r.allow); errors.Is(err, dial.ErrRefused) {
		return task.Error{Kind: task.Refused, Err: err}
	} else if err != nil {
		return task.Error{Kind: task.Invalid, Err: err}
	}
	if r.mailing, r.rejects, err = q.mailing(r.scenario, own, st, r.allow); err != nil {
		return err
	}
	return r.try(q)
}

// open lets the operator confirm the number of recipients, and opens what bounds the run, and the receivers.
func (q *Run) open(r *prepared) error {
	if err := errors.Join(q.Outside.Confirm(r.mailing.List.Len()), r.guard(&q.Outside)); err != nil {
		return err
	}
	if q.Receiver != "" {
		if err := r.allow.Probe(q.Receiver); err != nil {
			return task.Fail(task.Environment, "--receiver: %w", err)
		}
	}
	s, scale := r.scenario, q.scale(r.scenario)
	key := rng.New(s.Seed, 0)
	r.ends = newEnds(r.mailing.List.Len())
	network := netmodel.NewNetwork(s.Netmodel(), key).With(key, s.Ends(r.mailing.List.Len()))
	r.mailing.Sizes = network.Size
	switch {
	case q.Receiver != "":
		r.resolver = fixed(netip.MustParseAddrPort(q.Receiver)) // reachable has parsed it
		return nil
	case q.Resolver != "":
		r.lookups = q.lookups(s, key, scale, r)
		r.resolver = r.lookups
		return nil
	}
	domains, problems := s.Domains()
	if problems != nil {
		return task.Error{Kind: task.Invalid, Err: errors.Join(problems...)}
	}
	var plain []error
	for i, d := range s.Destinations {
		for _, err := range sink.CheckPlain(d) {
			plain = append(plain, fmt.Errorf("destination[%d].%w", i, err))
		}
	}
	if plain != nil {
		return task.Error{Kind: task.Invalid, Err: errors.Join(plain...)}
	}
	var err error
	r.sink, err = sink.Open(sink.Config{Network: network, Servers: len(s.Servers),
		Receivers: s.Destinations, Recipients: r.mailing.List.Len(), Scale: scale,
		MaxBytes: 2*max(int(s.Message.Size), r.mailing.Size()) + 1<<20, Key: r.secret, Dial: r.allow.Dial,
		Domain: func(to mail.Recipient) string { return r.mailing.Address(to).Domain }, Find: domains.Find})
	if err != nil {
		return task.Error{Kind: task.Environment, Err: err}
	}
	r.resolver = r.sink
	return nil
}

// mailing reads the list, the suppression list and the template, if they are named,
// and spools the rejects of the list.
func (q *Run) mailing(s *scenarios.Scenario, own kept.Mailing, st *kept.State,
	allow *dial.Allowlist) (*mailing.Mailing, *task.Spool, error) {
	src := mailing.Source{ListName: q.List, SuppressionName: q.Suppress, TemplateName: q.Template, FoldCase: q.FoldCase,
		Key: own.Secret, Date: own.Date, Allow: allow}
	if err := task.WithoutList(q.List, q.Suppress, q.FoldCase); err != nil {
		return nil, nil, err
	}
	for _, f := range []struct {
		flag, name string
		kind       input.Kind
		to         *io.Reader
	}{
		{"--list", q.List, input.List, &src.List},
		{"--suppress", q.Suppress, input.Suppression, &src.Suppression},
		{"--template", q.Template, input.Template, &src.Template},
	} {
		if f.name == "" {
			continue
		}
		file, err := task.OpenInput(f.flag, f.name, f.kind)
		if err != nil {
			return nil, nil, err
		}
		defer file.Close()
		*f.to = file
	}
	err := q.grown(&src, st)
	if err != nil {
		return nil, nil, err
	}
	if src.Signer, err = letters.Signer(q.DKIM); err != nil {
		return nil, nil, err
	}
	if q.Template != "" {
		files, err := input.FolderOf(q.Template)
		if err != nil {
			return nil, nil, task.Unreadable("--template", err)
		}
		defer files.Close()
		src.Files = files.Read
	}
	var rejects *task.Spool
	if q.List != "" {
		var err error
		if rejects, err = task.NewSpool(); err != nil {
			return nil, nil, err
		}
		src.Rejects = rejects
	}
	m, err := mailing.New(s, rng.New(s.Seed, 0), src)
	switch {
	case errors.Is(err, dial.ErrRefused):
		return nil, nil, task.Error{Kind: task.Refused, Err: err}
	case err != nil:
		err = task.Mistaken(err, q.List, kinds.List, kinds.Table)
		err = task.Mistaken(err, q.Template, kinds.Letter, kinds.Table)
		return nil, nil, task.Error{Kind: task.Invalid, Err: err}
	}
	return m, rejects, nil
}

// grown lets a mailing that goes on number its recipients by the suppression list with which it began, and hold those
// back who have been added to it since.
func (q *Run) grown(src *mailing.Source, st *kept.State) error {
	if st == nil {
		return nil
	}
	first, err := st.Suppression()
	if err != nil {
		return err
	}
	now := new(list.Set)
	if src.Suppression != nil {
		if *now, err = list.ReadSuppression(src.Suppression, q.Suppress); err != nil {
			return task.Error{Kind: task.Invalid, Err: err}
		}
	}
	name := filepath.Join(st.Dir, kept.SuppressionFile)
	lost, err := now.Lacks(bytes.NewReader(first), name)
	switch {
	case err != nil:
		return task.Error{Kind: task.Invalid, Err: err}
	case lost != "":
		return kept.Shrunk(q.Suppress, lost)
	}
	src.Suppression, src.SuppressionName, src.Late = bytes.NewReader(first), name, now
	return nil
}
