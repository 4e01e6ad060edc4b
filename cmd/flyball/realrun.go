package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/internal/input"
	"flyball/internal/mail"
	"flyball/internal/rng"
	"flyball/netmodel"
	"flyball/realrun"
	"flyball/realrun/sink"
	"flyball/reports/folder"
	"flyball/scenarios"
)

// liveOptions are the flags of realrun.
type liveOptions struct {
	from                     source
	to                       output
	list, suppress, template string
	fold                     bool
	promotion                promoted
	receiver                 string
	scale                    float64
}

func (a *app) realrunCommand() *cobra.Command {
	var o liveOptions
	var head string
	c := &cobra.Command{
		Use:   "realrun SCENARIO",
		Short: "Run a scenario over real SMTP on loopback",
		Long: `Run a scenario with the same engine over real SMTP: by default to embedded
receivers on loopback that answer as the network model says, so that every
recipient ends as in the simulation. Only loopback addresses are dialled, only
reserved domains are mailed.

A list is CSV with a header: email, and merge fields for the template. Rows that
cannot be mailed go to rejects.csv in the run folder, with reasons.

Exit codes: those of run; 3 also for a list or template that is refused, 7 if no
port can be opened, 8 for an address that is not loopback, or if no promotion is in
force or has no head.`,
		Example: "  flyball realrun quickstart\n  flyball realrun quickstart --list people.csv --template letter.txt --time-scale 10",
		Args:    exactlyOne("a scenario"),
		RunE: func(c *cobra.Command, args []string) error {
			o.from.arg = args[0]
			if o.scale == 0 && c.Flags().Changed("time-scale") { // which would be the scenario's own
				return badScale(0)
			}
			if c.Flags().Changed("head") {
				if o.promotion.file == "" {
					return fail(exitUsage, "--head: got %q, want --promotion too", head)
				}
				if err := o.promotion.head.parse(head); err != nil {
					return err
				}
			}
			return a.live(&o)
		},
	}
	o.from.flags(c)
	o.to.flags(c)
	c.Flags().StringVar(&o.promotion.file, "promotion", "", "file of flyball promote: take the law and the resend policy in force there")
	c.Flags().StringVar(&head, "head", "", "with --promotion: SHA-256 that the last record must have; that of the file beside the records if not given")
	c.Flags().StringVar(&o.list, "list", "", "CSV file of recipients; the scenario's synthetic list if not given")
	c.Flags().StringVar(&o.suppress, "suppress", "", "file of addresses and whole domains (*@domain) that are not mailed")
	c.Flags().BoolVar(&o.fold, "fold-case", false, foldCase)
	c.Flags().StringVar(&o.template, "template", "", "message template; a plain one of the scenario's size if not given")
	c.Flags().StringVar(&o.receiver, "receiver", "", "deliver everything to the SMTP server at this loopback IP:PORT instead")
	c.Flags().Float64Var(&o.scale, "time-scale", 0, "times faster than the clock; the scenario's own if not given")
	return c
}

func (a *app) live(o *liveOptions) error {
	s, text, err := a.load(&o.from)
	if err != nil {
		return err
	}
	var says []string
	if o.promotion.file != "" {
		for _, set := range o.from.sets {
			if strings.HasPrefix(set, "governor") || strings.HasPrefix(set, "retry") {
				return fail(exitUsage, "--set %s: got --promotion too, which has the law and the resend policy: want one of the two", set)
			}
		}
		var words string
		if s, words, err = withPromoted(s, o.promotion, time.Now()); err != nil {
			return err
		}
		says = append(says, words)
	}
	scale := s.TimeScale
	if o.scale != 0 {
		scale = o.scale
	}
	o.to.settings = o.words(scale)
	if err := o.to.check(asks(s, "real", 0)); err != nil {
		return err
	}
	r, err := o.prepare(s)
	if err != nil {
		return err
	}
	if r.sink != nil {
		defer r.sink.Close()
	}
	words := o.words(r.scale)
	if head := o.promotion.head.Head; head != "" {
		words = append(words, "--head", string(head))
	}
	a.replay = o.from.commandLine("realrun", s.Seed, words...)
	stop := a.watchSignals()
	defer stop.end()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go func() {
		select {
		case <-stop.seen:
			cancel(nil)
		case <-ctx.Done():
		}
	}()

	var journal bytes.Buffer
	inputs := realrun.NewJournal(&journal)
	transport := &realrun.SMTP{Resolver: r.resolver, Letters: r.mailing, Dialogue: s.Dialogue, Scale: r.scale, Domain: "sender.example", Broken: cancel}
	began := time.Now()
	runner, err := realrun.New(s, &r.mailing.List, r.scale, transport, r.ends.watch, inputs)
	if err != nil {
		return fail(exitInvalid, "%w", err)
	}
	bar := a.progress(s.Name)
	end, stopped := runner.Run(ctx, func(p realrun.Progress) { bar.at(p.Final, p.Total) })
	bar.end()
	if err := inputs.Close(); err != nil {
		return err
	}

	run := describe(s, "real", end, stopped)
	run.Receiver = o.receiver
	runner.Rec.Fold(run, uint64(r.mailing.List.Len())+r.mailing.Suppressed, r.mailing.Suppressed)
	run.Host = host(time.Since(began))
	run.Host.LateP50, run.Host.LateMax = runner.Late.Quantile(0.5), runner.Late.Quantile(1)
	more := append(r.rejects.as(rejectsFile), folder.File{Path: "journal.txt", Data: journal.Bytes()})
	books, err := r.closeBooks(!stopped)
	if err != nil {
		return err
	}
	if books != nil {
		more = append(more, folder.File{Path: "rehearsal.json", Data: books.file()})
	}
	err = a.finish(s, text, run, &o.to, slices.Concat(says, r.mailing.Words(), books.words()), more, stop)
	if broken := context.Cause(ctx); broken != nil && broken != context.Canceled {
		return fail(exitEnvironment, "the run was stopped: %w", broken)
	}
	return errors.Join(books.err(), err)
}

func badScale(got float64) error {
	return fail(exitUsage, "--time-scale: got %g, want 0.001 to 10000", got)
}

// words are the flags that make the run again.
func (o *liveOptions) words(scale float64) []string {
	words := []string{"--time-scale", fmt.Sprint(scale)}
	for _, f := range []struct{ name, value string }{{"--list", o.list}, {"--suppress", o.suppress}, {"--template", o.template}, {"--receiver", o.receiver}, {"--promotion", o.promotion.file}} {
		if f.value != "" {
			words = append(words, f.name, quote(f.value))
		}
	}
	if o.fold {
		words = append(words, "--fold-case")
	}
	return words
}

// prepare checks everything and opens the receivers last.
func (o *liveOptions) prepare(s *scenarios.Scenario) (*rehearsal, error) {
	r := &rehearsal{scenario: s, scale: s.TimeScale}
	if o.scale != 0 {
		r.scale = o.scale
	}
	if !(r.scale >= 0.001 && r.scale <= 10000) {
		return nil, badScale(r.scale)
	}
	if o.receiver != "" {
		if err := realrun.CheckLoopback(o.receiver); err != nil {
			code := exitUsage
			if errors.Is(err, realrun.ErrRefused) {
				code = exitRefused
			}
			return nil, fail(code, "--receiver: %w", err)
		}
		if err := realrun.Probe(o.receiver); err != nil {
			return nil, fail(exitEnvironment, "--receiver: %w", err)
		}
		r.resolver = fixed(o.receiver)
	}
	if err := realrun.Check(s); errors.Is(err, realrun.ErrRefused) {
		return nil, exit{exitRefused, err}
	} else if err != nil {
		return nil, exit{exitInvalid, err}
	}
	key := rng.New(s.Seed, 0)
	var err error
	if r.mailing, r.rejects, err = o.mailing(s, key); err != nil {
		return nil, err
	}
	r.ends = newEnds(r.mailing.List.Len())
	if o.receiver != "" {
		return r, nil
	}
	var plain []error
	for i, d := range s.Destinations {
		for _, err := range sink.CheckPlain(d) {
			plain = append(plain, fmt.Errorf("destination[%d].%w", i, err))
		}
	}
	if plain != nil {
		return nil, exit{exitInvalid, errors.Join(plain...)}
	}
	r.sink, err = sink.Open(sink.Config{Network: netmodel.NewNetwork(s.Netmodel(), key), Servers: len(s.Servers), Receivers: s.Destinations,
		Recipients: r.mailing.List.Len(), Scale: r.scale, MaxBytes: 2*max(int(s.Message.Size), r.mailing.Size()) + 1<<20})
	if err != nil {
		return nil, exit{exitEnvironment, err}
	}
	r.resolver = r.sink
	return r, nil
}

// foldCase is the help of --fold-case.
const foldCase = "addresses that differ only in upper and lower case are duplicates"

// mailing reads the files that were named, and spools the rejects of a list.
func (o *liveOptions) mailing(s *scenarios.Scenario, key rng.Key) (*realrun.Mailing, *spool, error) {
	src := realrun.Source{ListName: o.list, SuppressionName: o.suppress, TemplateName: o.template, FoldCase: o.fold, Date: time.Now()}
	if o.suppress != "" && o.list == "" {
		return nil, nil, errNoList("--suppress")
	}
	if o.fold && o.list == "" {
		return nil, nil, errNoList("--fold-case")
	}
	for _, f := range []struct {
		flag, name string
		kind       input.Kind
		to         *io.Reader
	}{
		{"--list", o.list, input.List, &src.List},
		{"--suppress", o.suppress, input.Suppression, &src.Suppression},
		{"--template", o.template, input.Template, &src.Template},
	} {
		if f.name == "" {
			continue
		}
		file, err := open(f.flag, f.name, f.kind)
		if err != nil {
			return nil, nil, err
		}
		defer file.Close()
		*f.to = file
	}
	var rejects *spool
	if o.list != "" {
		var err error
		if rejects, err = newSpool(); err != nil {
			return nil, nil, err
		}
		src.Rejects = rejects
	}
	m, err := realrun.NewMailing(s, key, src)
	switch {
	case errors.Is(err, realrun.ErrRefused):
		return nil, nil, exit{exitRefused, err}
	case err != nil:
		err = mistaken(err, o.list, scenarios.AList, scenarios.ATable)
		err = mistaken(err, o.template, scenarios.ALetter, scenarios.ATable)
		return nil, nil, exit{exitInvalid, err}
	}
	return m, rejects, nil
}

// errNoList refuses a flag that speaks of a list where there is none.
func errNoList(flag string) error {
	return fail(exitUsage, "%s: got no list, want --list too: a synthetic list has no addresses", flag)
}

// fixed resolves every destination to one receiver.
type fixed string

func (f fixed) Resolve(context.Context, mail.Server, mail.Destination) (string, mail.Fault) {
	return string(f), mail.NoFault
}
