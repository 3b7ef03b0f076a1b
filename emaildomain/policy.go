// Package emaildomain says whose e-mail addresses may own keys, by their domain.
//
//	officers, err := emaildomain.New(".gov.sg")
//	owner, err := officers.Admit("Siti@Agency.gov.sg") // "siti@agency.gov.sg"
//	owner, err = officers.Admit("siti@evilgov.sg")     // an error
//
// It reads an address more strictly than e-mail does. What two programs may read differently is a way
// in: one of them decides who it is, and another one where the mail goes.
package emaildomain

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNotAdmitted is wrapped by every error of [Policy.Admit].
var ErrNotAdmitted = errors.New("emaildomain: the address is not admitted")

var (
	errGrammar = fmt.Errorf("%w: it must be a plain address, name@domain, in ASCII", ErrNotAdmitted)
	errDomain  = fmt.Errorf("%w: its domain is not one of those allowed", ErrNotAdmitted)
)

// The lengths of RFC 5321 section 4.5.3.1 and RFC 1035 section 2.3.4, in bytes.
const (
	maxAddress = 254
	maxLocal   = 64
	maxDomain  = 253
	maxLabel   = 63
)

// A Policy admits addresses of certain domains. Make one with [New]; the zero Policy admits nobody. It
// is safe for concurrent use.
type Policy struct {
	domains []string
}

// New returns a policy that admits the addresses of the given domains. "agency.gov.sg" stands for that
// domain alone, and ".gov.sg", with a dot before it, for every domain below gov.sg, at any depth, and not
// for gov.sg itself. Case makes no difference.
//
// It fails if there is none, or if one is not a domain name of at least two labels: a policy for
// ".sg" is written as one for all of its domains only by mistake.
func New(domains ...string) (*Policy, error) {
	if len(domains) == 0 {
		return nil, errors.New("emaildomain: a policy must name a domain")
	}
	p := &Policy{}
	for i, domain := range domains {
		domain = lower(domain)
		if !validDomain(strings.TrimPrefix(domain, ".")) {
			return nil, fmt.Errorf("emaildomain: number %d of the domains must be a domain name of two labels or more, with or without a dot before it", i+1)
		}
		p.domains = append(p.domains, domain)
	}
	return p, nil
}

// Admit returns the address in the one spelling in which it should be kept and compared, which is all in
// lower case, or an error that wraps [ErrNotAdmitted] and does not repeat the address.
//
// An address is a name of letters, digits and #$&'*+-/=?^_`{|}~, with single dots between them, then
// "@" and a domain name, all in ASCII and of at most 254 bytes. So there is no display name, no comment,
// no quoted part, no address literal, no space around it, no dot at the end of the domain, and no
// internationalised domain other than in its "xn--" form, which is compared as it stands. There is no
// route to elsewhere either, as some mail servers take siti%evil.com@agency.gov.sg and
// evil.com!siti@agency.gov.sg for (Postfix calls them allow_percent_hack and swap_bangpath). Although a
// mail server may take names for different that differ in case only, none is known to.
func (p *Policy) Admit(address string) (string, error) {
	at := strings.IndexByte(address, '@')
	if at < 0 || len(address) > maxAddress || !validLocal(address[:at]) || !validDomain(address[at+1:]) {
		return "", errGrammar
	}
	address = lower(address)
	domain := address[at+1:]
	for _, allowed := range p.domains {
		if domain == allowed || allowed[0] == '.' && strings.HasSuffix(domain, allowed) {
			return address, nil
		}
	}
	return "", errDomain
}

// validLocal reports whether s is a dot-atom (RFC 5322 section 3.2.3) of a length that RFC 5321 allows,
// without the two characters that routes are made of.
func validLocal(s string) bool {
	if len(s) > maxLocal {
		return false
	}
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool {
			return !alphanumeric(r) && !strings.ContainsRune("#$&'*+-/=?^_`{|}~", r)
		}) {
			return false
		}
	}
	return true
}

// validDomain reports whether s is a host name of two labels or more (RFC 1123 section 2.1) of which
// the last is not a number, as that of an IP address is.
func validDomain(s string) bool {
	if len(s) > maxDomain || !strings.Contains(s, ".") {
		return false
	}
	var last string
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.ContainsFunc(label, func(r rune) bool { return !alphanumeric(r) && r != '-' }) {
			return false
		}
		last = label
	}
	return strings.ContainsFunc(last, func(r rune) bool { return r < '0' || r > '9' })
}

func alphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// lower folds ASCII alone: strings.ToLower turns the Kelvin sign into a k.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
