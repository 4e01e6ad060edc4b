package journal

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"flyball/engine"
	"flyball/internal/durable"
	"flyball/internal/longtest"
	"flyball/internal/mail"
	"flyball/internal/vt"
)

var mailing = ID{1, 2, 3}

// entries returns n entries of a mailing, of which many have the content of a real one.
func entries(n int) (all []Entry) {
	a, b := engine.Address{Role: engine.Sender}, engine.Address{Role: engine.Remote, Server: 1}
	for i := range n {
		r := mail.Recipient(i / 3)
		e := Entry{At: vt.Time(i) * vt.Time(vt.Second), Role: b}
		switch i % 3 {
		case 0:
			e.Fact = engine.Intent{Rcpt: r, Boot: 1 << 63}
		case 1:
			e.Fact = engine.Dotted{Rcpt: r}
		default:
			e.Fact = engine.Outcome{Rcpt: r, Status: mail.Done, Due: vt.Never}
		}
		if i%7 == 6 {
			e.Role, e.Fact = a, engine.Imported{First: uint64(i), Outcomes: strings.Repeat("r1234", 150)}
		}
		all = append(all, e)
	}
	return all
}

func equal(a, b []Entry) bool { return slices.Equal(a, b) }

// Each type of fact comes back as it was, with every field, and its bytes never change: journals on disks have them.
func TestEntries(t *testing.T) {
	var all []byte
	for i, f := range kinds {
		if f == nil {
			continue
		}
		v := reflect.New(reflect.TypeOf(f)).Elem()
		n := 0
		fill(v, &n)
		want := Entry{At: -1, Role: engine.Address{Role: engine.Requests, Server: 65535}}
		want.Fact = v.Interface().(engine.Fact)
		b := appendEntry(nil, want)
		all = append(all, b...)
		got, rest, err := readEntry(append(b, 7))
		if err != nil || got != want || !bytes.Equal(rest, []byte{7}) {
			t.Errorf("type %d: got %+v, %v and %v, want %+v", i, got, rest, err, want)
		}
		for cut := range b {
			if _, _, err := readEntry(b[:cut]); err == nil {
				t.Errorf("type %d: %d of %d bytes are an entry", i, cut, len(b))
			}
		}
	}
	const digest = 0x44d9c4a89c71df8e
	if got := engine.DigestOf(string(all)); got != digest {
		t.Errorf("got digest %#x, want %#x: a type of facts has changed, want another type for another meaning", got,
			uint64(digest))
	}
}

// fill sets every field to another value.
func fill(v reflect.Value, n *int) {
	*n++
	switch {
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	case v.CanInt():
		v.SetInt(int64(-*n))
	case v.CanUint():
		v.SetUint(uint64(200 + *n))
		if v.Uint() == 0 || v.OverflowUint(uint64(200+*n)) {
			v.SetUint(uint64(*n))
		}
	case v.CanFloat():
		v.SetFloat(float64(*n) + 0.5)
	default:
		v.SetString(fmt.Sprintf("text %d\x00", *n))
	}
}

// play writes entries in three processes, and returns how many were written and how many are durable. One of a few
// records is synced.
func play(d *strict, all []Entry, written, durable *int) error {
	j, err := Create(d, mailing)
	for process := range 3 {
		if err != nil {
			return err
		}
		for range 4 {
			n := 1 + *written%3
			if _, err = j.Write(all[*written : *written+n]); err != nil {
				return failStop(d, j, err)
			}
			if *written += n; *written%2 == 0 {
				if _, err = j.Sync(); err != nil {
					return failStop(d, j, err)
				}
				*durable = *written
			}
		}
		if process == 2 {
			if err = j.Close(); err == nil {
				*durable = *written
			}
			return err
		}
		var c Contents
		before := *written
		j, c, err = Open(d, mailing)
		if err == nil {
			if *durable = before; !equal(c.Entries, all[:before]) || c.Torn != 0 || c.Epoch != uint32(process+2) {
				return fmt.Errorf("process %d: got %d entries and %d bytes torn, epoch %d", process+2, len(c.Entries),
					c.Torn, c.Epoch)
			}
		}
	}
	return nil
}

// failStop checks that nothing reaches the disk after an error.
func failStop(d *strict, j *Journal, err error) error {
	steps := d.steps
	_, w := j.Write(entries(1))
	_, s := j.Sync()
	if w == nil || s == nil || j.Err() == nil || d.steps != steps {
		return fmt.Errorf("after %v a record is written: %v, %v", err, w, s)
	}
	return err
}

// At every step the power may be lost, the process be killed or the disk fail. What is found then has everything that
// was durable, nothing that was not written, and is the same when it is read again, also if the recovery stops.
func TestRecovery(t *testing.T) {
	all := entries(40)
	tried := 0
	check := func(what string, d *strict, written, durable int) {
		t.Helper()
		tried++
		_, c, err := Open(d, mailing)
		if errors.Is(err, ErrMissing) || err == nil && len(c.Entries) == 0 && durable == 0 {
			if durable > 0 {
				t.Errorf("%s: got none, want %d entries", what, durable)
			}
			return
		}
		if n := len(c.Entries); err != nil || n < durable || n > written || !equal(c.Entries, all[:n]) {
			t.Fatalf("%s: got %d entries and %v, want %d to %d", what, len(c.Entries), err, durable, written)
		}
		_, again, err := Open(d, mailing)
		if err != nil || !equal(c.Entries, again.Entries) || again.Torn > 0 {
			t.Fatalf("%s: read twice: got %d entries, %d bytes torn and %v, want %d", what, len(again.Entries),
				again.Torn, err, len(c.Entries))
		}
	}
	for _, failure := range []error{nil, syscall.EIO, syscall.ENOSPC} {
		for at := 1; ; at++ {
			d := newStrict()
			d.at, d.failure = at, failure
			written, durable := 0, 0
			var err error
			d.survives(func() { err = play(d, all, &written, &durable) })
			if d.steps < at {
				if err != nil || written < 18 || durable != written {
					t.Fatalf("with nothing wrong: %d written, %d durable, %v", written, durable, err)
				}
				break
			}
			for i, found := range append(d.afterLoss(), d.afterKill()) {
				files := map[string][]byte{}
				for name, n := range found.names {
					files[name] = n.data
				}
				what := fmt.Sprintf("%v at step %d, disk %d", failure, at, i)
				check(what, found, written+3, durable)
				for second := 1; longtest.Asked() || i%5 == 0; second++ { // the recovery stops too
					d := with(files)
					d.at = second
					if d.survives(func() { Open(d, mailing) }) {
						break
					}
					for k, found := range append(d.afterLoss(), d.afterKill()) {
						check(fmt.Sprintf("%s, then step %d, disk %d", what, second, k), found, written+3, durable)
					}
				}
			}
		}
	}
	t.Logf("%d disks", tried)
}

// Reserved room holds zeros, which do not count as a torn end while the journal is open or after kill -9. What is
// written replaces them, and Close cuts them off.
func TestRoomThatIsNotUsed(t *testing.T) {
	dir := t.TempDir()
	d := durable.Files(dir)
	j, err := Create(d, mailing)
	if err != nil {
		t.Fatal(err)
	}
	size := func() int64 {
		info, err := os.Stat(filepath.Join(dir, fileName(1)))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	for n := 1; n <= 3; n++ {
		if err := j.Reserve(int64(n) * chunk); err != nil {
			t.Fatal(err)
		}
		if _, err := j.Write(entries(7)); err != nil {
			t.Fatal(err)
		}
		c, err := Read(d, mailing)
		if err != nil || c.Torn > 0 || len(c.Entries) != 7*n {
			t.Errorf("got %v, %d bytes torn and %d entries, want %d and no torn end", err, c.Torn, len(c.Entries), 7*n)
		}
		if runtime.GOOS == "linux" && size() < int64(n)*chunk {
			t.Skipf("%d bytes: this file system reserves no room", size())
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if size() != j.size {
		t.Errorf("got a file of %d bytes, want %d", size(), j.size)
	}
}

// A write that is not whole is an error, and the disk says so before.
func TestRoom(t *testing.T) {
	d := newStrict()
	j, err := Create(d, mailing)
	if err != nil {
		t.Fatal(err)
	}
	d.reserve = syscall.ENOSPC
	if err := j.Reserve(100); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want no space", err)
	}
	if _, err := j.Write(entries(1)); err != nil {
		t.Errorf("what is under way is not written: %v", err)
	}
	d.reserve = nil
	if err := j.Reserve(100); err != nil {
		t.Errorf("got %v, want room", err)
	}
	d.reserve = syscall.ENOSPC
	if err := j.Reserve(100); err != nil {
		t.Errorf("got %v, want the room that is reserved already", err)
	}
	j.file = short{j.file}
	if _, err := j.Write(entries(1)); err == nil || j.Err() == nil {
		t.Error("a short write is no error")
	}
}

type short struct{ durable.Growing }

func (f short) Write(p []byte) (int, error) { return f.Growing.Write(p[:len(p)-1]) }

// A journal is refused by another mailing, and by a second one where a journal is expected not to be.
func TestOther(t *testing.T) {
	d := durable.Files(t.TempDir())
	if _, _, err := Open(d, mailing); !errors.Is(err, ErrMissing) {
		t.Errorf("got %v, want none", err)
	}
	j, err := Create(d, mailing)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Reserve(1); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Write(entries(5)); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(d, mailing); !errors.Is(err, ErrFound) {
		t.Errorf("got %v, want one", err)
	}
	if _, _, err := Open(d, ID{}); !errors.Is(err, ErrOther) {
		t.Errorf("got %v, want the journal of another mailing", err)
	}
	if c, err := Read(d, mailing); err != nil || !equal(c.Entries, entries(5)) {
		t.Errorf("got %+v and %v", c, err)
	}
	if _, c, err := Open(d, mailing); err != nil || !equal(c.Entries, entries(5)) || c.Epoch != 2 {
		t.Errorf("got %+v and %v", c, err)
	}
	if names, _ := filepath.Glob(string(d) + "/*"); len(names) != 2 {
		t.Errorf("got %v, want a file for each process", names)
	}
}

// written are the files of a journal that three processes wrote, and the places where their records begin.
func written(t testing.TB, all []Entry) (files map[string][]byte, records map[string][]int) {
	d := newStrict()
	n, durable := 0, 0
	if err := play(d, all, &n, &durable); err != nil {
		t.Fatal(err)
	}
	files, records = map[string][]byte{}, map[string][]int{}
	for name, i := range d.names {
		files[name] = i.data
		for at := headSize; at < len(i.data); {
			records[name] = append(records[name], at)
			h, _ := readHead(i.data[at:])
			at += recordSize + h.length
		}
	}
	return files, records
}

// Whatever happens to a journal, its entries are those that were written or the first of them, or it is refused with
// its file and record. Only an end that is cut off, or whose sectors are zero, may be missing.
func TestDamage(t *testing.T) {
	all := entries(40)
	files, records := written(t, all)
	total := 0
	if c, err := Read(with(files), mailing); err != nil {
		t.Fatal(err)
	} else {
		total = len(c.Entries)
	}
	lastName := fileName(3)
	draw := rand.New(rand.NewPCG(1, 2))
	refused := map[string]int{}
	const damages = 10_000
	for i := range damages {
		name := fileName(1 + uint32(draw.IntN(3)))
		text := bytes.Clone(files[name])
		at := records[name]
		part := func(k int) []byte { // record k
			end := len(files[name])
			if k+1 < len(at) {
				end = at[k+1]
			}
			return files[name][at[k]:end]
		}
		join := func(order []int) []byte {
			b := bytes.Clone(files[name][:headSize])
			for _, k := range order {
				b = append(b, part(k)...)
			}
			return b
		}
		order := make([]int, len(at))
		for k := range order {
			order[k] = k
		}
		k := draw.IntN(len(at))
		what, end := "", false
		damaged := map[string][]byte{}
		for n, b := range files {
			damaged[n] = b
		}
		switch i % 7 {
		case 0, 1:
			what = "bits"
			for range 1 + draw.IntN(3)*(i%2) {
				text[draw.IntN(len(text))] ^= 1 << draw.IntN(8)
			}
		case 2:
			what, end = "cut", name == lastName
			text = text[:draw.IntN(len(text))]
		case 3:
			what = "doubled"
			text = join(slices.Insert(order, k, order[k]))
		case 4:
			what, end = "missing", name == lastName && k == len(at)-1
			text = join(slices.Delete(order, k, k+1))
		case 5:
			what = "reordered"
			l := (k + 1 + draw.IntN(len(at)-1)) % len(at)
			order[k], order[l] = order[l], order[k]
			text = join(order)
		default:
			what = "file"
			other := fileName(1 + uint32(draw.IntN(3)))
			if other == name {
				delete(damaged, name)
				end = name == lastName
				text = nil
			} else {
				damaged[other], text = files[name], files[other]
			}
		}
		if text != nil {
			damaged[name] = text
		}
		if reflect.DeepEqual(damaged, files) { // bits that were flipped twice
			continue
		}
		c, err := Read(with(damaged), mailing)
		var d *Damage
		switch {
		case errors.As(err, &d):
			if d.File == "" || d.Text == "" {
				t.Errorf("%s of %s: got %v, want file and record", what, name, err)
			}
			refused[what]++
		case errors.Is(err, ErrMissing) && len(damaged) == 0:
		case err != nil:
			t.Errorf("%s of %s: got %v", what, name, err)
		case !end:
			t.Errorf("%s of %s: accepted with %d entries, %d bytes torn", what, name, len(c.Entries), c.Torn)
		case len(c.Entries) > total || !equal(c.Entries, all[:len(c.Entries)]):
			t.Errorf("%s of %s: accepted with other content", what, name)
		}
	}
	for _, what := range []string{"bits", "cut", "doubled", "missing", "reordered", "file"} {
		if refused[what] < 500 {
			t.Errorf("%s: %d are refused, want hundreds", what, refused[what])
		}
	}
	t.Logf("%d damaged journals: refused %v", damages, refused)
}

// A record with a sector that was never written is torn if it is the last one, or no record after it relied on it. One
// on which another relied is damaged.
func TestSectors(t *testing.T) {
	long := Entry{Role: engine.Address{Role: engine.Sender}}
	long.Fact = engine.Imported{Outcomes: strings.Repeat("long", 1000)}
	for _, synced := range []bool{false, true} {
		d := newStrict()
		j, err := Create(d, mailing)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if synced || i == 0 {
				j.Sync()
			}
			if _, err := j.Write([]Entry{long}); err != nil {
				t.Fatal(err)
			}
		}
		text := d.names[fileName(1)].data
		size := (len(text) - headSize) / 3
		for record := range 3 {
			damaged := bytes.Clone(text)
			clear(damaged[headSize+record*size:][:2*sector])
			c, err := Read(with(map[string][]byte{fileName(1): damaged}), mailing)
			if record < 2 && synced {
				if !errors.Is(err, ErrDamaged) {
					t.Errorf("synced, record %d: got %d entries and %v, want damage", record+1, len(c.Entries), err)
				}
			} else if err != nil || len(c.Entries) != record || c.Torn != (3-record)*size {
				t.Errorf("synced %v, record %d: got %d entries, %d bytes torn and %v, want %d and %d", synced, record+1,
					len(c.Entries), c.Torn, err, record, (3-record)*size)
			}
		}
	}
}

// The first bytes of a text choose what to do with a good journal, the rest replaces some of it.
func FuzzRead(f *testing.F) {
	all := entries(40)
	files, records := written(f, all)
	name := fileName(3)
	for _, at := range records[name] {
		f.Add(uint16(at), uint16(3), []byte("abc"))
	}
	f.Add(uint16(0), uint16(0), files[name])
	f.Fuzz(func(t *testing.T, at, drop uint16, put []byte) {
		text := bytes.Clone(files[name])
		from := min(int(at), len(text))
		text = slices.Replace(text, from, min(from+int(drop), len(text)), put...)
		damaged := map[string][]byte{fileName(1): files[fileName(1)], fileName(2): files[fileName(2)], name: text}
		c, err := Read(with(damaged), mailing)
		if err == nil && !(len(c.Entries) <= len(all) && equal(c.Entries, all[:len(c.Entries)])) {
			t.Errorf("accepted with other content: %d entries", len(c.Entries))
		}
	})
}

func FuzzEntry(f *testing.F) {
	for _, e := range entries(8) {
		f.Add(appendEntry(nil, e))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, _, err := readEntry(b)
		if err != nil {
			return
		}
		once := appendEntry(nil, e)
		again, rest, err := readEntry(once)
		if err != nil || len(rest) > 0 || !bytes.Equal(appendEntry(nil, again), once) {
			t.Errorf("got %+v, %v and %v, want %+v", again, rest, err, e)
		}
	})
}
