package netmodel

import (
	"slices"

	"flyball/internal/mail"
	"flyball/internal/vt"
	"flyball/netmodel/config"
	"flyball/netmodel/delay"
)

// campaign is a prepared config.Campaign.
type campaign struct {
	size                  int64        // bytes, of all messages
	sizes                 *delay.Table // in microseconds for bytes; nil: all messages have one size
	domain, account, pool int
}

// ends returns where the campaigns end.
func ends(c config.Config) (all []mail.Recipient) {
	for _, v := range c.Campaigns {
		all = append(all, v.End)
	}
	return all
}

// campaigns returns the prepared campaigns, at least one, and the numbers of their sending
// domains and accounts.
func campaigns(c config.Config, tables delay.Tables) (all []campaign, domains, accounts int) {
	byDomain, byAccount := map[string]int{}, map[string]int{}
	number := func(name string, known map[string]int) int {
		if _, ok := known[name]; !ok {
			known[name] = len(known)
		}
		return known[name]
	}
	pools := pools(c)
	for _, v := range c.Campaigns {
		p := campaign{size: int64(v.Size), domain: number(v.Domain, byDomain), account: number(v.Account, byAccount),
			pool: slices.Index(pools, v.Pool)}
		if c.SizeSigma > 0 {
			p.sizes = tables.Of(delay.Dist{Dist: "lognormal", Median: vt.Span(v.Size) * vt.Microsecond,
				Sigma: c.SizeSigma})
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		return []campaign{{size: int64(c.Size)}}, 1, 1
	}
	return all, len(byDomain), len(byAccount)
}

// largest is the largest message.
const largest = 1 << 30

// sizes returns a size for each number of times that a message may make the window of a
// fresh connection grow; one size if all messages are alike.
func sizes(c config.Config) (all []int64) {
	alike := c.SizeSigma == 0
	for _, v := range c.Campaigns {
		alike = alike && v.Size == c.Size
	}
	if alike {
		return []int64{int64(c.Size)}
	}
	for grown := range mail.Doublings(largest) + 1 {
		size := int64(1)
		for mail.Doublings(size) < grown {
			size *= 2
		}
		all = append(all, size)
	}
	return all
}

// campaignOf returns the campaign of a recipient.
func (net *Network) campaignOf(to mail.Recipient) *campaign {
	for i, end := range net.ends {
		if to < end {
			return &net.campaigns[i]
		}
	}
	return &net.campaigns[len(net.campaigns)-1]
}

// Size returns the size of a recipient's message, in bytes.
func (net *Network) Size(to mail.Recipient) int64 {
	c := net.campaignOf(to)
	if c.sizes == nil {
		return c.size
	}
	word, _, _, _ := net.key.Words(uint64(to), 0, purposeSize)
	return min(max(int64(c.sizes.At(word)/vt.Microsecond), 1), largest)
}
