package mailing

import (
	"bytes"

	"flyball/internal/list"
	"flyball/internal/mail"
	"flyball/realrun/message"
	"flyball/scenarios"
)

// Proof is the message of one row of a list, which is not sent.
type Proof struct {
	Line    int // of the row
	To      mail.Address
	Network string         // whose master it is; empty: the master of all
	Message []byte         // until the next Proof, and not signed
	Signed  func() []byte  // returns the message as the signer of the source signs it
	Blocks  map[string]int // rows so far that get each block of a master, by its condition
}

// Letter reads the letter of src, without a list. The scenario, which may be nil, has the destinations that variants
// name.
func Letter(s *scenarios.Scenario, src Source) (*message.Template, error) { return src.letter(s) }

// Prove reads the list of src and calls each for the message of every row that could be mailed, in order, and reject
// for every other row, with the reason. Nothing is sent, so any domain will do. Without a scenario, which may be nil,
// all rows get the first master. Errors have the form name:line:col: message, or are those of each and reject.
func Prove(s *scenarios.Scenario, src Source, letter *message.Template, each func(Proof) error,
	reject func(list.Reject) error) (list.Count, error) {
	domains := (*scenarios.Domains)(nil)
	if s != nil {
		var err error
		if _, domains, err = (Source{}).places(s); err != nil {
			return list.Count{}, err
		}
	}
	run := message.NewRun(src.Key, src.Date)
	p := Proof{Blocks: map[string]int{}}
	var all *message.Renderer
	next := mail.Recipient(0)
	return list.Read(src.List, src.ListName, list.Options{
		AllowDomain: func(string) bool { return true },
		FoldCase:    src.FoldCase,
		Header: func(columns []string) ([]int, error) {
			if _, err := letter.Bind(columns); err != nil { // an error names all columns
				return nil, err
			}
			use, names := letter.Uses(columns)
			var err error
			all, err = letter.Bind(names)
			return use, err
		},
		Check: func(row list.Row) (err error) {
			p.Line, p.To, p.Network = row.Line, row.Address, ""
			if s != nil {
				to, ok := domains.Find(row.Address.Domain)
				if !ok {
					return stranger(s, row.Address)
				}
				p.Network = s.Destinations[to].Name
			}
			master := all.For(p.Network)
			if master == all {
				p.Network = ""
			}
			p.Signed = func() []byte {
				if src.Signer == nil {
					return bytes.Clone(p.Message)
				}
				return src.Signer.Sign(bytes.Clone(p.Message), 0, master, run)
			}
			m := message.Meta{To: row.Address, Recipient: next, Run: run}
			if p.Message, err = master.Render(p.Message[:0], row.Fields, m); err != nil {
				return err
			}
			master.Blocks(row.Fields, m, func(condition string, holds bool) {
				if holds {
					p.Blocks[condition]++
				} else {
					p.Blocks[condition] += 0
				}
			})
			return nil
		},
	}, func(list.Row) error {
		next++
		return each(p)
	}, reject)
}
