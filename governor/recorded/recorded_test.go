package recorded_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"flyball/governor"
	"flyball/governor/recorded"
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
		"semicolons":          "hours;delivered;allocated_mean\n3;420000;140\n1.5;0;0.25\n",
		"separator named":     "sep=\t\r\nhours\tdelivered\tallocated_mean\r\n3\t420000\t140\r\n1.5\t0\t0.25\r\n",
		"old line ends":       strings.ReplaceAll(header+"3,420000,140\n1.5,0,0.25\n", "\n", "\r"),
		"floats, capitals":    "Hours,DELIVERED,Allocated_Mean\n3.0,420000.0,140.00\n1.50,0.0,0.250\n",
		"comments":            "# b1\n" + header + "# day 1\n3,420000,140\n1.5,0,0.25\n",
		"other order, extra columns, quotes": "host,allocated_mean,note,hours,delivered,note\n" +
			"b1,140,\"a, b\",3,\"420000\",x\nb1,2.5e-1,,1.5,0,\n",
	} {
		got, err := recorded.Read(strings.NewReader(text), "log.csv")
		if err != nil || !slices.Equal(got.Samples, want) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

// Optional measurements are read if the file has them; partial rows do not become
// samples.
func TestReadSamplesReadsWhatWasMeasured(t *testing.T) {
	got, err := recorded.Read(strings.NewReader("server,hours,delivered,allocated_mean,partial,attempts,retries,"+
		"deferrals,bounces,refusals,timeouts,attempt_s,lookup_s,hops,demand_mean,load\n"+
		"b1,3,7,1.5,false,19,2,3,4,1,5,0.57,0.000000001,12.25,200,0.5\n"+
		" b1 ,3,7,1.5,,,,,,,,,,,,\n"+
		"b1,1e-9,1,1.5,true,1,,,,,,,,,,\n"), "log.csv")
	want := []governor.Sample{
		{Span: 3 * vt.Hour, Delivered: 7, Allocated: 1.5, Attempts: 19, Retries: 2, Deferrals: 3, Bounces: 4,
			Refusals: 1, Timeouts: 5,
			AttemptTime: 570 * vt.Millisecond, LookupTime: 1, Hops: 12.25, Demand: 200, Load: 0.5},
		{Span: 3 * vt.Hour, Delivered: 7, Allocated: 1.5},
	}
	if err != nil || got.Lacking != nil || !slices.Equal(got.Samples, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
	got, err = recorded.Read(strings.NewReader("hours,delivered,allocated_mean,attempts,attempt_s,load\n"+
		"3,7,1.5,8,1,0\n"), "log.csv")
	if want := strings.Fields("retries deferrals bounces refusals timeouts lookup_s hops demand_mean"); err != nil ||
		!slices.Equal(got.Lacking, want) {
		t.Errorf("lacking %q, %v, want %q", got.Lacking, err, want)
	}
	for law, want := range map[string]string{"aimd": "refusals timeouts", "regulator": "timeouts", "gradient2": "",
		"corr-vegas": "", "pi": "", "": ""} {
		if got := governor.Unseen(law, got.Lacking); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: unseen %q, want %q", law, got, want)
		}
	}
}

// 0.57 x 3600 s is 2052 s, though not in binary.
func TestReadSamplesRoundsToTheNanosecond(t *testing.T) {
	got, err := recorded.Read(strings.NewReader(header+"0.57,1,1\n"), "log.csv")
	if err != nil || got.Samples[0].Span != 2052*vt.Second {
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
		{"empty file", "", []string{"log.csv:1:1: file is empty, want a header with hours, delivered, allocated_mean"}},
		{"blank lines only", "\n\n", []string{"log.csv:1:1: file is empty, want a header with hours, delivered, " +
			"allocated_mean"}},
		{"no data row", header, []string{"log.csv:1:1: no data row (got only a header, want at least one row)"}},
		{"no header", "3,420000,140\n", []string{
			`log.csv:1:1: header lacks hours, delivered, allocated_mean, it begins with ["3" "420000" "140"]`,
		}},
		{"missing column", "\nhours,delivered\n3,1\n", []string{
			`log.csv:2:1: header lacks allocated_mean, it begins with ["hours" "delivered"]`}},
		{"duplicate column", "hours,delivered,hours,allocated_mean\n3,1,3,1\n", []string{
			"log.csv:1:17: header names columns 1 and 3 both \"hours\", whatever the case: want one column hours"}},
		{"two problems in a header", "hours,delivered,hours\n", []string{
			"log.csv:1:17: header names columns 1 and 3 both \"hours\", whatever the case: want one column hours",
			`log.csv:1:1: header lacks allocated_mean, it begins with ["hours" "delivered" "hours"]`}},
		{"too few fields", header + "3,420000\n", []string{"log.csv:2:1: fields: got 2, want 3 as in the header"}},
		{"too many fields", header + "3,420000,140,1\n",
			[]string{"log.csv:2:1: fields: got 4, want 3 as in the header"}},
		{"hours zero", header + "0,420000,140\n", []string{`log.csv:2:1: bad hours (got "0"` + hours}},
		{"hours negative", header + "-3,420000,140\n", []string{`log.csv:2:1: bad hours (got "-3"` + hours}},
		{"hours NaN", header + "NaN,420000,140\n", []string{`log.csv:2:1: bad hours (got "NaN"` + hours}},
		{"hours infinite", header + "inf,420000,140\n", []string{`log.csv:2:1: bad hours (got "inf"` + hours}},
		{"hours too large", header + "1e300,420000,140\n", []string{`log.csv:2:1: bad hours (got "1e300"` + hours}},
		{"hours below a nanosecond", header + "1e-16,420000,140\n",
			[]string{`log.csv:2:1: bad hours (got "1e-16"` + hours}},
		{"hours with unit", header + "3h,420000,140\n", []string{`log.csv:2:1: bad hours (got "3h"` + hours}},
		{"hours empty", header + ",420000,140\n", []string{`log.csv:2:1: bad hours (got ""` + hours}},
		{"delivered negative", header + "3,-1,140\n", []string{`log.csv:2:3: bad delivered (got "-1"` + delivered}},
		{"delivered broken", header + "3,1.5,140\n", []string{`log.csv:2:3: bad delivered (got "1.5"` + delivered}},
		{"delivered exponent", header + "3,1e5,140\n", []string{`log.csv:2:3: bad delivered (got "1e5"` + delivered}},
		{"delivered beyond 64 bits", header + "3,18446744073709551616,140\n",
			[]string{`log.csv:2:3: bad delivered (got "18446744073709551616"` + delivered}},
		{"delivered beyond the bound", header + "3,1000000000001,140\n",
			[]string{`log.csv:2:3: bad delivered (got "1000000000001"` + delivered}},
		{"delivered grouped", header + "3,\"420,000\",140\n",
			[]string{`log.csv:2:3: bad delivered (got "420,000", want a whole number, 0 to 1000000000000: with a ` +
				`decimal point, and nothing between thousands)`}},
		{"allocated negative", header + "3,420000,-0.1\n", []string{`log.csv:2:10: bad allocated_mean (got "-0.1"` +
			allocated}},
		{"allocated infinite", header + "3,420000,+Inf\n", []string{`log.csv:2:10: bad allocated_mean (got "+Inf"` +
			allocated}},
		{"allocated NaN", header + "3,420000,nan\n", []string{`log.csv:2:10: bad allocated_mean (got "nan"` +
			allocated}},
		{"allocated a word", header + "3,420000,all\n", []string{`log.csv:2:10: bad allocated_mean (got "all"` +
			allocated}},
		{"attempts broken", "hours,delivered,allocated_mean,attempts\n3,1,1,1.5\n",
			[]string{`log.csv:2:7: bad attempts (got "1.5"` + delivered}},
		{"attempts twice", "hours,delivered,allocated_mean,attempts,attempts\n3,1,1,1,1\n", []string{
			"log.csv:1:41: header names columns 4 and 5 both \"attempts\", whatever the case: " +
				"want one column attempts"}},
		{"attempt time negative", "hours,delivered,allocated_mean,attempt_s\n3,1,1,-1\n", []string{
			`log.csv:2:7: bad attempt_s (got "-1", want a number, 0 to 100000000)`}},
		{"load in percent", "hours,delivered,allocated_mean,load\n3,1,1,50\n",
			[]string{`log.csv:2:7: bad load (got "50", want a number, 0 to 1)`}},
		{"partial a number", "hours,delivered,allocated_mean,partial\n3,1,1,1\n",
			[]string{`log.csv:2:7: bad partial (got "1", want true or false)`}},
		{"nothing whole", "hours,delivered,allocated_mean,partial\n0,1,1,true\n", []string{
			"log.csv:2:1: no whole interval (got only rows that are partial, want at least one that is not)"}},
		{"two servers", "server,hours,delivered,allocated_mean\nb1,3,1,1\nb2,3,1,x\nb3,3,1,1\n", []string{
			`log.csv:3:1: second server (got "b2", but "b1" in line 2, want one server: keep the rows of one)`,
			`log.csv:3:8: bad allocated_mean (got "x"` + allocated}},
		{"stray quote", header + "3,42\"0000,140\n3,1,x\n", []string{
			`log.csv:2:5: quote in an unquoted field, want the field in quotes and this quote doubled`}},
		{"open quote", header + "3,1,1\n3,\"42,140\n3,1,1\n", []string{
			`log.csv:3:3: quote is not closed before the end of the file`}},
		{"malformed header", "hours,del\"ivered\n", []string{
			`log.csv:1:10: quote in an unquoted field, want the field in quotes and this quote doubled`}},
		{"decimal comma", "hours;delivered;allocated_mean\n3;120000;40,5\n", []string{
			`log.csv:2:10: bad allocated_mean (got "40,5", want a number, 0 to 1000000000: with a decimal point, and ` +
				`nothing between thousands)`}},
		{"thousands with points", header + "3,120.000,40\n", []string{
			`log.csv:2:3: bad delivered (got "120.000", want a whole number, 0 to 1000000000000: with a decimal ` +
				`point, and nothing between thousands)`}},
		{"UTF-16", "\xff\xfeh\x00", []string{`log.csv:1:1: file is UTF-16 (it begins with ff fe), want CSV as UTF-8 ` +
			`text (a spreadsheet writes it as "CSV UTF-8")`}},
		{"more delivered than attempts", "hours,delivered,allocated_mean,attempts\n3,120000,40,110000\n", []string{
			"log.csv:2:3: impossible interval (got 120000 delivered in 110000 attempts, want at most as many)"}},
		{"no attempts, yet deliveries", "hours,delivered,allocated_mean,attempts\n3,1,40,0\n", []string{
			"log.csv:2:3: impossible interval (got 1 delivered in 0 attempts, want at most as many)"}},
		{"more ends than attempts", "hours,delivered,allocated_mean,attempts,deferrals,bounces,timeouts\n" +
			"3,5,1,10,2,2,2\n3,5,1,11,2,2,2\n", []string{
			"log.csv:2:7: impossible interval (got 10 attempts, want at least the 11 that were delivered, deferred, " +
				"bounced or timed out)"}},
		{"more retries than attempts", "hours,delivered,allocated_mean,attempts,retries\n3,5,1,10,11\n3,5,1,10,10\n",
			[]string{
				"log.csv:2:10: impossible interval (got 11 retries in 10 attempts, want at most as many)"}},
		{"more refusals than deferrals",
			"hours,delivered,allocated_mean,deferrals,refusals\n3,5,1,2,3\n3,5,1,3,3\n3,5,1,,3\n", []string{
				"log.csv:2:9: impossible interval (got 3 refusals among 2 deferrals, want at most as many)"}},
		{"number again", "interval,hours,delivered,allocated_mean\n4,3,1,1\n5,3,1,1\n5,3,1,1\n", []string{
			"log.csv:4:1: interval 5 again (got it in line 3 too, want 6)"}},
		{"number before", "interval,hours,delivered,allocated_mean\n4,3,1,1\n2,3,1,1\n3,3,1,1\n", []string{
			"log.csv:3:1: interval 2 out of order (got it after 4 in line 2, want 5)"}},
		{"number with a fraction", "interval,hours,delivered,allocated_mean\n4.5,3,1,1\n",
			[]string{`log.csv:2:1: bad interval (got "4.5"` + delivered}},
		{"end again", "t_end_s,hours,delivered,allocated_mean\n7200,1,1,1\n7200,1,1,1\n", []string{
			"log.csv:3:1: interval again (got t_end_s = 7200 in line 2 too, want 10800)"}},
		{"end before", "t_end_s,hours,delivered,allocated_mean\n7200,1,1,1\n3600,1,1,1\n", []string{
			"log.csv:3:1: interval out of order (got t_end_s = 3600 after 7200 in line 2, want 10800)"}},
		{"overlap", "t_end_s,hours,delivered,allocated_mean\n7200,1,1,1\n9000,1,1,1\n", []string{
			"log.csv:3:1: interval overlaps the one of line 2 (got t_end_s = 9000, want 10800: 7200 plus the hours " +
				"of this one)"}},
		{"all at once", "delivered,hours,x,allocated_mean\n5,3,,1\n-5,0,,-1\n5,3\n\n5,x,\"two\nlines\",1\n5,3,,1\n",
			[]string{
				`log.csv:3:4: bad hours (got "0"` + hours,
				`log.csv:3:1: bad delivered (got "-5"` + delivered,
				`log.csv:3:7: bad allocated_mean (got "-1"` + allocated,
				"log.csv:4:1: fields: got 2, want 4 as in the header",
				`log.csv:6:3: bad hours (got "x"` + hours}},
	} {
		got, err := recorded.Read(strings.NewReader(v.text), "log.csv")
		if want := strings.Join(v.want, "\n"); err == nil || err.Error() != want || got.Samples != nil {
			t.Errorf("%s: got %d samples and\n%v\nwant\n%s", v.name, len(got.Samples), err, want)
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
		if got, err := recorded.Read(r, "log.csv"); !errors.Is(err, broken) || got.Samples != nil {
			t.Errorf("after %q: %v, %v", text, got, err)
		}
	}
}

// Missing intervals between two rows are reported with their numbers; rounding
// does not count as a gap.
func TestGaps(t *testing.T) {
	for _, v := range []struct {
		name, text string
		want       []string
	}{
		{"none", "interval,t_end_s,hours,delivered,allocated_mean\n7,36000,1,1,1\n8,39600,1,1,1\n9,43200,1,1,1\n", nil},
		{"rounded to seconds and per cent",
			"t_end_s,hours,delivered,allocated_mean\n100,0.0083,1,1\n130,0.0083,1,1\n3730,1,1,1\n7366,1,1,1\n" +
				"10930,1,1,1\n", nil},
		{"numbers", "interval,hours,delivered,allocated_mean\n4,3,1,1\n9,3,1,1\n10,3,1,1\n12,3,1,1\n", []string{
			"log.csv:3:1: interval 9 follows 4 in line 2: 4 missing",
			"log.csv:5:1: interval 12 follows 10 in line 4: 1 missing"}},
		{"ends", "hours,delivered,allocated_mean,t_end_s\n1,1,1,3600\n1,1,1,14400\n", []string{
			"log.csv:3:7: interval begins 7200 s after the one of line 2 ended, at t_end_s = 3600"}},
		{"both are one", "interval,t_end_s,hours,delivered,allocated_mean\n1,3600,1,1,1\n3,10800,1,1,1\n" +
			"4,21600,1,1,1\n", []string{
			"log.csv:3:1: interval 3 follows 1 in line 2: 1 missing",
			"log.csv:4:3: interval begins 7200 s after the one of line 3 ended, at t_end_s = 10800"}},
		{"unknown numbers", "interval,hours,delivered,allocated_mean\n4,3,1,1\n,3,1,1\n9,3,1,1\n", nil},
		{"partial rows count", "interval,hours,delivered,allocated_mean,partial\n4,3,1,1,false\n5,1,1,1,TRUE\n" +
			"6,3,1,1,FALSE\n", nil},
	} {
		got, err := recorded.Read(strings.NewReader(v.text), "log.csv")
		if err != nil || !slices.Equal(got.Gaps, v.want) {
			t.Errorf("%s: got %q, %v\nwant %q", v.name, got.Gaps, err, v.want)
		}
	}
}

// A file with a problem in every row is not read to its end.
func TestManyProblemsAreEnough(t *testing.T) {
	_, err := recorded.Read(strings.NewReader(header+strings.Repeat("x,1,1\n", 10_000)), "log.csv")
	if err == nil || strings.Count(err.Error(), "\n") != 50 ||
		!strings.HasSuffix(err.Error(), "log.csv:51:1: too many problems, the rest of the file is not read") {
		t.Error(err)
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
	read, err := recorded.Read(strings.NewReader(log), "log.csv")
	if err != nil {
		t.Fatal(err)
	}
	samples := read.Samples
	c := governor.Default()
	c.Law, c.Start = "patent-damped", 200
	decisions, err := recorded.Replay(c, samples)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := recorded.Write(&out, samples, decisions); err != nil {
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
	again, err := recorded.Read(&out, "out.csv")
	if err != nil {
		t.Fatal(err)
	}
	samples[5].Allocated = 1000.123457
	if !slices.Equal(again.Samples, samples) {
		t.Errorf("read back %+v, want %+v", again, samples)
	}
}

func TestWriteCSVReportsABrokenWriter(t *testing.T) {
	full := errors.New("disk full")
	err := recorded.Write(writer(func([]byte) (int, error) { return 0, full }), nil, nil)
	if !errors.Is(err, full) {
		t.Error(err)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// A replay equals the decisions of the governor on each sample in turn.
func TestReplayIsDecideInTurn(t *testing.T) {
	samples := []governor.Sample{{Span: 3 * vt.Hour, Delivered: 300000, Allocated: 100},
		{Span: 3 * vt.Hour, Allocated: 100}, {Span: 3 * vt.Hour},
		{Span: 3 * vt.Hour, Delivered: 900000, Allocated: 120}}
	decisions, err := recorded.Replay(governor.Default(), samples)
	if err != nil {
		t.Fatal(err)
	}
	g, err := governor.New(governor.Default())
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range samples {
		d := g.Decide(s)
		if d.Available != decisions[i].Available || d.Step != decisions[i].Step || d.Flags != decisions[i].Flags ||
			math.IsNaN(d.Available) {
			t.Errorf("interval %d: %+v, replayed %+v", i, d, decisions[i])
		}
	}
}
