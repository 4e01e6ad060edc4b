package task

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"flyball/internal/durable"
	"flyball/internal/zone"
	"flyball/scenarios/draft"
)

// Init is the question of a scenario's first version. Providers and Campaigns are as the
// flags have them: NAME=AMOUNT,KEY=VALUE,...
type Init struct {
	Draft      draft.Draft // without providers and campaigns
	Providers  []string    // none: the default
	Campaigns  []string    // none: one of Recipients
	Recipients string      // empty: the default, or those of Campaigns
	Out        string      // file; empty: none
	Force      bool        // replace Out
}

// Do returns the scenario file, and writes it to Out if that is not empty.
func (q *Init) Do() ([]byte, error) {
	d := q.Draft
	var wrong []error
	d.Providers = itemsOf(&wrong, "--provider", "gmail=50%,cap=20", q.Providers, d.Providers)
	d.Campaigns = itemsOf(&wrong, "--campaign", "newsletter=5M,start=22:00,deadline=06:00", q.Campaigns, d.Campaigns)
	if q.Recipients != "" {
		if len(q.Campaigns) > 0 {
			wrong = append(wrong, errors.New("--recipients: got both --recipients and --campaign, want one of the two"))
		}
		d.Campaigns = []draft.Item{{Name: "mailing", Amount: q.Recipients}}
	}
	if d.Servers < 1 || d.Servers > 1000 {
		wrong = append(wrong, fmt.Errorf("--servers: got %d, want 1 to 1000", d.Servers))
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, Error{Usage, err}
	}
	text, err := d.Text(zone.Load)
	if err != nil {
		return nil, Error{Usage, err}
	}
	if q.Out == "" {
		return text, nil
	}
	write := durable.Create
	if q.Force {
		write = durable.Write
	}
	switch err := write(q.Out, text); {
	case errors.Is(err, fs.ErrExist):
		return nil, Fail(Usage, "--out: got %s, which exists, want a new file, or --force", q.Out)
	case err != nil:
		return nil, Fail(Environment, "--out: %w", err)
	}
	return text, nil
}

// itemsOf returns the items of a flag, otherwise if the flag is not given, and adds what is
// wrong with them to wrong.
func itemsOf(wrong *[]error, flag, example string, texts []string, otherwise []draft.Item) []draft.Item {
	if len(texts) == 0 {
		return otherwise
	}
	var all []draft.Item
	for _, text := range texts {
		refuse := func() {
			*wrong = append(*wrong, fmt.Errorf("%s: got %q, want NAME=NUMBER[,KEY=VALUE...], such as %s", flag, text,
				example))
		}
		entries := Entries(text)
		if len(entries) == 0 {
			refuse()
			continue
		}
		name, amount, _ := strings.Cut(entries[0], "=")
		item := draft.Item{Name: strings.TrimSpace(name), Amount: strings.TrimSpace(amount)}
		for _, entry := range entries[1:] {
			key, value, ok := strings.Cut(entry, "=")
			if !ok {
				refuse()
				break
			}
			item.Keys = append(item.Keys, draft.Key{Name: strings.TrimSpace(key), Value: strings.TrimSpace(value)})
		}
		all = append(all, item)
	}
	return all
}

// Ask asks for the parts of a scenario, one question a line, and takes an empty line for
// the answer in brackets. It asks again where an answer makes no scenario with the answers
// before. The end of in before the last answer is an error.
func (q *Init) Ask(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	d := &q.Draft
	for _, one := range []struct {
		question, otherwise string
		take                func(*Init, string) error
	}{
		{"Name of the scenario", d.Name, func(q *Init, s string) error { q.Draft.Name = s; return nil }},
		{"Servers that deliver", "1", func(q *Init, s string) (err error) {
			if q.Draft.Servers, err = strconv.Atoi(s); err != nil {
				return fmt.Errorf("servers: got %q, want a number", s)
			}
			return nil
		}},
		{"Date and time of the start, such as 2026-11-30 22:00", "", func(q *Init, s string) error {
			q.Draft.StartAt = s
			return nil
		}},
		{"Time zone", "UTC", func(q *Init, s string) error { q.Draft.TimeZone = s; return nil }},
		{"Providers, each with its share of the list (known: " + strings.Join(draft.Providers(), ", ") + ")",
			"gmail=50% outlook=12% yahoo=20%",
			func(q *Init, s string) error { q.Providers = strings.Fields(s); return nil }},
		{"Campaigns, each with its recipients", "mailing=100k",
			func(q *Init, s string) error { q.Campaigns = strings.Fields(s); return nil }},
		{"Deadline, such as 06:00, or 8h after the start", "", func(q *Init, s string) error {
			q.Draft.Deadline = s
			return nil
		}},
	} {
		if strings.HasPrefix(one.question, "Time zone") && d.StartAt == "" {
			continue
		}
		for done := false; !done; {
			fmt.Fprintf(out, "%s [%s]: ", one.question, one.otherwise)
			if !lines.Scan() {
				fmt.Fprintln(out)
				if err := lines.Err(); err != nil {
					return Fail(Environment, "standard input: %w", err)
				}
				return Fail(Usage, "standard input: got its end, want an answer, or an empty line for "+
					"the one in brackets")
			}
			trial := *q
			trial.Out = ""
			err := one.take(&trial, cmp.Or(strings.TrimSpace(lines.Text()), one.otherwise))
			if err == nil {
				_, err = trial.Do()
			}
			if done = err == nil; !done {
				fmt.Fprintf(out, "  %s\n", strings.ReplaceAll(err.Error(), "\n", "\n  "))
				continue
			}
			trial.Out = q.Out
			*q = trial
		}
	}
	return nil
}
