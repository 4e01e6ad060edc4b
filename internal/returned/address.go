package returned

import "strings"

// inLocal and inDomain report whether a byte may stand in a local part or in a domain of an address in a text. Letters
// beyond ASCII may, quotes and blanks may not.
func inLocal(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80 ||
		strings.IndexByte("!#$%&'*+/=?^_.{|}~`-", c) >= 0
}

func inDomain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= 0x80 || c == '.' || c == '-'
}

// find returns where the next address in a text from a place on begins and ends, or -1.
func find(s string, from int) (begin, end int) {
	const most = 320
	for at := from; ; {
		i := strings.IndexByte(s[at:], '@')
		if i < 0 {
			return -1, -1
		}
		at += i
		begin, end = at, at+1
		for begin > from && inLocal(s[begin-1]) && at-begin < most {
			begin--
		}
		for end < len(s) && inDomain(s[end]) && end-at < most {
			end++
		}
		if i := strings.Index(s[at:end], ".."); i >= 0 { // "ann@there.example...User unknown"
			end = at + i
		}
		for end > at+1 && (s[end-1] == '.' || s[end-1] == '-') {
			end--
		}
		if begin < at && end > at+1 {
			return begin, end
		}
		at++
	}
}

// without returns a text with each address replaced.
func without(s, by string) string {
	var out strings.Builder
	done := 0
	for {
		begin, end := find(s, done)
		if begin < 0 {
			return out.String() + s[done:]
		}
		out.WriteString(s[done:begin])
		out.WriteString(by)
		done = end
	}
}

// addressesIn returns the addresses in a text, at most mostRecipients.
func addressesIn(s string) (all []string) {
	for at := 0; len(all) < mostRecipients; {
		begin, end := find(s, at)
		if begin < 0 {
			break
		}
		all = append(all, bare(s[begin:end]))
		at = end
	}
	return all
}

// bare returns an address without what texts put around it.
func bare(s string) string { return strings.TrimPrefix(strings.Trim(s, ".'=*`"), "mailto:") }

func firstAddress(s string) string {
	if begin, end := find(s, 0); begin >= 0 {
		return bare(s[begin:end])
	}
	return ""
}
