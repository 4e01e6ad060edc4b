package storage

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"flyball/internal/mail"
)

// Changes of a source are taken once, in the order of their numbers, however often and in what pieces they come.
func TestTake(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		s := open(t, p)
		const n = 60
		var all []Change
		want := map[string]bool{}
		r := rand.New(rand.NewPCG(1, 2))
		for range n {
			who := fmt.Sprintf("p%d@x.example", r.IntN(8))
			join := r.IntN(2) == 0
			all = append(all, Change{To: address(t, who), Why: Asked, Join: join})
			want[who] = !join
		}
		follows, err := s.Suppressed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		have := uint64(0)
		for have < n {
			first := uint64(r.IntN(n) + 1)
			end := min(n, first-1+uint64(r.IntN(12)))
			upTo, err := s.Take(t.Context(), "d1", first, all[first-1:end])
			switch {
			case first > have+1:
				if !errors.Is(err, ErrGap) {
					t.Fatalf("from %d after %d: %v", first, have, err)
				}
				continue
			case err != nil || upTo != max(have, end):
				t.Fatalf("%d to %d after %d: got %d, %v", first, end, have, upTo, err)
			}
			have = upTo
			if err := s.update(t.Context(), s.db, follows, ""); err != nil {
				t.Fatal(err)
			}
		}
		if upTo, err := s.Taken(t.Context(), "d1"); err != nil || upTo != n {
			t.Errorf("%d, %v", upTo, err)
		}
		fresh, err := s.Suppressed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for who, is := range want {
			if a := address(t, who); fresh.Has(a) != is || follows.Has(a) != is {
				t.Errorf("%s: suppressed %v, for who follows %v, want %v", who, fresh.Has(a), follows.Has(a), is)
			}
		}
	})
}

// A person undoes what the person has asked for, and nothing else; another source has numbers of its own.
func TestReasons(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		s := open(t, p)
		ann, bob, cid := address(t, "ann@x.example"), address(t, "bob@x.example"), address(t, "cid@x.example")
		dan, eve := address(t, "dan@x.example"), address(t, "eve@x.example")
		if _, err := s.Suppress(t.Context(), entries(t, "dan@x.example")); err != nil {
			t.Fatal(err)
		}
		take := func(source string, first uint64, all ...Change) {
			t.Helper()
			if upTo, err := s.Take(t.Context(), source, first, all); err != nil || upTo != first+uint64(len(all))-1 {
				t.Fatalf("%d, %v", upTo, err)
			}
		}
		take("d1", 1, Change{To: ann, Why: Asked}, Change{To: bob, Why: Asked}, Change{To: dan, Why: Asked},
			Change{To: eve, Why: Asked})
		take("c1", 1, Change{To: bob, Why: Complain}, Change{To: cid, Why: Dead})
		if _, err := s.Forget(t.Context(), eve); err != nil {
			t.Fatal(err)
		}
		var joins []Change
		for _, who := range []string{"ANN", "bob", "cid", "dan", "eve"} {
			joins = append(joins, Change{To: address(t, who+"@x.example"), Join: true})
		}
		follows, err := s.Suppressed(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		take("d1", 5, joins...)
		check := func(annToo bool) {
			t.Helper()
			if err := s.update(t.Context(), s.db, follows, ""); err != nil {
				t.Fatal(err)
			}
			for i, a := range joins {
				if got, want := follows.Has(a.To), i > 0 || annToo; got != want {
					t.Errorf("%s is suppressed: %v", a.To, got)
				}
			}
		}
		check(false)
		if added, err := s.Suppress(t.Context(), entries(t, "ann@x.example")); err != nil || added != 1 {
			t.Errorf("%d, %v", added, err)
		}
		check(true)
		take("d1", 10, Change{To: ann, Join: true}) // an operator has suppressed the person since
		check(true)
		if _, err := s.Forget(t.Context(), ann); err != nil {
			t.Fatal(err)
		}
		check(true)
		for _, bad := range []Change{{To: ann}, {To: ann, Why: "x"}} {
			if _, err := s.Take(t.Context(), "d1", 11, []Change{{To: ann, Why: Asked}, bad}); err == nil {
				t.Errorf("%+v was taken", bad)
			}
		}
		if _, err := s.Take(t.Context(), "d1", 0, nil); err == nil {
			t.Error("changes from 0 on were taken")
		}
		if upTo, err := s.Taken(t.Context(), "d1"); err != nil || upTo != 10 {
			t.Errorf("%d, %v", upTo, err)
		}
	})
}

// Who leaves one list gets mail of the others; who complains or is dead gets none of any.
func TestChangesOfOneList(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		s := open(t, p)
		ann, bob, cid := address(t, "ann@x.example"), address(t, "bob@x.example"), address(t, "cid@x.example")
		sets := map[string]*Suppressed{}
		for _, name := range []string{"", "news", "shop"} {
			v, err := s.SuppressedIn(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			sets[name] = v
		}
		first := uint64(1)
		check := func(want string, all ...Change) {
			t.Helper()
			upTo, err := s.Take(t.Context(), "d1", first, all)
			if err != nil {
				t.Fatal(err)
			}
			first = upTo + 1
			got := ""
			for _, name := range []string{"", "news", "shop"} {
				if err := s.update(t.Context(), s.db, sets[name], ""); err != nil {
					t.Fatal(err)
				}
				fresh, err := s.SuppressedIn(t.Context(), name)
				if err != nil {
					t.Fatal(err)
				}
				got += name + ":"
				for _, a := range []mail.Address{ann, bob, cid} {
					if fresh.Has(a) != sets[name].Has(a) {
						t.Errorf("%s: %s: who follows has another set", name, a)
					}
					if fresh.Has(a) {
						got += a.Local
					}
				}
			}
			if got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		check(":news:annshop:", Change{To: ann, Why: Asked, List: "news"})
		check(":bobcidnews:annbobcidshop:bobcid", Change{To: bob, Why: Dead, List: "news"},
			Change{To: cid, Why: Complain, List: "shop"})
		check(":bobcidnews:annbobcidshop:annbobcid", Change{To: ann, Why: Asked, List: "shop"},
			Change{To: bob, Why: Asked, List: "news"})
		check(":bobcidnews:bobcidshop:annbobcid", Change{To: ann, Join: true, List: "news"},
			Change{To: bob, Join: true, List: "news"}, Change{To: cid, Join: true})
		if _, err := s.Take(t.Context(), "d1", first, []Change{{To: ann, Why: Asked, List: "a b"}}); err == nil {
			t.Error("a list without a name was taken")
		}
		if _, err := s.db.Exec(`update suppression set entry = $1 where number = (select max(number) from suppression)`,
			[]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Suppressed(t.Context()); !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
	})
}

// A server that knows mailings and places, and no addresses, changes the list that the mailing was for; of a recipient
// who is not in the history, yet or any more, none of the changes is taken.
func TestChangesByPlace(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		s := open(t, p)
		id, err := s.BeginJob(t.Context(), Job{Mailing: "mailing 1", List: "news"})
		if err != nil {
			t.Fatal(err)
		}
		ann, bob := address(t, "ann@x.example"), address(t, "bob@x.example")
		if err := s.Record(t.Context(), id, []Outcome{{0, ann, "delivered"}, {1, bob, "delivered"}}); err != nil {
			t.Fatal(err)
		}
		of := func(place uint32, why Reason) Change { return Change{Mailing: "mailing 1", Place: place, Why: why} }
		if _, err := s.Take(t.Context(), "d1", 1, []Change{of(0, Asked), of(2, Asked)}); !errors.Is(err, ErrAbsent) {
			t.Errorf("got %v, want ErrAbsent", err)
		}
		forgotten := of(2, Asked)
		forgotten.MayLack = true
		if _, err := s.Take(t.Context(), "d1", 1, []Change{forgotten, of(0, Asked), of(1, Dead)}); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, name := range []string{"", "news", "shop"} {
			v, err := s.SuppressedIn(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			got += fmt.Sprintf("%s %v %v, ", name, v.Has(ann), v.Has(bob))
		}
		if got != " false true, news true true, shop false true, " {
			t.Error(got)
		}
	})
}

// Returned mail of a person adds up over mailings: the second message makes the address dead, and not the first one
// that comes again, from another server or under another number. What is old or forgotten counts no more.
func TestReturnedMailAddsUp(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		now := at
		s, err := Open(t.Context(), p, Config{Who: "ann@desk", Now: func() time.Time { return now }, Create: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		people := []string{"ann", "bob", "cid", "dan"}
		mailings := []string{"mailing 1", "mailing 2"}
		for _, name := range mailings {
			id, err := s.BeginJob(t.Context(), Job{Mailing: name})
			if err != nil {
				t.Fatal(err)
			}
			var all []Outcome
			for i, who := range people {
				place := (i + int(id)) % len(people) // another one in each mailing
				all = append(all, Outcome{uint32(place), address(t, who+"@x.example"), "delivered"})
			}
			if err := s.Record(t.Context(), id, all); err != nil {
				t.Fatal(err)
			}
		}
		numbers := map[string]uint64{}
		back := func(source string, mailing int, token uint64, all ...string) {
			t.Helper()
			for _, who := range all {
				place := (slices.Index(people, who) + mailing) % len(people)
				upTo, err := s.Take(t.Context(), source, numbers[source]+1, []Change{{Mailing: mailings[mailing-1],
					Place: uint32(place), MayLack: true, Why: Returned, Token: token, Hard: 2, Forget: 48 * time.Hour}})
				if err != nil {
					t.Fatal(err)
				}
				numbers[source] = upTo
			}
		}
		dead := func(want string) {
			t.Helper()
			v, err := s.Suppressed(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, who := range people {
				if v.Has(address(t, who+"@x.example")) {
					got += who
				}
			}
			if got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		const most = math.MaxUint64
		back("c1", 1, most, "ann", "bob", "cid", "dan")
		back("c1", 1, most, "ann")
		back("c2", 1, most, "bob")
		dead("")
		if _, err := s.Forget(t.Context(), address(t, "dan@x.example")); err != nil {
			t.Fatal(err)
		}
		now = now.Add(24 * time.Hour)
		back("c2", 2, most, "ann") // of another mailing
		dead("anndan")             // who is forgotten gets nothing
		now = now.Add(25 * time.Hour)
		back("c1", 2, 7, "cid") // the first one is too old
		dead("anndan")
		back("c1", 2, 8, "cid")
		dead("anncid" + "dan")
		back("c1", 2, 9, "dan")
		var n int
		who := s.hash.person(address(t, "dan@x.example"))
		err = s.db.QueryRow(`select count(*) from returned where person = $1`, who[:]).Scan(&n)
		if err != nil || n > 0 {
			t.Errorf("%d, %v: returned mail of a forgotten person is kept", n, err)
		}
		never := []Change{{To: address(t, "bob@x.example"), Why: Returned}}
		if _, err := s.Take(t.Context(), "c3", 1, never); err != nil {
			t.Fatal(err)
		}
		dead("anncid" + "dan")
	})
}

// A store of the first version keeps what it has.
func TestSecondVersion(t *testing.T) {
	both(t, func(t *testing.T, p Place) {
		all := migrations
		defer func() { migrations = all }()
		migrations = all[:1]
		s := open(t, p)
		who := s.hash.person(address(t, "ann@x.example"))
		for _, text := range []string{
			`insert into job (id, name, list, digest, began, ended, state) values (1, 'a', 'b', 'c', 1, 2, 'ended')`,
			`insert into job (id, name, list, digest, began, ended, state) values (2, 'a', 'b', 'c', 1, 2, 'ended')`,
			`insert into suppression (number, entry, forgotten, at) values (1, '` + "d" + `closed.example', 0, 1)`} {
			if _, err := s.db.Exec(text); err != nil {
				t.Fatal(err)
			}
		}
		for _, job := range []int{1, 2, 2} {
			_, err := s.db.Exec(`insert into history (person, job, at, outcome) values ($1, $2, 5, 'delivered')`,
				who[:], job)
			if err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		migrations = all
		s = open(t, p)
		if h, err := s.History(t.Context(), address(t, "ann@x.example")); err != nil || len(h) != 3 {
			t.Errorf("%+v, %v", h, err)
		}
		if v, err := s.Suppressed(t.Context()); err != nil || !v.Has(address(t, "a@closed.example")) {
			t.Error(err)
		}
	})
}
