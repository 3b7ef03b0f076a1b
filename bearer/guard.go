// Package bearer puts API keys in front of net/http handlers, as RFC 6750 has it: clients send
//
//	Authorization: Bearer postman_live_01m83pph00zab5rrb146_RfHk7hp3ILTgK2y3mH3UqtmaFCrvkUb7keKpQPXNubf4e9wCY
//
// and nothing else is looked at: no query parameter, form field, cookie or other header. Serve over
// TLS only, which RFC 6750 section 5.3 requires, and put CORS handling, rate limits and whatever
// trusts a proxy's headers in front of a [Guard].
package bearer

import (
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/opengovsg/latchkey/apikey"
)

// The errors of [Guard.Check] besides those of the verifier.
var (
	// ErrNoCredentials says that the request has no Authorization header, an empty one, or one of
	// another scheme.
	ErrNoCredentials = errors.New("bearer: no credentials")

	// ErrMalformedHeader says that the Authorization header is repeated, or that what follows
	// "Bearer" is not one token in the alphabet of RFC 6750 section 2.1.
	ErrMalformedHeader = errors.New("bearer: malformed Authorization header")

	// ErrInsufficientScope is what every [*ScopeError] satisfies under errors.Is.
	ErrInsufficientScope = errors.New("bearer: insufficient scope")
)

// A ScopeError says that the key is good and lacks a scope that the handler requires. It names the
// key by its public id.
type ScopeError struct {
	KeyID string
	Scope string // the scopes required, separated by spaces
}

// Error tells the scopes and the key's id.
func (e *ScopeError) Error() string {
	return "bearer: key " + e.KeyID + " lacks a scope of: " + e.Scope
}

// Is reports whether target is [ErrInsufficientScope].
func (e *ScopeError) Is(target error) bool { return target == ErrInsufficientScope }

// Config adjusts a [Guard]. The zero value is ready for use.
type Config struct {
	// Realm names the protected area in challenges: "api" where empty. It may hold printable ASCII
	// other than the quotation mark and the backslash.
	Realm string

	// OnDeny, where not nil, is told of every request that the guard refuses, with the reason,
	// after the answer is decided. It is where to log: the reason names the key by its public id and
	// holds no secret. Anybody can cause ErrNoCredentials and ErrMalformedHeader at any rate; an
	// error that is neither of these, nor a *ScopeError, nor wraps apikey.ErrInvalid, is a fault
	// that wants looking at, unless r.Context().Err() tells that the client has hung up, and so does
	// apikey.ErrCorrupt. It is called on the request's goroutine, so it should return at once; a
	// panic in it is recovered and changes nothing.
	OnDeny func(r *http.Request, reason error)
}

// A Guard lets requests with a good key through to a handler, and answers all others itself. Make
// one with [New]. It is safe for concurrent use.
//
// The handler runs exactly once if the key is good, and otherwise never. It finds the key with
// [apikey.FromContext]. The guard reads neither body nor form.
type Guard struct {
	verifier  apikey.Verifier
	onDeny    func(*http.Request, error)
	challenge string
}

// New returns a guard that asks the verifier: an [*apikey.Service], or a cache in front of one. It
// panics if the verifier is nil or the realm can't be sent in a header: a guard that is not set up
// right must not come to meet a request.
func New(v apikey.Verifier, c Config) *Guard {
	if value := reflect.ValueOf(v); !value.IsValid() || value.Kind() == reflect.Pointer && value.IsNil() {
		panic("bearer: New: the verifier is nil")
	}
	if c.Realm == "" {
		c.Realm = "api"
	}
	if !quotable(c.Realm) {
		panic("bearer: New: Config.Realm must be printable ASCII without quotation marks and backslashes")
	}
	return &Guard{verifier: v, onDeny: c.OnDeny, challenge: `Bearer realm="` + c.Realm + `"`}
}

// quotable reports whether s can stand between quotation marks in a challenge as it is (RFC 6750
// section 3).
func quotable(s string) bool {
	for _, b := range []byte(s) {
		if b < ' ' || b > '~' || b == '"' || b == '\\' {
			return false
		}
	}
	return true
}

// Handler wraps a handler that serves whoever has a good key, whatever its scopes.
func (g *Guard) Handler(next http.Handler) http.Handler {
	return g.handler(next, nil)
}

// Require returns middleware for handlers that need all of the given scopes. It panics if none is
// given, so that a route whose scopes were forgotten fails at start and not open, or if one is not
// of the form resource:action.
func (g *Guard) Require(scopes ...string) func(next http.Handler) http.Handler {
	if len(scopes) == 0 {
		panic("bearer: Require: no scope is given; use Handler where none is needed")
	}
	scopes = checked(scopes)
	return func(next http.Handler) http.Handler { return g.handler(next, scopes) }
}

// checked returns a copy of a route's scopes, and panics if one of them can't be a scope.
func checked(scopes []string) []string {
	for _, scope := range scopes {
		if !apikey.ValidScope(scope) {
			panic("bearer: a scope that a route requires is not of the form resource:action")
		}
	}
	return slices.Clone(scopes)
}

func (g *Guard) handler(next http.Handler, scopes []string) http.Handler {
	if next == nil {
		panic("bearer: the handler is nil")
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var key apikey.Key
		if err := g.check(r, scopes, &key); err != nil {
			g.Deny(w, r, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(apikey.NewContext(r.Context(), key)))
	})
}

// Optional wraps a handler that some other scheme, such as a session cookie, may serve as well. A
// request without bearer credentials goes through as it is, no key put into its context, and it is
// the handler that must then decide: if nothing else vouches for the request, it answers with
// g.Deny(w, r, bearer.ErrNoCredentials). A request with bearer credentials is held to them: if they
// are no good, or lack one of the scopes, it is refused, whatever else it carries. Optional panics if
// a scope is not of the form resource:action.
func (g *Guard) Optional(next http.Handler, scopes ...string) http.Handler {
	guarded := g.handler(next, checked(scopes))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Asked of the header alone: no error of a verifier must ever let a request through.
		if _, err := credentials(r.Header["Authorization"]); err == ErrNoCredentials {
			next.ServeHTTP(w, r)
			return
		}
		guarded.ServeHTTP(w, r)
	})
}

// Check returns the key of a request, for handlers that decide themselves what to do without one. It
// fails with [ErrNoCredentials] or [ErrMalformedHeader], with the verifier's error, or with a
// [*ScopeError] if the key lacks one of the scopes. Hand any of them to [Guard.Deny].
func (g *Guard) Check(r *http.Request, scopes ...string) (apikey.Key, error) {
	var key apikey.Key
	if err := g.check(r, scopes, &key); err != nil {
		return apikey.Key{}, err
	}
	return key, nil
}

// check writes the key to where it is wanted: a key is large, and every hand it passes through is a
// copy. On an error it may have been written to.
func (g *Guard) check(r *http.Request, scopes []string, key *apikey.Key) (err error) {
	token, err := credentials(r.Header["Authorization"])
	if err != nil {
		return err
	}
	if *key, err = g.verifier.Verify(r.Context(), token); err != nil {
		return err
	}
	if key.ID == "" {
		// A verifier that forgets its error must not let everybody in.
		return errNoKey
	}
	for _, scope := range scopes {
		if !key.Allows(scope) {
			return &ScopeError{KeyID: key.ID, Scope: strings.Join(scopes, " ")}
		}
	}
	return nil
}

var errNoKey = errors.New("bearer: the verifier returned neither a key nor an error")
