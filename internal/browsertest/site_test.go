package browsertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// A site is the service as one officer knows it.
type site struct {
	*service
	page  string // where the list of keys is, below the address of the service
	owner string
}

var officers atomic.Int64

// newSite returns the service for an officer whom it has never seen.
func newSite(t *testing.T) *site {
	t.Helper()
	return siteOf(t, fmt.Sprintf("siti.%d@agency.gov.sg", officers.Add(1)))
}

// siteOf returns the service for an officer.
func siteOf(t *testing.T, owner string) *site {
	t.Helper()
	chromium(t) // nothing is built where there is no browser to look at it with
	s, err := startService()
	require.NoError(t, err)
	return &site{s, "/settings/", owner}
}

// signIn leads to the list of keys, by way of the code that is mailed.
func (b *tab) signIn() {
	b.Helper()
	b.visit(b.site.page)
	b.heading("Sign in")
	b.fill("E-mail address", b.site.owner)
	b.follow("button", "Send me a code")
	b.heading("Enter your code")
	b.fill("Code", b.site.code(b.T))
	b.follow("button", "Sign in")
	b.heading("API keys")
}

var sixDigits = regexp.MustCompile(`\b\d{6}\b`)

// code returns the code that was mailed to the officer last.
func (s *site) code(t *testing.T) string {
	t.Helper()
	var mails []struct{ To, Text string }
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/outbox.json", nil)
	require.NoError(t, err)
	res, err := client.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	require.NoError(t, json.NewDecoder(res.Body).Decode(&mails))
	for _, m := range mails {
		if m.To == s.owner && sixDigits.MatchString(m.Text) {
			return sixDigits.FindString(m.Text)
		}
	}
	require.Fail(t, "no code was mailed")
	return ""
}

var client = &http.Client{Timeout: patience}

// send returns what the API answers to a mail that is sent with a token.
func (s *site) send(t *testing.T, token, subject string) int {
	t.Helper()
	body, err := json.Marshal(map[string]string{"recipient": "tan@example.com", "subject": subject, "body": "Tomorrow at nine."})
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/v1/transactional/email/send", bytes.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	res, err := client.Do(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	return res.StatusCode
}

// works asserts that a token opens the API.
func (b *tab) works(token string) {
	b.Helper()
	require.Equal(b, http.StatusCreated, b.site.send(b.T, token, "Your appointment"), "a token does not open the API")
}

// fails asserts that a token is refused.
func (b *tab) fails(token string) {
	b.Helper()
	require.Equal(b, http.StatusUnauthorized, b.site.send(b.T, token, "Your appointment"))
}
