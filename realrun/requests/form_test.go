package requests

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/internal/durable"
)

// later lets time pass.
func (h *harness) later(d time.Duration) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.at = h.at.Add(d)
}

// fill fills in the form as a person does, from a network, and returns the answer.
func (h *harness) fill(address, ask string, from string, more ...string) (code int, page string) {
	h.t.Helper()
	_, page = h.ask("GET", "/u/", "", "")
	v := url.Values{"stamp": {regexp.MustCompile(`name="stamp" value="(\w+)"`).FindStringSubmatch(page)[1]},
		"address": {address}, "website": {""}, "ask": {ask}}
	for i := 0; i < len(more); i += 2 {
		v.Set(more[i], more[i+1])
	}
	h.later(3 * time.Second)
	return h.ask("POST", "/u/", form, v.Encode(), "X-Forwarded-For", "203.0.113.99, "+from)
}

func (h *harness) members() string {
	h.t.Helper()
	added, deleted, err := Members(h.dir + "/form")
	if err != nil {
		h.t.Fatal(err)
	}
	return fmt.Sprint(added, deleted)
}

// An address is added when its owner has confirmed it by the button of the page that the mail leads to; a look at the
// page, as programs take, confirms nothing. All is there after a stop.
func TestDoubleOptIn(t *testing.T) {
	h := start(t, nil)
	if code, page := h.fill("Ann@there.example", "add", "192.0.2.1"); code != 200 ||
		!strings.Contains(page, "Look into your mail") {
		t.Fatalf("got %d\n%s", code, page)
	}
	h.wants("asked form /0 Ann@there.example")
	path := h.linkTo("Ann@there.example")
	for range 10 {
		if code, page := h.ask("GET", path, "", ""); code != 200 || !strings.Contains(page, "Yes, subscribe") {
			t.Fatalf("got %d\n%s", code, page)
		}
	}
	if got := h.members(); got != "[] []" {
		t.Errorf("before the confirmation: %s", got)
	}
	for range 3 {
		if code, _ := h.ask("POST", path, form, "confirm=yes"); code != 200 {
			t.Errorf("got %d", code)
		}
	}
	h.wants("returned click /0 Ann@there.example")
	if got := h.members(); got != "[Ann@there.example] []" {
		t.Errorf("after it: %s", got)
	}
	h.later(24 * time.Hour)
	if code, _ := h.fill("ann@THERE.example", "delete", "192.0.2.1"); code != 200 {
		t.Errorf("got %d", code)
	}
	h.wants("asked form /0 ann@there.example")
	if got := h.members(); got != "[Ann@there.example] []" {
		t.Errorf("before the confirmation: %s", got)
	}
	if code, _ := h.ask("POST", h.linkTo("ann@there.example"), form, "confirm=yes"); code != 200 {
		t.Errorf("got %d", code)
	}
	h.wants("left click /0 Ann@there.example")
	h.end()
	f, err := OpenForm(h.dir + "/form")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := h.members(); got != "[] [Ann@there.example]" || f.address(Job{Key: f.Key}, 0) != "Ann@there.example" {
		t.Errorf("after a stop: %s", got)
	}
}

// A client that has confirmations sent to others comes to the end of a budget: one for an address, 20 for
// a network, 1,000 in all on a day. The answer is the same all the time, also to who has confirmed, and after a stop
// the
// budget is as before.
func TestBudgets(t *testing.T) {
	h := start(t, func(c *Config) { c.PerNetwork, c.PerDay = 5, 12 })
	_, want := h.fill("first@there.example", "add", "192.0.2.1")
	h.idle()
	h.ask("POST", h.linkTo("first@there.example"), form, "confirm=yes")
	send := func(n int, from string) {
		for i := range n {
			if code, page := h.fill(fmt.Sprintf("a%d.%s@there.example", i, strings.ReplaceAll(from, ":", "-")), "add",
				from); code != 200 || page != want {
				t.Errorf("got %d\n%s", code, page)
			}
		}
		h.idle()
	}
	if _, page := h.fill("first@there.example", "add", "192.0.2.1"); page != want { // again
		t.Errorf("got another page\n%s", page)
	}
	h.idle()
	if n := len(h.mails); n != 1 || len(h.mails["first@there.example"]) != 1 {
		t.Errorf("%d mails, want one to one address", n)
	}
	send(10, "192.0.2.77")      // of the same network
	send(10, "2001:db8::1")     // of another
	send(1, "2001:db8:0:ff::2") // of that
	if n := len(h.mails); n != 10 {
		t.Errorf("%d mails, want 5 of each of two networks", n)
	}
	send(10, "198.51.100.1")
	if n := len(h.mails); n != 12 {
		t.Errorf("%d mails, want 12 in all", n)
	}
	h.end()
	var err error
	if h.cfg.Form, err = OpenForm(h.dir + "/form"); err != nil {
		t.Fatal(err)
	}
	defer h.cfg.Form.Close()
	s, err := New(h.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if why := s.budget.spend(&s.cfg, noon, "new@there.example", "203.0.113.0/24"); why != "all" {
		t.Errorf("after a stop: %q, want the day's budget to be spent", why)
	}
	if why := s.budget.spend(&s.cfg, noon.Add(24*time.Hour), "new@there.example", "203.0.113.0/24"); why != "" {
		t.Errorf("the next day: %q", why)
	}
	for i := range 20 { // the clock is set back by a day
		why := s.budget.spend(&s.cfg, noon, fmt.Sprintf("n%d@there.example", i), "203.0.113.0/24")
		if (why == "") != (i < 5) {
			t.Errorf("after the clock was set back, mail %d of a network: %q, want five", i, why)
		}
	}
}

// Programs fill in all fields, or at once, or send an old form again and again.
func TestProgramsThatFillInForms(t *testing.T) {
	h := start(t, nil)
	_, want := h.fill("ann@there.example", "add", "192.0.2.1")
	h.wants("asked form /0 ann@there.example")
	if code, page := h.fill("bob@there.example", "add", "192.0.2.1", "website", "x"); code != 200 || page != want {
		t.Errorf("got %d\n%s", code, page)
	}
	h.wants("dropped form bob@there.example")
	_, page := h.ask("GET", "/u/", "", "")
	stamp := regexp.MustCompile(`name="stamp" value="(\w+)"`).FindStringSubmatch(page)[1]
	post := func(stamp, address, ask string) int {
		code, _ := h.ask("POST", "/u/", form, url.Values{"stamp": {stamp}, "address": {address}, "ask": {ask}}.Encode())
		return code
	}
	const bob = "bob@there.example"
	h.later(time.Second)
	for _, v := range []struct{ stamp, address, ask string }{{stamp, bob, "add"}, {"", bob, "add"}, {stamp, bob, ""},
		{strings.Repeat("a", len(stamp)), bob, "add"}, {h.ticket('f', 0, 0), bob, "add"}} {
		if code := post(v.stamp, v.address, v.ask); code != 400 {
			t.Errorf("%q: got %d, want 400", v, code)
		}
	}
	h.later(time.Second)
	for _, bad := range []string{"", "bob", "bob@", "bob@there.example,eve@there.example",
		"bob@there.example\r\nBcc: e@x",
		strings.Repeat("b", 300) + "@there.example"} {
		if code := post(stamp, bad, "add"); code != 400 {
			t.Errorf("%q: got %d, want 400", bad, code)
		}
	}
	h.later(25 * time.Hour)
	if code := post(stamp, bob, "add"); code != 400 {
		t.Errorf("an old form: got %d, want 400", code)
	}
	h.idle()
	if len(h.mails) != 1 {
		t.Errorf("mailed %v, want one mail", h.mails)
	}
	h.wants("")
}

// A mail that cannot be handed over is an event, and the request waits.
func TestUnsent(t *testing.T) {
	h := start(t, func(c *Config) { c.PerAddress = 2 })
	h.fails = errors.New("no server")
	h.fill("ann@there.example", "add", "192.0.2.1")
	h.wants("asked form /0 ann@there.example, unsent form ann@there.example")
	h.lock.Lock()
	h.fails = nil
	h.lock.Unlock()
	h.fill("ann@there.example", "add", "192.0.2.1")
	h.wants("asked form /0 ann@there.example")
}

// What a stop leaves of the file is taken up, and any other damage is refused.
func TestFormFile(t *testing.T) {
	dir := t.TempDir()
	f, err := OpenForm(dir)
	if err != nil {
		t.Fatal(err)
	}
	key := f.Key
	for i := range 3 {
		if n, err := f.add(request{At: noon, Address: fmt.Sprintf("a%d@x.example", i)}); err != nil || int(n) != i {
			t.Fatal(n, err)
		}
	}
	f.Close()
	name := filepath.Join(dir, "addresses")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, text[:len(text)-7], 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err = OpenForm(dir); err != nil || f.Key != key || !slices.Equal(f.names, []string{"a0@x.example",
		"a1@x.example"}) {
		t.Fatalf("torn at the end: %v, %v", f.names, err)
	}
	if _, err := OpenForm(dir); !errors.Is(err, durable.ErrLocked) {
		t.Errorf("two servers: %v", err)
	}
	f.Close()
	text[len(text)/2] ^= 1
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenForm(dir); !errors.Is(err, durable.ErrDamaged) {
		t.Errorf("damaged: %v", err)
	}
}

func TestNetworks(t *testing.T) {
	for at, want := range map[string]string{"192.0.2.77": "192.0.2.0/24", "::ffff:192.0.2.77": "192.0.2.0/24",
		"2001:db8:1:2ff:3::4": "2001:db8:1:200::/56", "fe80::1%eth0": "fe80::/56"} {
		if got := network(netip.MustParseAddr(at)); got != want {
			t.Errorf("%s: got %s, want %s", at, got, want)
		}
	}
	if got := network(netip.Addr{}); got != "unknown" {
		t.Errorf("got %s", got)
	}
}

func TestValidate(t *testing.T) {
	bad := Config{Name: "ü", Delete: []string{"!"}, Replies: []string{"x"}, Confirm: true,
		Jobs: []Job{{Name: "a"}, {Name: "b"}}}
	errs := bad.Validate()
	text := fmt.Sprint(errors.Join(errs...))
	for _, want := range []string{"expire: ", "undo: ", "agree: ", "per_address: ", "per_network: ", "per_day: ",
		"size: ",
		"connections: ", "timeout: ", "name: ", "delete[0]: ", "replies[0]: ", `job "b": `, "form and confirm: "} {
		if !strings.Contains(text, want) {
			t.Errorf("got %s, want %s too", text, want)
		}
	}
	good := Default()
	if errs := good.Validate(); errs != nil {
		t.Error(errs)
	}
}
