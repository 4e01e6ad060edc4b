package sites

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"

	"flyball/cmd/flyball/internal/task"
	"flyball/engine"
	"flyball/realrun/response"
	"flyball/reports/format"
	"flyball/site"
)

// Responses are what response servers have counted of a mailing.
type Responses struct {
	Job      engine.Job `json:"job"`
	Opens    Tally      `json:"opens"`
	Openers  int        `json:"openers"` // recipients with an open by a human
	Clicks   Tally      `json:"clicks"`
	Clickers int        `json:"clickers"` // recipients with a click by a human
	Links    []Tally    `json:"links"`    // clicks by link, that of link 1 first
	Trapped  int        `json:"trapped"`  // clicks on a link that people do not see
	Unjudged int        `json:"unjudged"` // responses of the last seconds, which may be a human's or a machine's

	opened, clicked map[uint32]bool // recipients
}

// Tally is how many responses are by humans, and how many by machines.
type Tally struct {
	Human   int `json:"human"`
	Machine int `json:"machine"`
}

func (t *Tally) add(human bool) {
	if human {
		t.Human++
	} else {
		t.Machine++
	}
}

// responses returns what the response servers have counted whose folders are on this computer. They may be running.
func (s *Site) responses() ([]Responses, error) {
	of := map[engine.Job]*Responses{}
	for _, v := range s.Of(site.Response) {
		err := response.Read(v.Folder, func(j response.Judged) {
			job, err := strconv.ParseUint(j.Response.Job, 10, 32)
			if err != nil {
				return // a server of another kind wrote it
			}
			r := of[engine.Job(job)]
			if r == nil {
				r = &Responses{Job: engine.Job(job), Links: []Tally{}, opened: map[uint32]bool{},
					clicked: map[uint32]bool{}}
				of[r.Job] = r
			}
			r.count(j)
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, task.Unusable(v.Name(), err)
		}
	}
	all := []Responses{}
	for _, job := range slices.Sorted(maps.Keys(of)) {
		r := of[job]
		r.Openers, r.Clickers = len(r.opened), len(r.clicked)
		all = append(all, *r)
	}
	return all, nil
}

// count counts a response.
func (r *Responses) count(j response.Judged) {
	human, of := j.Verdict.Human, j.Response
	switch {
	case j.Verdict.Number == 0:
		r.Unjudged++
	case of.Kind == "open":
		if r.Opens.add(human); human {
			r.opened[of.Rcpt] = true
		}
	default:
		if r.Clicks.add(human); human {
			r.clicked[of.Rcpt] = true
		}
		if of.Link == 0 {
			r.Trapped++
			return
		}
		for len(r.Links) < int(of.Link) {
			r.Links = append(r.Links, Tally{})
		}
		r.Links[of.Link-1].add(human)
	}
}

// responsesTable has the responses for people.
func (s *Status) responsesTable() *format.Table {
	t := &format.Table{Caption: "Responses:", Left: 1, Head: []string{"mailing", "opens by humans", "by machines",
		"recipients", "clicks by humans", "by machines", "recipients", "not judged yet"}}
	for _, r := range s.Responses {
		row := []string{fmt.Sprint(r.Job)}
		for _, n := range []int{r.Opens.Human, r.Opens.Machine, r.Openers, r.Clicks.Human, r.Clicks.Machine, r.Clickers,
			r.Unjudged} {
			row = append(row, fmt.Sprint(n))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
