package inbox

import (
	"fmt"
	"strings"
	"testing"

	"flyball/engine"
	"flyball/engine/internal/roletest"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

// step is an input of the role and what it asks for.
type step struct {
	at   vt.Span
	in   any
	want string
}

type (
	wake  = roletest.Wake
	again = roletest.Again
)

// play gives a role that sends at most two changes at a time its inputs. After each stop its configuration is the
// next one of several, and the last one from then on.
func play(t *testing.T, role engine.Kind, steps []step, changes ...func(*Config)) {
	t.Helper()
	var all []roletest.Step
	for _, v := range steps {
		all = append(all, roletest.Step{At: v.at, In: v.in, Want: v.want})
	}
	roletest.Play(t, func() engine.Durable {
		cfg := Default(engine.Address{Role: role})
		if cfg.Batch = 2; len(changes) > 0 {
			changes[0](&cfg)
			changes = changes[min(1, len(changes)-1):]
		}
		if errs := cfg.Validate(); errs != nil {
			t.Fatal(errs)
		}
		return New(cfg)
	}, all)
}

func hard(token uint64, r mail.Recipient) engine.Returned {
	return engine.Returned{Token: token, Rcpt: r, Hard: true}
}

func soft(token uint64, r mail.Recipient) engine.Returned {
	return engine.Returned{Token: token, Rcpt: r}
}

// couples are persons with two places each: 0 and 1, 2 and 3, and so on.
func couples(c *Config) {
	c.Same = func(r mail.Recipient) []mail.Recipient { return []mail.Recipient{r &^ 1, r | 1} }
}

// A recipient is deleted at the second hard return; a returned mail that comes again, also after a stop, counts once,
// and soft ones never delete. Who is added again is deleted again at the second hard return after the last deletion.
func TestReturned(t *testing.T) {
	play(t, engine.Bounces, []step{
		{0, hard(1, 7), "counted: hard return 1 of r7"},
		{0, hard(1, 7), ""},
		{0, soft(2, 7), "counted: soft return 2 of r7"},
		{0, soft(9, 7), "counted: soft return 9 of r7"},
		{vt.Second, again{}, ""},
		{vt.Second, hard(1, 7), ""},
		{vt.Second, hard(3, 8), "counted: hard return 3 of r8"},
		{vt.Second, hard(4, 7), "counted: hard return 4 of r7; changes: r7\nto sender 0: changes from 1 on: r7"},
		{2 * vt.Second, hard(5, 7), "counted: hard return 5 of r7"},
		{3 * vt.Second, engine.Got{UpTo: 1}, ""},
		{4 * vt.Second, again{}, "to sender 0: changes from 1 on: r7"},
		{4 * vt.Second, engine.Got{UpTo: 1}, ""},
		{4 * vt.Second, hard(6, 7), "counted: hard return 6 of r7; changes: r7\nto sender 0: changes from 2 on: r7"},
		{5 * vt.Second, engine.Got{UpTo: 2}, ""},
		{9 * vt.Second, wake{}, ""},
	})
}

// Soft returns delete at their own threshold, where there is one; hard ones do not count for it.
func TestSoftReturns(t *testing.T) {
	play(t, engine.Bounces, []step{
		{0, soft(1, 7), "counted: soft return 1 of r7"},
		{0, hard(2, 7), "counted: hard return 2 of r7"},
		{0, soft(3, 7), "counted: soft return 3 of r7"},
		{0, soft(4, 7), "counted: soft return 4 of r7; changes: r7\nto sender 0: changes from 1 on: r7"},
		{0, engine.Got{UpTo: 1}, ""},
		{0, hard(5, 7), "counted: hard return 5 of r7"}, // the deletion began both counts anew
		{0, soft(6, 7), "counted: soft return 6 of r7"},
	}, func(c *Config) { c.Soft = 3 })
}

// Returned mail is forgotten when a person has had none for the time; one that comes meanwhile begins the time anew. A
// stop begins it anew too, since facts have no times.
func TestForget(t *testing.T) {
	play(t, engine.Bounces, []step{
		{0, hard(1, 7), "counted: hard return 1 of r7"},
		{11 * vt.Hour, hard(2, 7), "returned mail of r7 is forgotten\ncounted: hard return 2 of r7"},
		{21 * vt.Hour, again{}, ""},
		{30 * vt.Hour, soft(3, 7), "counted: soft return 3 of r7"},
		{39 * vt.Hour, hard(4, 7), "counted: hard return 4 of r7; changes: r7\nto sender 0: changes from 1 on: r7"},
		{39 * vt.Hour, engine.Got{UpTo: 1}, ""},
		{60 * vt.Hour, hard(5, 7), "counted: hard return 5 of r7"},
	}, func(c *Config) { c.Forget = 10 * vt.Hour })
}

// The places of a person count together and change together.
func TestPersons(t *testing.T) {
	play(t, engine.Bounces, []step{
		{0, hard(1, 7), "counted: hard return 1 of r7"},
		{0, hard(2, 8), "counted: hard return 2 of r8"},
		{0, again{}, ""},
		{0, hard(3, 6), "counted: hard return 3 of r6; changes: r6 r7\nto sender 0: changes from 1 on: r6 r7"},
		{0, engine.Request{Rcpt: 3}, "r3 asked to be deleted; changes: r2 r3\nto sender 0: changes from 1 on: r6 r7"},
		{0, engine.Got{UpTo: 2}, "to sender 0: changes from 3 on: r2 r3"},
		{0, engine.Got{UpTo: 4}, ""},
		{0, engine.Join{Rcpt: 2, Token: 1}, "r2 asked to be added; changes: +r2 +r3\n" +
			"to sender 0: changes from 5 on: +r2 +r3"},
	}, func(c *Config) { couples(c); c.ConfirmAdd = false })
}

// A change keeps its number and what it is when the configuration is another one after a stop.
func TestChangesOutlastTheConfiguration(t *testing.T) {
	play(t, engine.Bounces, []step{
		{0, hard(1, 7), "counted: hard return 1 of r7"},
		{0, hard(2, 7), "counted: hard return 2 of r7; changes: r7\nto sender 0: changes from 1 on: r7"},
		{0, engine.Join{Rcpt: 7}, "r7 asked to be added, not confirmed\n" +
			"to recipients 0: confirm that r7 asks to be added"},
		{0, engine.Request{Rcpt: 5, Token: 1}, "r5 asked to be deleted; changes: r5\n" +
			"to sender 0: changes from 1 on: r7 r5"},
		{vt.Second, again{}, "to sender 0: changes from 1 on: r7 r5"},
		{vt.Second, engine.Confirmed{Rcpt: 7}, "r7 confirmed request 0; changes: +r6 +r7\n" +
			"to sender 0: changes from 1 on: r7 r5"},
		{vt.Second, engine.Got{UpTo: 2}, "to sender 0: changes from 3 on: +r6 +r7"},
		{vt.Second, hard(3, 9), "counted: hard return 3 of r9; changes: r8 r9\n" +
			"to sender 0: changes from 3 on: +r6 +r7"},
	}, func(c *Config) { c.Hard = 2 }, func(c *Config) { couples(c); c.Hard, c.ConfirmAdd = 1, false })
}

// Changes are pushed again until they are acknowledged, a few at a time, and after a stop from the first one on.
func TestPush(t *testing.T) {
	play(t, engine.Requests, []step{
		{0, engine.Request{Rcpt: 3}, "r3 asked to be deleted; changes: r3\nto sender 0: changes from 1 on: r3"},
		{0, engine.Request{Rcpt: 3}, ""},
		{vt.Second / 2, wake{}, ""},
		{vt.Second, wake{}, "to sender 0: changes from 1 on: r3"},
		{vt.Second, engine.Request{Rcpt: 1}, "r1 asked to be deleted; changes: r1\n" +
			"to sender 0: changes from 1 on: r3 r1"},
		{vt.Second, engine.Request{Rcpt: 2}, "r2 asked to be deleted; changes: r2\n" +
			"to sender 0: changes from 1 on: r3 r1"},
		{2 * vt.Second, engine.Got{UpTo: 2}, "to sender 0: changes from 3 on: r2"},
		{2 * vt.Second, engine.Got{UpTo: 1}, ""}, // overtaken
		{2500 * vt.Millisecond, wake{}, ""},
		{3 * vt.Second, wake{}, "to sender 0: changes from 3 on: r2"},
		{3 * vt.Second, again{}, "to sender 0: changes from 1 on: r3 r1"},
		{3 * vt.Second, engine.Got{UpTo: 3}, ""},
		{9 * vt.Second, wake{}, ""},
	})
}

// Changes that are not pushed are sent when asked for, from the first one that the sending server does not have.
func TestPull(t *testing.T) {
	play(t, engine.Requests, []step{
		{0, engine.Pull{}, ""},
		{0, engine.Request{Rcpt: 3}, "r3 asked to be deleted; changes: r3"},
		{0, engine.Request{Rcpt: 1}, "r1 asked to be deleted; changes: r1"},
		{0, engine.Request{Rcpt: 2}, "r2 asked to be deleted; changes: r2"},
		{9 * vt.Second, wake{}, ""},
		{9 * vt.Second, engine.Pull{}, "to sender 0: changes from 1 on: r3 r1"},
		{9 * vt.Second, engine.Got{UpTo: 2}, ""},
		{10 * vt.Second, again{}, ""},
		{10 * vt.Second, engine.Pull{UpTo: 2}, "to sender 0: changes from 3 on: r2"},
		{10 * vt.Second, wake{}, ""},
		{10 * vt.Second, roletest.Done(false), ""},
		{10 * vt.Second, engine.Pull{UpTo: 1}, "to sender 0: changes from 3 on: r2"}, // overtaken
		{11 * vt.Second, engine.Pull{UpTo: 3}, ""},
		{11 * vt.Second, roletest.Done(true), ""},
	}, func(c *Config) { c.Push = 0 })
}

// A server that stops pushes no more.
func TestStop(t *testing.T) {
	play(t, engine.Requests, []step{
		{0, engine.Request{Rcpt: 3}, "r3 asked to be deleted; changes: r3\nto sender 0: changes from 1 on: r3"},
		{vt.Second / 2, engine.Stop{}, ""},
		{vt.Second, wake{}, ""},
	})
}

// A request to be added counts once, when its recipient has confirmed it; a question goes out again when the request
// comes again, also after a stop. A confirmation of nothing counts for nothing.
func TestConfirmation(t *testing.T) {
	ask := "to recipients 0: confirm that r3 asks to be added"
	push := "to sender 0: changes from 1 on: r3 +r3"
	play(t, engine.Requests, []step{
		{0, engine.Request{Rcpt: 3, Token: 1}, "r3 asked to be deleted; changes: r3\n" +
			"to sender 0: changes from 1 on: r3"},
		{0, engine.Got{UpTo: 1}, ""},
		{0, engine.Confirmed{Rcpt: 3, Token: 2}, ""}, // before the request
		{0, engine.Join{Rcpt: 3, Token: 2}, "r3 asked to be added, not confirmed\n" + ask},
		{0, engine.Join{Rcpt: 3, Token: 2}, ask},
		{0, engine.Request{Rcpt: 3, Token: 2}, ask}, // the token is one of a request that is known
		{0, engine.Confirmed{Rcpt: 4, Token: 2}, ""},
		{0, engine.Confirmed{Rcpt: 3, Token: 1}, ""}, // it counts already
		{vt.Second, again{}, "to sender 0: changes from 1 on: r3"},
		{vt.Second, engine.Join{Rcpt: 3, Token: 2}, ask},
		{vt.Second, engine.Confirmed{Rcpt: 3, Token: 2}, "r3 confirmed request 2; changes: +r3\n" + push},
		{vt.Second, engine.Confirmed{Rcpt: 3, Token: 2}, ""},
		{vt.Second, engine.Join{Rcpt: 3, Token: 2}, ""},
		{vt.Second, again{}, push},
		{vt.Second, engine.Join{Rcpt: 3, Token: 2}, ""},
		{vt.Second, engine.Got{UpTo: 2}, ""},
		{vt.Second, engine.Request{Rcpt: 3, Token: 1}, ""}, // late
		{vt.Second, engine.Request{Rcpt: 3, Token: 3}, "r3 asked to be deleted; changes: r3\n" +
			"to sender 0: changes from 3 on: r3"},
	})
}

// Deletions may be confirmed too.
func TestConfirmedDeletion(t *testing.T) {
	play(t, engine.Requests, []step{
		{0, engine.Request{Rcpt: 3, Token: 1}, "r3 asked to be deleted, not confirmed\n" +
			"to recipients 0: confirm that r3 asks to be deleted"},
		{0, engine.Confirmed{Rcpt: 3, Token: 1}, "r3 confirmed request 1; changes: r3\n" +
			"to sender 0: changes from 1 on: r3"},
	}, func(c *Config) { c.ConfirmDelete = true })
}

// A letter that asks for nothing changes nothing; one that asks for both deletes.
func TestLetters(t *testing.T) {
	play(t, engine.Requests, []step{
		{0, engine.Letter{Rcpt: 3, Token: 1, Text: "I am away until Monday.\n> unsubscribe"}, ""},
		{0, engine.Letter{Rcpt: 3, Token: 2, Text: "Unsubscribe!\nI do not want to subscribe."},
			"r3 asked to be deleted; changes: r3\nto sender 0: changes from 1 on: r3"},
		{0, engine.Letter{Rcpt: 3, Token: 2, Text: "Unsubscribe!"}, ""},
		{0, engine.Letter{Rcpt: 3, Token: 3, Text: "subscribe"}, "r3 asked to be added, not confirmed\n" +
			"to recipients 0: confirm that r3 asks to be added"},
	})
}

func TestWords(t *testing.T) {
	words := []string{"delete", "unsubscribe", "opt-out", "abbestellen", "Löschen"}
	for text, want := range map[string]bool{
		"":                                 false,
		"delete":                           true,
		"DELETE":                           true,
		"Please unSubscribe me, thank you": true,
		"undeleted":                        false,
		"deleted":                          false,
		"unsubscribe-me":                   true,
		"(unsubscribe)":                    true,
		"I opt  out.":                      true,
		"opt-out":                          true,
		"out, opt":                         false,
		"LÖSCHEN":                          true,
		"Lo\u0308schen":                    false, // letter and mark make one word, and another one than is configured
		"gelöscht":                         false,
		"> unsubscribe":                    false,
		"  > unsubscribe":                  false,
		"> 1\r\n\r\n> 2\r\nunsubscribe":    true,
		"1\n2\n3\n4\nunsubscribe":          true,
		"1\n2\n3\n4\n5\nunsubscribe":       false,
		"1\n\n>\n2\n3\n\n4\n\nunsubscribe": true, // lines that do not count
		"Hello\n-- \nunsubscribe here":     false,
		"Hello\n--unsubscribe":             true,
		"delete\r\n":                       true,
		"de\nlete":                         false,
	} {
		if got := Asks(text, words); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
	if Asks("delete", nil) {
		t.Error("a letter asks with a word of none")
	}
}

func TestValidate(t *testing.T) {
	c := Config{Soft: -1, Delete: []string{"delete", ""}, Add: []string{"..."}, Push: -1}
	text := fmt.Sprint(c.Validate())
	for _, want := range []string{"hard: got 0, want at least 1", "soft: got -1", `delete[1]: got ""`,
		`add[0]: got "..."`, "push", "batch"} {
		if !strings.Contains(text, want) {
			t.Errorf("got %v, want a problem with %q", text, want)
		}
	}
	if strings.Contains(text, "delete[0]") {
		t.Errorf("got %v, want nothing about a good word", text)
	}
}
