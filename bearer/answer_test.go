package bearer_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A code is what a request is answered with.
type code int

const (
	same   code = iota // as the row says for the other ways
	pass               // 200 of the handler
	c0                 // 401, a bare challenge
	c1                 // 400, invalid_request
	c2                 // 401, invalid_token
	c3                 // 403, insufficient_scope
	c4                 // 503, Retry-After, no challenge
	x400               // net/http itself answers 400
	x431               // net/http itself answers 431
	unsent             // net/http's client refuses to send it
)

var refusals = map[code]struct {
	status int
	error  string
}{
	c0: {http.StatusUnauthorized, ""},
	c1: {http.StatusBadRequest, "invalid_request"},
	c2: {http.StatusUnauthorized, "invalid_token"},
	c3: {http.StatusForbidden, "insufficient_scope"},
	c4: {http.StatusServiceUnavailable, ""},
}

// requireRefusal holds a response to all that a refusal must be.
func requireRefusal(t testing.TB, want code, res *response, presented ...string) {
	t.Helper()
	refusal, ok := refusals[want]
	require.True(t, ok, "no refusal: code %d", want)
	require.Equal(t, refusal.status, res.status)
	require.Equal(t, []string{"no-store"}, res.header["Cache-Control"])
	require.Equal(t, []string{"nosniff"}, res.header["X-Content-Type-Options"])
	requireProblem(t, res)
	secretless(t, res.dump(), presented...)

	if want == c4 {
		require.NotContains(t, res.header, "Www-Authenticate")
		require.Len(t, res.header["Retry-After"], 1)
		seconds, err := strconv.ParseUint(res.header.Get("Retry-After"), 10, 16)
		require.NoError(t, err, "Retry-After must be a count of seconds")
		require.Positive(t, seconds)
		return
	}
	require.NotContains(t, res.header, "Retry-After")
	require.Len(t, res.header["Www-Authenticate"], 1)
	params := parseChallenge(t, res.header.Get("WWW-Authenticate"))
	require.Equal(t, "api", params["realm"])
	delete(params, "realm")
	if refusal.error != "" {
		require.Equal(t, refusal.error, params["error"])
		delete(params, "error")
	}
	if want == c3 {
		require.Regexp(t, `^[!#-\[\]-~]+( [!#-\[\]-~]+)*$`, params["scope"])
		delete(params, "scope")
	}
	require.Empty(t, params, "a challenge tells nothing else")
}

// requireProblem holds a body to RFC 9457: with the type about:blank, the title is the phrase of the
// status (section 4.2.1).
func requireProblem(t testing.TB, res *response) {
	t.Helper()
	require.Equal(t, []string{"application/problem+json"}, res.header["Content-Type"])
	require.Equal(t, []string{strconv.Itoa(len(res.body))}, res.header["Content-Length"])
	var problem map[string]any
	require.NoError(t, json.Unmarshal([]byte(res.body), &problem))
	detail, _ := problem["detail"].(string)
	require.NotEmpty(t, detail)
	require.Equal(t, map[string]any{
		"type":   "about:blank",
		"title":  http.StatusText(res.status),
		"status": float64(res.status),
		"detail": detail,
	}, problem)
}

var authParam = regexp.MustCompile(`^([a-z_]+)="([ !#-\[\]-~]*)"(, |$)`)

// parseChallenge returns the parameters of a Bearer challenge, each of which stands in it once, in
// characters that need no escaping (RFC 6750 section 3).
func parseChallenge(t testing.TB, challenge string) map[string]string {
	t.Helper()
	rest, ok := strings.CutPrefix(challenge, "Bearer ")
	require.True(t, ok, challenge)
	params := make(map[string]string)
	for {
		m := authParam.FindStringSubmatch(rest)
		require.NotNil(t, m, challenge)
		require.NotContains(t, params, m[1], challenge)
		params[m[1]] = m[2]
		rest = rest[len(m[0]):]
		if m[3] == "" {
			require.Empty(t, rest, challenge)
			return params
		}
	}
}

// requirePass holds a response to what the handler of the fixture alone says.
func requirePass(t testing.TB, res *response) {
	t.Helper()
	require.Equal(t, http.StatusOK, res.status)
	require.Equal(t, served, res.body)
	require.NotContains(t, res.header, "Www-Authenticate")
	require.NotContains(t, res.header, "Cache-Control", "what is served is the handler's to describe")
}
