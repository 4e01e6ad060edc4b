package draft

import (
	"slices"

	"flyball/internal/conf"
)

// Provider is a mailbox provider with what is published about its treatment of senders.
type Provider struct {
	Name   string
	Also   []string // other names, and brands whose mail it receives
	Share  Fact     // of a consumer list, in percent
	Facts  []Fact   // further keys of a destination
	Secret []Fact   // keys of which no value is published: the file has them as comments
}

// Fact is a key of a destination with its value and where the value is from. A source
// begins with published, derived or assumed.
type Fact struct {
	Key    string
	Value  string // as TOML
	Source string
}

const (
	mapp    = "of consumer lists, 2019 (Mapp Global Provider Report, 170 million messages; read as an excerpt)"
	shaping = "KumoMTA's shaping file (August 2026)"
	spared  = "derived: " + shaping + "; the server keeps to it"
)

// providers holds what is published by and about providers. Where only the limit is
// known that careful senders keep to, the receiver is assumed to refuse at twice that
// limit, as in the built-in scenario providers.
var providers = []Provider{
	{Name: "gmail", Also: []string{"google", "googlemail", "gmail.com"},
		Share: Fact{"share", "50.1", "published: US share " + mapp + "; DE 15.3, FR 26.9, UK 33"},
		Facts: []Fact{
			{"cap", "10", "derived: twice the 5 of " + shaping + "; Google publishes no number"},
			{"messages_per_connection", "50", spared},
		},
		Secret: []Fact{
			{"throttle", `{ soft = "60000/h", hard = "120000/h" }`,
				"assumed: the reply is published (421 4.7.28, unusual rate), the rate is not"},
			{"reputation", "{ per_refusal = 0.0001, per_dead = 0.001 }", "assumed: no provider publishes it"},
		}},
	{Name: "outlook", Also: []string{"microsoft", "hotmail", "live", "msn", "outlook.com"},
		Share: Fact{"share", "12.4", "published: US share " + mapp + "; FR 25.9, UK 23"},
		Facts: []Fact{
			{"cap", "500", "published: Outlook.com's postmaster policies (June 2026), at the same time; careful " +
				"senders keep to 5 (KumoMTA)"},
			{"messages_per_connection", "50", spared},
		},
		Secret: []Fact{
			{"throttle", `{ soft = "30000/h", hard = "60000/h" }`,
				"assumed: the replies are published (421 RP-001, 451 4.7.500), the rate is not"},
			{"reputation", "{ per_refusal = 0.0001, per_dead = 0.001 }", "assumed: no provider publishes it"},
		}},
	{Name: "yahoo", Also: []string{"aol", "verizon", "yahoo.com"},
		Share: Fact{"share", "22.6", "published: US share of Yahoo with AOL " + mapp + "; UK 18"},
		Facts: []Fact{
			{"cap", "20", "derived: twice the default of 10 in " + shaping + "; Yahoo publishes no number"},
			{"messages_per_connection", "20", "published: Yahoo closes the connection after 20 (help page SLN3433, " +
				"read as an excerpt)"},
		}},
	{Name: "icloud", Also: []string{"apple", "me.com", "icloud.com"},
		Share: Fact{"share", "1.6", "published: US share " + mapp + "; UK 4"},
		Facts: []Fact{
			{"cap", "20", "derived: twice the 10 of " + shaping},
			{"messages_per_connection", "5", spared},
		}},
	{Name: "comcast", Also: []string{"xfinity", "comcast.net"},
		Share: Fact{"share", "2", "published: US share " + mapp},
		Facts: []Fact{
			{"cap", "25", "published: Comcast's postmaster pages, from one address (undated, read as an excerpt)"},
			{"messages_per_connection", "1000", "derived: " + shaping + ", which has it from Comcast"},
		}},
	{Name: "gmx", Also: []string{"web.de", "ionos", "mail.com", "gmx.net"},
		Share: Fact{"share", "39.9", "published: German share of GMX with WEB.DE " + mapp},
		Facts: []Fact{
			{"cap", "8", "derived: twice the 4 of " + shaping},
			{"messages_per_connection", "20", spared},
		}},
	{Name: "t-online", Also: []string{"telekom", "t-online.de"},
		Share: Fact{"share", "11.9", "published: German share " + mapp},
		Facts: []Fact{
			{"cap", "20", "assumed: twice the default of 10 in " + shaping + "; no number was found"},
		}},
	{Name: "orange", Also: []string{"wanadoo", "orange.fr"},
		Share: Fact{"share", "17.8", "published: French share " + mapp},
		Facts: []Fact{
			{"cap", "2", "published: postmaster.orange.fr (May 2026, read as an excerpt), from one address"},
			{"messages_per_connection", "100", "published: postmaster.orange.fr (May 2026, read as an excerpt)"},
		}},
}

// others stands for the many small domains that make up the rest of a list.
var others = Provider{Name: "others", Facts: []Fact{
	{"greylist", `{ share = 0.08, delay = "5m" }`, "assumed: 8 % of domains; Postgrey's default"},
}}

// Providers returns the names of the providers whose facts are known.
func Providers() []string {
	var all []string
	for _, p := range providers {
		all = append(all, p.Name)
	}
	return all
}

// providerNamed returns the provider with a name, or one without facts. The hint names
// the known provider of which name is a likely misspelling; empty if there is none.
func providerNamed(name string) (p Provider, hint string) {
	known := []string{others.Name}
	for _, p := range append(slices.Clone(providers), others) {
		if p.Name == name || slices.Contains(p.Also, name) {
			return p, ""
		}
		known = append(append(known, p.Name), p.Also...)
	}
	return Provider{Name: name}, conf.DidYouMean(name, known)
}
