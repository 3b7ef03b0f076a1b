package emaildomain_test

import (
	"fmt"
	"net/mail"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/emaildomain"
)

func officers(t testing.TB) *emaildomain.Policy {
	t.Helper()
	p, err := emaildomain.New(".gov.sg")
	require.NoError(t, err)
	return p
}

func TestAdmits(t *testing.T) {
	for address, want := range map[string]string{
		"siti@agency.gov.sg":                  "siti@agency.gov.sg",
		"Siti@Agency.GOV.sg":                  "siti@agency.gov.sg",
		"siti.b+keys@hr.agency.gov.sg":        "siti.b+keys@hr.agency.gov.sg",
		"o'neil@moh.gov.sg":                   "o'neil@moh.gov.sg",
		"a@b.gov.sg":                          "a@b.gov.sg",
		"1@1.gov.sg":                          "1@1.gov.sg",
		"a@xn--bcher-kva.gov.sg":              "a@xn--bcher-kva.gov.sg",
		"#$&'*+-/=?^_`{|}~@a.gov.sg":          "#$&'*+-/=?^_`{|}~@a.gov.sg",
		strings.Repeat("a", 64) + "@a.gov.sg": strings.Repeat("a", 64) + "@a.gov.sg",
	} {
		got, err := officers(t).Admit(address)
		require.NoError(t, err, address)
		require.Equal(t, want, got)
	}
}

// What looks like an officer's address to people, to a program that is less strict, or to one that
// normalises, trims or folds.
var strangers = []string{
	"", "@", "siti", "siti@", "@agency.gov.sg", "siti@gov.sg",
	"siti@evilgov.sg", "siti@gov.sg.evil.com", "siti@agency.gov.sg.evil.com", "siti@agency-gov.sg", "siti@agency.gov.sg@evil.com",
	"siti@evil.com@agency.gov.sg", "siti@evil.com,siti@agency.gov.sg", "siti@agency.gov.sg,x@evil.com", "siti@evil.com;siti@agency.gov.sg",
	"siti@evil.com siti@agency.gov.sg", "siti@evil.com\nsiti@agency.gov.sg", "siti@evil.com\x00@agency.gov.sg", "siti@evil.com%00.gov.sg",
	"siti@evil.com#.gov.sg", "siti@evil.com/.gov.sg", "siti@evil.com?.gov.sg", `siti@evil.com\.gov.sg`, "siti@evil.com:25.gov.sg",
	"siti@[127.0.0.1].gov.sg", "siti@[agency.gov.sg]", "siti@127.0.0.1",
	"Siti <siti@agency.gov.sg>", "<siti@agency.gov.sg>", "siti@agency.gov.sg>", "<siti@evil.com>@agency.gov.sg", "Siti <siti@evil.com>@agency.gov.sg",
	"siti(officer)@agency.gov.sg", "siti@agency.gov.sg(officer)", "siti@(x)agency.gov.sg", "siti@evil.com(@agency.gov.sg)", "(x)siti@agency.gov.sg",
	`"siti"@agency.gov.sg`, `"siti@evil.com"@agency.gov.sg`, `"siti @evil.com> "@agency.gov.sg`, `si\ti@agency.gov.sg`,
	" siti@agency.gov.sg", "siti@agency.gov.sg ", "siti @agency.gov.sg", "siti@ agency.gov.sg", "siti@agency.gov.sg\r\n", "siti@agency.gov.sg\r\nBcc: x@evil.com", "\tsiti@agency.gov.sg",
	"siti@agency.gov.sg.", "siti@agency..gov.sg", "siti@.gov.sg", "siti@agency.gov.sg..", ".siti@agency.gov.sg", "siti.@agency.gov.sg", "si..ti@agency.gov.sg",
	"siti@-agency.gov.sg", "siti@agency-.gov.sg", "siti@agen_cy.gov.sg", "siti@agency.gov.s g", "siti@agency.gov.sg-",
	"siti@agency.g\u043ev.sg", "siti@agency.gov\u3002sg", "siti@agency\uff0egov.sg", "siti@agency.gov.s\u0261", "siti@agency.gov.\uff53g", "siti@\u00e4gency.gov.sg",
	"s\u0456ti@agency.gov.sg", "siti\uff20agency.gov.sg", "siti@agency.gov.sg\u200b", "siti@agency.\u200bgov.sg", "\ufeffsiti@agency.gov.sg", "siti@agency.gov.sg\u00a0", "\u202esiti@agency.gov.sg", "siti@agency.gov.sg\xff",
	"siti@agency.gov.sg\u0301", "siti@agency.gov.\u017fg", "\u212aim@agency.gov.sg", "kim@\u212aey.gov.sg",
	"mailto:siti@agency.gov.sg", "=?utf-8?q?siti?=@agency.gov.sg\n", "siti%evil.com@", "@evil.com:siti@agency.gov.sg", "siti!evil.com",
	"siti%evil.com@agency.gov.sg", "evil.com!siti@agency.gov.sg", "%@agency.gov.sg", "siti!@agency.gov.sg", // routes to elsewhere
	"group:siti@agency.gov.sg;", "undisclosed-recipients:;",
	strings.Repeat("a", 65) + "@agency.gov.sg", "a@" + strings.Repeat("a", 64) + ".gov.sg", "a@" + strings.Repeat("a.", 130) + "gov.sg", "a@" + strings.Repeat(".", 1_000_000),
	strings.Repeat("@", 1_000_000) + "agency.gov.sg",
}

func TestAdmitsNoStranger(t *testing.T) {
	for _, address := range strangers {
		got, err := officers(t).Admit(address)
		require.ErrorIs(t, err, emaildomain.ErrNotAdmitted, "%.80q", address)
		require.Empty(t, got)
		if len(address) > 5 {
			require.NotContains(t, err.Error(), address)
		}
	}
}

func TestDomains(t *testing.T) {
	p, err := emaildomain.New("Agency.gov.sg", ".edu.sg")
	require.NoError(t, err)
	for address, ok := range map[string]bool{
		"a@agency.gov.sg": true, "a@AGENCY.gov.sg": true, "a@hr.agency.gov.sg": false, "a@myagency.gov.sg": false,
		"a@school.edu.sg": true, "a@a.b.edu.sg": true, "a@edu.sg": false, "a@school.gov.sg": false,
	} {
		_, err := p.Admit(address)
		require.Equal(t, ok, err == nil, address)
	}
	_, err = new(emaildomain.Policy).Admit("a@agency.gov.sg")
	require.ErrorIs(t, err, emaildomain.ErrNotAdmitted, "the zero policy admits nobody")
}

func TestNewRefuses(t *testing.T) {
	for _, domains := range [][]string{
		nil, {""}, {"."}, {"sg"}, {".sg"}, {"..gov.sg"}, {".gov.sg", ""}, {"*.gov.sg"}, {"@agency.gov.sg"}, {"agency.gov.sg."},
		{"g\u043ev.sg"}, {" .gov.sg"}, {".gov.sg "}, {"-a.sg"}, {"127.0.0.1"}, {strings.Repeat("a", 64) + ".sg"},
	} {
		p, err := emaildomain.New(domains...)
		require.Error(t, err, "%q", domains)
		require.Nil(t, p)
	}
}

// FuzzAdmit holds that what is admitted is what package net/mail reads, in whole, as one bare address
// of that very domain.
func FuzzAdmit(f *testing.F) {
	for _, address := range append(strangers, "Siti@Agency.gov.sg", "o'neil+x@a.b.gov.sg") {
		if len(address) < 1000 {
			f.Add(address)
		}
	}
	p := officers(f)
	f.Fuzz(func(t *testing.T, address string) {
		got, err := p.Admit(address)
		if err != nil {
			require.Empty(t, got)
			return
		}
		for _, spelling := range []string{address, got} {
			read, err := mail.ParseAddress(spelling)
			require.NoError(t, err)
			require.Empty(t, read.Name)
			require.Equal(t, spelling, read.Address)
		}
		require.Equal(t, strings.ToLower(address), got)
		require.Equal(t, 1, strings.Count(got, "@"))
		require.Regexp(t, `^[!-~]+@([a-z0-9-]+\.)+gov\.sg$`, got)
		again, err := p.Admit(got)
		require.NoError(t, err)
		require.Equal(t, got, again)
	})
}

func ExamplePolicy_Admit() {
	officers, err := emaildomain.New(".gov.sg")
	if err != nil {
		panic(err)
	}
	for _, address := range []string{"Siti@Agency.gov.sg", "siti@evilgov.sg", "Siti <siti@agency.gov.sg>"} {
		owner, err := officers.Admit(address)
		fmt.Println(owner, err)
	}
	// Output:
	// siti@agency.gov.sg <nil>
	//  emaildomain: the address is not admitted: its domain is not one of those allowed
	//  emaildomain: the address is not admitted: it must be a plain address, name@domain, in ASCII
}
