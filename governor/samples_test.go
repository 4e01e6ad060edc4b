package governor_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"flyball/governor"
	"flyball/internal/vt"
)

const header = "hours,delivered,allocated_mean\n"

func TestReadSamples(t *testing.T) {
	want := []governor.Sample{
		{Span: 3 * vt.Hour, Delivered: 420000, Allocated: 140},
		{Span: 90 * vt.Minute, Delivered: 0, Allocated: 0.25},
	}
	for name, text := range map[string]string{
		"plain":               header + "3,420000,140\n1.5,0,0.25\n",
		"no last line end":    header + "3,420000,140\n1.5,0,0.25",
		"byte order mark":     "\ufeff" + header + "3,420000,140\n1.5,0,0.25\n",
		"DOS line ends":       strings.ReplaceAll(header+"3,420000,140\n1.5,0,0.25\n", "\n", "\r\n"),
		"blanks, empty lines": "\n hours , delivered,allocated_mean \n 3 , 420000 ,140\n\n1.5,0,0.25\n\n",
		"other order, extra columns, quotes": "host,allocated_mean,note,hours,delivered,note\n" +
			"b1,140,\"a, b\",3,\"420000\",x\nb1,2.5e-1,,1.5,0,\n",
	} {
		got, _, err := governor.ReadSamples(strings.NewReader(text), "log.csv")
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

// What a law may look at beside deliveries is read where it was written; rows
// that are partial are no samples.
func TestReadSamplesReadsWhatWasMeasured(t *testing.T) {
	got, lacking, err := governor.ReadSamples(strings.NewReader("server,hours,delivered,allocated_mean,partial,attempts,retries,deferrals,bounces,refusals,timeouts,attempt_s,lookup_s,hops,demand_mean,load\n"+
		"b1,3,7,1.5,false,11,2,3,4,1,5,0.57,0.000000001,12.25,200,0.5\n"+
		" b1 ,3,7,1.5,,,,,,,,,,,,\n"+
		"b1,1e-9,1,1.5,true,1,,,,,,,,,,\n"), "log.csv")
	want := []governor.Sample{
		{Span: 3 * vt.Hour, Delivered: 7, Allocated: 1.5, Attempts: 11, Retries: 2, Deferrals: 3, Bounces: 4, Refusals: 1, Timeouts: 5,
			AttemptTime: 570 * vt.Millisecond, LookupTime: 1, Hops: 12.25, Demand: 200, Load: 0.5},
		{Span: 3 * vt.Hour, Delivered: 7, Allocated: 1.5},
	}
	if err != nil || lacking != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, lacking %q, %v\nwant %+v", got, lacking, err, want)
	}
	_, lacking, err = governor.ReadSamples(strings.NewReader("hours,delivered,allocated_mean,attempts,attempt_s,load\n3,7,1.5,8,1,0\n"), "log.csv")
	if want := strings.Fields("retries deferrals bounces refusals timeouts lookup_s hops demand_mean"); err != nil || !slices.Equal(lacking, want) {
		t.Errorf("lacking %q, %v, want %q", lacking, err, want)
	}
	for law, want := range map[string]string{"aimd": "refusals timeouts", "regulator": "timeouts", "gradient2": "", "corr-vegas": "", "pi": "", "": ""} {
		if got := governor.Unseen(law, lacking); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: unseen %q, want %q", law, got, want)
		}
	}
}

// 0.57 x 3600 s is 2052 s, though not in binary.
func TestReadSamplesRoundsToTheNanosecond(t *testing.T) {
	got, _, err := governor.ReadSamples(strings.NewReader(header+"0.57,1,1\n"), "log.csv")
	if err != nil || got[0].Span != 2052*vt.Second {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestReadSamplesRefuses(t *testing.T) {
	const (
		hours     = ", want a number, 0.0001 to 8760)"
		delivered = ", want a whole number, 0 to 1000000000000)"
		allocated = ", want a number, 0 to 1000000000)"
	)
	for _, v := range []struct {
		name, text string
		want       []string
	}{
		{"empty file", "", []string{"log.csv:1:1: empty file (got nothing, want a header with hours, delivered, allocated_mean)"}},
		{"blank lines only", "\n\n", []string{"log.csv:1:1: empty file (got nothing, want a header with hours, delivered, allocated_mean)"}},
		{"no data row", header, []string{"log.csv:1:1: no data row (got only a header, want at least one row)"}},
		{"no header", "3,420000,140\n", []string{
			`log.csv:1:1: missing column hours (got "3,420000,140", want hours, delivered, allocated_mean)`,
			`log.csv:1:1: missing column delivered (got "3,420000,140", want hours, delivered, allocated_mean)`,
			`log.csv:1:1: missing column allocated_mean (got "3,420000,140", want hours, delivered, allocated_mean)`,
		}},
		{"missing column", "\nhours,delivered\n3,1\n", []string{
			`log.csv:2:1: missing column allocated_mean (got "hours,delivered", want hours, delivered, allocated_mean)`}},
		{"capitals", "Hours,delivered,allocated_mean\n3,1,1\n", []string{
			`log.csv:1:1: missing column hours (got "Hours,delivered,allocated_mean", want hours, delivered, allocated_mean)`}},
		{"duplicate column", "hours,delivered,hours,allocated_mean\n3,1,3,1\n", []string{
			"log.csv:1:17: duplicate column hours (got it in columns 1 and 3, want it once)"}},
		{"two problems in a header", "hours,delivered,hours\n", []string{
			"log.csv:1:17: duplicate column hours (got it in columns 1 and 3, want it once)",
			`log.csv:1:1: missing column allocated_mean (got "hours,delivered,hours", want hours, delivered, allocated_mean)`}},
		{"too few fields", header + "3,420000\n", []string{"log.csv:2:1: wrong number of fields (got 2, want 3 as in the header)"}},
		{"too many fields", header + "3,420000,140,1\n", []string{"log.csv:2:1: wrong number of fields (got 4, want 3 as in the header)"}},
		{"hours zero", header + "0,420000,140\n", []string{`log.csv:2:1: bad hours (got "0"` + hours}},
		{"hours negative", header + "-3,420000,140\n", []string{`log.csv:2:1: bad hours (got "-3"` + hours}},
		{"hours NaN", header + "NaN,420000,140\n", []string{`log.csv:2:1: bad hours (got "NaN"` + hours}},
		{"hours infinite", header + "inf,420000,140\n", []string{`log.csv:2:1: bad hours (got "inf"` + hours}},
		{"hours too large", header + "1e300,420000,140\n", []string{`log.csv:2:1: bad hours (got "1e300"` + hours}},
		{"hours below a nanosecond", header + "1e-16,420000,140\n", []string{`log.csv:2:1: bad hours (got "1e-16"` + hours}},
		{"hours with unit", header + "3h,420000,140\n", []string{`log.csv:2:1: bad hours (got "3h"` + hours}},
		{"hours empty", header + ",420000,140\n", []string{`log.csv:2:1: bad hours (got ""` + hours}},
		{"delivered negative", header + "3,-1,140\n", []string{`log.csv:2:3: bad delivered (got "-1"` + delivered}},
		{"delivered broken", header + "3,1.5,140\n", []string{`log.csv:2:3: bad delivered (got "1.5"` + delivered}},
		{"delivered exponent", header + "3,1e5,140\n", []string{`log.csv:2:3: bad delivered (got "1e5"` + delivered}},
		{"delivered beyond 64 bits", header + "3,18446744073709551616,140\n",
			[]string{`log.csv:2:3: bad delivered (got "18446744073709551616"` + delivered}},
		{"delivered beyond the bound", header + "3,1000000000001,140\n", []string{`log.csv:2:3: bad delivered (got "1000000000001"` + delivered}},
		{"delivered grouped", header + "3,\"420,000\",140\n", []string{`log.csv:2:3: bad delivered (got "420,000"` + delivered}},
		{"allocated negative", header + "3,420000,-0.1\n", []string{`log.csv:2:10: bad allocated_mean (got "-0.1"` + allocated}},
		{"allocated infinite", header + "3,420000,+Inf\n", []string{`log.csv:2:10: bad allocated_mean (got "+Inf"` + allocated}},
		{"allocated NaN", header + "3,420000,nan\n", []string{`log.csv:2:10: bad allocated_mean (got "nan"` + allocated}},
		{"allocated a word", header + "3,420000,all\n", []string{`log.csv:2:10: bad allocated_mean (got "all"` + allocated}},
		{"attempts broken", "hours,delivered,allocated_mean,attempts\n3,1,1,1.5\n", []string{`log.csv:2:7: bad attempts (got "1.5"` + delivered}},
		{"attempts twice", "hours,delivered,allocated_mean,attempts,attempts\n3,1,1,1,1\n", []string{
			"log.csv:1:41: duplicate column attempts (got it in columns 4 and 5, want it once)"}},
		{"attempt time negative", "hours,delivered,allocated_mean,attempt_s\n3,1,1,-1\n", []string{
			`log.csv:2:7: bad attempt_s (got "-1", want a number, 0 to 100000000)`}},
		{"load in percent", "hours,delivered,allocated_mean,load\n3,1,1,50\n", []string{`log.csv:2:7: bad load (got "50", want a number, 0 to 1)`}},
		{"partial a number", "hours,delivered,allocated_mean,partial\n3,1,1,1\n", []string{`log.csv:2:7: bad partial (got "1", want true or false)`}},
		{"nothing whole", "hours,delivered,allocated_mean,partial\n0,1,1,true\n", []string{
			"log.csv:1:1: no whole interval (got only rows that are partial, want at least one that is not)"}},
		{"two servers", "server,hours,delivered,allocated_mean\nb1,3,1,1\nb2,3,1,x\nb3,3,1,1\n", []string{
			`log.csv:3:1: second server (got "b2", but "b1" in line 2, want one server: keep the rows of one)`,
			`log.csv:3:8: bad allocated_mean (got "x"` + allocated}},
		{"stray quote", header + "3,42\"0000,140\n3,1,x\n", []string{
			`log.csv:2:5: malformed row (got bare " in non-quoted-field, want quotes only around whole fields)`,
			`log.csv:3:5: bad allocated_mean (got "x"` + allocated}},
		{"open quote", header + "3,1,1\n3,\"42,140\n3,1,1\n", []string{
			`log.csv:3:1: malformed row (got extraneous or missing " in quoted-field, want quotes only around whole fields)`}},
		{"malformed header", "hours,del\"ivered\n", []string{
			`log.csv:1:10: malformed row (got bare " in non-quoted-field, want quotes only around whole fields)`}},
		{"all at once", "delivered,hours,x,allocated_mean\n5,3,,1\n-5,0,,-1\n5,3\n\n5,x,\"two\nlines\",1\n5,3,,1\n", []string{
			`log.csv:3:4: bad hours (got "0"` + hours,
			`log.csv:3:1: bad delivered (got "-5"` + delivered,
			`log.csv:3:7: bad allocated_mean (got "-1"` + allocated,
			"log.csv:4:1: wrong number of fields (got 2, want 4 as in the header)",
			`log.csv:6:3: bad hours (got "x"` + hours}},
	} {
		got, _, err := governor.ReadSamples(strings.NewReader(v.text), "log.csv")
		if want := strings.Join(v.want, "\n"); err == nil || err.Error() != want || got != nil {
			t.Errorf("%s: got %d samples and\n%v\nwant\n%s", v.name, len(got), err, want)
		}
	}
}

func TestReadSamplesReportsABrokenReader(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, text := range []string{"", header, header + "3,1,1\n"} {
		r := iotest.ErrReader(broken)
		if text != "" {
			r = &join{strings.NewReader(text), r}
		}
		if got, _, err := governor.ReadSamples(r, "log.csv"); !errors.Is(err, broken) || got != nil {
			t.Errorf("after %q: %v, %v", text, got, err)
		}
	}
}

// join reads first, then second.
type join struct {
	first  *strings.Reader
	second interface{ Read([]byte) (int, error) }
}

func (j *join) Read(p []byte) (int, error) {
	if j.first.Len() > 0 {
		return j.first.Read(p)
	}
	return j.second.Read(p)
}

func TestWriteCSV(t *testing.T) {
	const log = header +
		"3,558000,186\n" + // [0068]
		"3,0,0\n" +
		"3,7,0\n" +
		"3,0,150.5\n" +
		"1.5,210000,197.9\n" +
		"3,123456789012,1000.123456789\n"
	samples, _, err := governor.ReadSamples(strings.NewReader(log), "log.csv")
	if err != nil {
		t.Fatal(err)
	}
	c := governor.Default()
	c.Law, c.Start = damped, 200
	decisions, err := governor.Replay(c, samples)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := governor.WriteCSV(&out, samples, decisions); err != nil {
		t.Fatal(err)
	}
	const want = `interval,hours,delivered,allocated_mean,rate_per_h,efficiency,utilization,available_prev,target_available,step,available,reservable,flags,next_target_per_h
0,3,558000,186,186000,1000,0.93,200,140,3,197,11,first|step-limit-down,140000
1,3,0,0,0,,0,197,,0,197,197,idle,140000
2,3,7,0,2.333333333,,0,197,0,0,197,197,idle|counted-late,140000
3,3,0,150.5,0,0,0.7639593909,197,,3,200,50,no-deliveries|step-limit-up,140000
4,1.5,210000,197.9,140000,707.4279939,0.9895,200,197.9,3,197.9,0,off-interval,140000
5,3,123456789012,1000.123457,4.1152263e+10,41147183.1,5.053680934,197.9,0.003402420031,3,194.9,0,utilization-above-1|step-limit-down,140000
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
	again, _, err := governor.ReadSamples(&out, "out.csv")
	if err != nil {
		t.Fatal(err)
	}
	samples[5].Allocated = 1000.123457
	if !slices.Equal(again, samples) {
		t.Errorf("read back %+v, want %+v", again, samples)
	}
}

func TestWriteCSVReportsABrokenWriter(t *testing.T) {
	full := errors.New("disk full")
	err := governor.WriteCSV(writer(func([]byte) (int, error) { return 0, full }), nil, nil)
	if !errors.Is(err, full) {
		t.Error(err)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// A replay is the governor itself, asked in turn.
func TestReplayIsDecideInTurn(t *testing.T) {
	samples := []governor.Sample{three(300000, 100), three(0, 100), three(0, 0), three(900000, 120)}
	decisions, err := governor.Replay(governor.Default(), samples)
	if err != nil {
		t.Fatal(err)
	}
	g, err := governor.New(governor.Default())
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range samples {
		d := g.Decide(s)
		if d.Available != decisions[i].Available || d.Step != decisions[i].Step || d.Flags != decisions[i].Flags || math.IsNaN(d.Available) {
			t.Errorf("interval %d: %+v, replayed %+v", i, d, decisions[i])
		}
	}
}
