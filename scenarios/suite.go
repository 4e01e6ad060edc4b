package scenarios

// Trial is a built-in scenario with some of its values changed.
type Trial struct {
	Name string
	Set  []string // path.to.key=value
}

// Suite lists the scenarios that governor laws are compared on by default: six
// networks, from a clear path to a resolver that answers late. Their lists are
// shortened so that 180 pairs of runs of all of them take less than a minute on
// two cores.
func Suite() []Trial {
	return []Trial{
		{Name: "quickstart"},
		{Name: "long-run"},
		{Name: "two-distances", Set: []string{"campaign[0].recipients=400000"}},
		{Name: "throttling-provider", Set: []string{"campaign[0].recipients=150000"}},
		{Name: "slow-dns", Set: []string{"campaign[0].recipients=400000"}},
		{Name: "greylist", Set: []string{"campaign[0].recipients=300000"}},
	}
}
