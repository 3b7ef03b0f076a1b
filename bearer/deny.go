package bearer

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/opengovsg/latchkey/apikey"
)

// retryAfter is what clients are asked to wait when the service could not answer, in seconds.
const retryAfter = "1"

// A problem is the body of a refusal (RFC 9457). Its texts depend on the status alone: whatever they
// told about the key would be told to whoever sent it.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// An answer is what a client sees of a refusal, made once.
type answer struct {
	status int
	code   string // the error parameter of the challenge, if any (RFC 6750 section 3.1)
	body   []byte
	length string
}

func newAnswer(status int, code, detail string) *answer {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(problem{"about:blank", http.StatusText(status), status, detail}); err != nil {
		panic(err)
	}
	return &answer{status, code, body.Bytes(), strconv.Itoa(body.Len())}
}

var (
	noCredentials = newAnswer(http.StatusUnauthorized, "",
		"This resource needs an API key, sent as: Authorization: Bearer <key>")
	invalidRequest = newAnswer(http.StatusBadRequest, "invalid_request",
		"The Authorization header must be sent once, as: Authorization: Bearer <key>. A key has letters, digits and -._~+/ alone.")
	invalidToken = newAnswer(http.StatusUnauthorized, "invalid_token",
		"The API key is not valid.")
	insufficientScope = newAnswer(http.StatusForbidden, "insufficient_scope",
		"The API key is not allowed to do this.")
	unavailable = newAnswer(http.StatusServiceUnavailable, "",
		"The API key could not be checked. Try again shortly.")
)

func answerTo(err error) *answer {
	switch {
	case errors.Is(err, apikey.ErrUnavailable):
		// Also where a verifier made of several could tell in part: it never means a bad token.
		return unavailable
	case errors.Is(err, ErrNoCredentials):
		return noCredentials
	case errors.Is(err, ErrMalformedHeader):
		return invalidRequest
	case errors.Is(err, ErrInsufficientScope):
		return insufficientScope
	case errors.Is(err, apikey.ErrInvalid):
		return invalidToken
	}
	return unavailable
}

// Deny answers a request that [Guard.Check] refused with err:
//
//   - 401 and a bare challenge if there were no bearer credentials
//   - 400 and invalid_request if the Authorization header is malformed or repeated
//   - 401 and invalid_token if the token is not good, whatever the reason
//   - 403, insufficient_scope and the scopes if the key lacks one
//   - 503, Retry-After and no challenge if it could not be found out
//
// The body is application/problem+json, the response is not to be cached, and a challenge of another
// scheme that is already in the header stays. A nil err is answered like an unknown one, with 503.
func (g *Guard) Deny(w http.ResponseWriter, r *http.Request, err error) {
	defer g.tell(r, err)
	a := answerTo(err)
	h := w.Header()
	if a == unavailable {
		h.Set("Retry-After", retryAfter)
	} else {
		h.Add("WWW-Authenticate", g.challengeFor(a, err))
	}
	// What a handler in front set for the answer it hoped for.
	for _, name := range []string{"Content-Encoding", "Etag", "Expires", "Last-Modified"} {
		h.Del(name)
	}
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "application/problem+json")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", a.length)
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		w.Write(a.body)
	}
}

// challengeFor spells the challenge. It names scopes only if they are all of the form that needs no
// escaping: those that [Guard.Check] was given may be anything.
func (g *Guard) challengeFor(a *answer, err error) string {
	challenge := g.challenge
	if a.code != "" {
		challenge += `, error="` + a.code + `"`
	}
	if lacking, ok := errors.AsType[*ScopeError](err); ok && validScopes(lacking.Scope) {
		challenge += `, scope="` + lacking.Scope + `"`
	}
	return challenge
}

func validScopes(scopes string) bool {
	for scope := range strings.SplitSeq(scopes, " ") {
		if !apikey.ValidScope(scope) {
			return false
		}
	}
	return true
}

// tell runs the application's hook. It is deferred, so that it comes after the answer.
func (g *Guard) tell(r *http.Request, err error) {
	if g.onDeny == nil {
		return
	}
	defer func() { recover() }()
	g.onDeny(r, err)
}
