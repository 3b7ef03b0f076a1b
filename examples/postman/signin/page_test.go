package signin

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/examples/postman/databasetest"
	"github.com/opengovsg/latchkey/examples/postman/mail"
)

// inline is what the policy forbids, and would not run or show.
var inline = regexp.MustCompile(`(?i)<style|<script|\s(?:style|on[a-z]+)="|javascript:`)

// page requires a page, and returns the values of its hidden fields.
func (a answer) page(t *testing.T, status int) map[string]string {
	t.Helper()
	require.Equal(t, status, a.status, a.body)
	require.Equal(t, "text/html; charset=utf-8", a.header.Get("Content-Type"))
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	require.Equal(t, "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'", a.header.Get("Content-Security-Policy"))
	require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"))
	require.NotRegexp(t, inline, a.body)
	require.Equal(t, 1, strings.Count(a.body, "<h1>"))
	hidden := make(map[string]string)
	for _, m := range regexp.MustCompile(`type="hidden" name="(\w+)" value="([^"]*)"`).FindAllStringSubmatch(a.body, -1) {
		hidden[m[1]] = m[2]
	}
	return hidden
}

// TestPage goes the way of a person: to the settings, away to the form, and back.
func TestPage(t *testing.T) {
	h := newHouse(t, databasetest.SQLite(t))
	a := h.send("GET", "/settings/new?x=1", "")
	require.Equal(t, 303, a.status)
	require.Equal(t, "/login?next=%2Fsettings%2Fnew%3Fx%3D1", a.header.Get("Location"))
	require.Equal(t, 418, h.press("/settings/new").status, "a form is for the page itself to refuse")

	a = h.send("GET", a.header.Get("Location"), "")
	require.Equal(t, "/settings/new?x=1", a.page(t, 200)["next"])
	require.Contains(t, a.body, `<label for="email">`)

	a = h.press("/login", "email", " Siti@agency.gov.sg ", "next", "/settings/new?x=1")
	hidden := a.page(t, 200)
	require.Equal(t, map[string]string{"next": "/settings/new?x=1", "email": "Siti@agency.gov.sg"}, hidden)
	require.Contains(t, a.body, `<label for="code">`)
	require.NotContains(t, a.body, "read your mail")
	code := codeOf(t, h.mails[0])
	require.NotContains(t, a.body, code)

	fields := []string{"email", hidden["email"], "next", hidden["next"], "code"}
	a = h.press("/login/code", append(fields, other(code))...)
	require.Equal(t, hidden, a.page(t, 401))
	require.Contains(t, a.body, `role="alert"`)
	require.Contains(t, a.body, "<title>Error: ")
	a = h.press("/login/code", append(fields, "12 34")...)
	require.Equal(t, hidden, a.page(t, 400))
	require.Contains(t, a.body, "Enter the 6 digits of the code.")

	a = h.press("/login", "email", hidden["email"], "next", hidden["next"])
	require.Equal(t, hidden, a.page(t, 429), "a reload asks for the code again, which was sent")
	require.Contains(t, a.body, "Wait 30 seconds")
	require.Contains(t, a.body, `<label for="code">`)

	a = h.press("/login/code", append(fields, " "+code[:3]+" "+code[3:]+" ")...)
	require.Equal(t, 303, a.status, a.body)
	require.Equal(t, "/settings/new?x=1", a.header.Get("Location"))
	cookie := []string{"Cookie", "__Host-postman=" + a.cookie(t).Value}
	require.Equal(t, "settings of "+siti, h.send("GET", "/settings/new?x=1", "", cookie...).body)
	a = h.send("GET", "/login?next=/settings/x", "", cookie...)
	require.Equal(t, 303, a.status, "who is signed in already")
	require.Equal(t, "/settings/x", a.header.Get("Location"))

	a = h.send("GET", "/logout", "", append(cookie, "Sec-Fetch-Site", "same-origin")...)
	require.Equal(t, "/settings/", a.page(t, 200)["next"])
	require.Contains(t, a.body, "You are signed out.")
	require.Negative(t, a.cookie(t).MaxAge)
	require.Equal(t, 303, h.send("GET", "/settings/", "", cookie...).status)
	require.Equal(t, 303, h.send("GET", "/login/code", "").status, "an address without a page of its own")
}

func TestPageMistakes(t *testing.T) {
	h := newHouse(t, databasetest.SQLite(t))
	a := h.press("/login", "email", `siti@evilgov.sg"><b>`)
	a.page(t, 400)
	require.Contains(t, a.body, "Enter your e-mail address, which ends in .gov.sg.")
	require.Contains(t, a.body, `value="siti@evilgov.sg&#34;&gt;&lt;b&gt;"`, "what was typed stays")
	require.Contains(t, a.body, `aria-describedby="email-help problem" aria-invalid="true"`)
	a = h.press("/login/code", "email", "siti@evilgov.sg", "code", "123456")
	a.page(t, 400)
	require.Contains(t, a.body, `<label for="email">`)

	h.send("POST", "/login", "{}", "Content-Type", "application/json").page(t, 400)
	h.press("/login", "email", strings.Repeat("x", 16<<10)).page(t, 400)
	h.press("/login", "next", "%zz").page(t, 400)
	for _, path := range []string{"/login", "/login/code"} {
		form := url.Values{"email": {siti}, "code": {"123456"}}.Encode()
		h.send("POST", path, form, "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "cross-site").page(t, 403)
	}
	require.Empty(t, h.mails)

	h.deliver = func(mail.Message) error { return errFull }
	a = h.press("/login", "email", siti)
	a.page(t, 503)
	require.Contains(t, a.body, `<label for="email">`, "there is no code to ask for")
	require.Contains(t, a.body, "could not be sent")

	h.config.MailPage = "/outbox"
	h.url, h.deliver = h.serve(New(h.config)), nil
	a = h.press("/login", "email", "ali@agency.gov.sg")
	a.page(t, 200)
	require.Contains(t, a.body, `<a href="/outbox" target="_blank" rel="noopener">read your mail</a>`)
}

// TestNext leads nobody away from the settings, whatever a link says.
func TestNext(t *testing.T) {
	h := newHouse(t, databasetest.SQLite(t))
	for address, want := range map[string]string{
		"/settings/":             "/settings/",
		"/settings/new":          "/settings/new",
		"/settings/?state=x&y=%": "/settings/?state=x&y=%",
		"/settings/a%2Fb":        "/settings/a%2Fb",

		"//evil.example/settings/x":             "/settings/x",
		"https://u:p@evil.example/settings/x?y": "/settings/x?y",
		`/settings/\..\..\evil`:                 "/settings/%5C..%5C..%5Cevil",
	} {
		require.Equal(t, want, h.next(address))
	}
	for _, address := range []string{
		"", "/", "/settings", "settings/", "/v1/auth/logout", "/logout", "//evil.example/settings/", "https://evil.example/settings/", "///evil.example",
		`/\evil.example/settings/`, "/settings/../logout", "/settings/%2e%2e/logout", "/settings//../../logout", "javascript:alert(1)",
		"//evil.example\\@agency.gov.sg/settings/", "/settings/\r\nSet-Cookie: x=y", "https:/settings/", "https:settings/", "//user@evil.example/settings/",
		"/settingsevil/", "%2fsettings%2fx", "%2Fsettings/", "\t//evil.example/settings/", "/settings/#x",
	} {
		require.Equal(t, "/settings/", h.next(address), address)
	}
}
