package lists

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/cmd/flyball/internal/kept"
	"flyball/cmd/flyball/internal/task"
	"flyball/internal/mail"
	"flyball/realrun/journal"
	"flyball/realrun/requests"
	"flyball/storage"
)

// Who leaves by the server for requests of one mailing gets none of the later ones of the list, until the recipient
// returns; each change is taken once.
func TestTakeRequests(t *testing.T) {
	dir := t.TempDir()
	state, place := filepath.Join(dir, "state"), "sqlite:"+filepath.Join(dir, "lists.db")
	st, err := kept.Open(state, false, "", journal.ID{1}, "receivers of a test")
	if err != nil {
		t.Fatal(err)
	}
	own := st.Own()
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	s, _, err := task.OpenStore(t.Context(), place, true)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	id, err := s.BeginJob(t.Context(), storage.Job{Mailing: own.Name(), List: "news"})
	if err != nil {
		t.Fatal(err)
	}
	ann := mail.Address{Local: "ann", Domain: "x.example"}
	take := func(want string, out bool) {
		t.Helper()
		q := Take{Place: place, Mailings: []string{state}}
		words, err := q.Do(t.Context())
		if err != nil || len(words) != 1 || !strings.HasSuffix(words[0], want) {
			t.Errorf("got %q, %v, want %s", words, err, want)
		}
		for _, name := range []string{"news", "shop"} {
			set, err := s.SuppressedIn(t.Context(), name)
			if err != nil || set.Has(ann) != (out && name == "news") {
				t.Errorf("%s: suppressed %v, %v", name, set.Has(ann), err)
			}
		}
	}
	take("0 of them new", false)
	f, err := requests.OpenFolder(kept.Requests(state), own.Secret, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	changes := func(change func(context.Context, mail.Recipient) (bool, error)) {
		t.Helper()
		if changed, err := change(t.Context(), 3); err != nil || !changed {
			t.Fatal(changed, err)
		}
	}
	changes(f.Leave)
	q := Take{Place: place, Mailings: []string{state}}
	if _, err := q.Do(t.Context()); err == nil || !strings.Contains(err.Error(), "is not there in the history") {
		t.Errorf("the history lacks the recipient: %v", err)
	}
	if err := s.Record(t.Context(), id, []storage.Outcome{{Place: 3, To: ann, Outcome: "delivered"}}); err != nil {
		t.Fatal(err)
	}
	take("1 of them new", true)
	take("0 of them new", true)
	changes(f.Return)
	take("1 of them new", false)
	changes(f.Leave)
	changes(f.Return)
	changes(f.Leave)
	take("3 of them new", true)
	if err := os.WriteFile(filepath.Join(kept.Requests(state), "facts-00000001"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Do(t.Context()); err == nil {
		t.Error("a damaged folder was read")
	}
}
