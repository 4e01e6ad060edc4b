package verify

import ("testing";"fmt";"math")

func TestTmp(t *testing.T) {
	z := map[string]float64{}
	sq := map[string]float64{}
	var names []string
	out := 0
	const seeds = 10
	for seed := uint64(101); seed < 101+seeds; seed++ {
		rows, err := Run(Options{Seed: seed, Workers: 2})
		if err != nil { t.Fatal(err) }
		for _, r := range rows {
			if !r.Inside { out++; fmt.Println("OUTSIDE", seed, r) }
			if r.Judge != Interval { continue }
			n := r.Model+"/"+r.Quantity
			if seed == 101 { names = append(names, n) }
			v := float64(r.Simulated-r.Exact)/float64(r.HalfWidth)*4.36
			z[n] += v; sq[n] += v*v
		}
	}
	for _, n := range names { fmt.Printf("%-55s meanz*sqrt(n) %6.2f rms %5.2f\n", n, z[n]/math.Sqrt(seeds), math.Sqrt(sq[n]/seeds)) }
	fmt.Println("outside", out)
}
