package apikey

import (
	"fmt"
	"strings"
	"time"

	"github.com/opengovsg/latchkey/store"
)

const (
	maxScopes   = 64
	maxScopeLen = 100
)

// ValidScope reports whether the scope is of the form resource:action, or resource:* for every action
// on the resource: at most 100 bytes, both parts of letters, digits and ". _ - /", which need no
// escaping in a WWW-Authenticate header (RFC 6750 section 3).
func ValidScope(scope string) bool {
	resource, action, ok := strings.Cut(scope, ":")
	return ok && len(scope) <= maxScopeLen && validScopePart(resource) && validAction(action)
}

func validAction(action string) bool { return action == "*" || validScopePart(action) }

func validScopePart(s string) bool {
	for _, c := range []byte(s) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-', c == '/':
		default:
			return false
		}
	}
	return s != ""
}

func checkScopes(scopes []string) error {
	if len(scopes) > maxScopes {
		return &ArgumentError{"Scopes", fmt.Sprintf("must be at most %d scopes, not %d", maxScopes, len(scopes))}
	}
	seen := make(map[string]bool, len(scopes))
	for i, scope := range scopes {
		if !ValidScope(scope) {
			return &ArgumentError{"Scopes", fmt.Sprintf("must be resource:action or resource:* of at most %d letters, digits and . _ - /, and number %d is not", maxScopeLen, i+1)}
		}
		if seen[scope] {
			return &ArgumentError{"Scopes", fmt.Sprintf("must not repeat a scope, as number %d does", i+1)}
		}
		seen[scope] = true
	}
	return nil
}

// joinScopes spells scopes as one string (RFC 6749 section 3.3).
func joinScopes(scopes []string) string { return strings.Join(scopes, " ") }

func splitScopes(scopes string) []string { return strings.Fields(scopes) }

// allows reports whether granted scopes, separated by spaces, cover the scope.
func allows(granted, scope string) bool {
	if scope == "" {
		return false
	}
	for granted != "" {
		var one string
		one, granted, _ = strings.Cut(granted, " ")
		if one == scope {
			return true
		}
		// The colon before the star stays in the comparison: "email:*" is not "emailing:send". And
		// the action must be one: "email:*" is not "email:send sms:send".
		if resource, wild := strings.CutSuffix(one, "*"); wild && strings.HasSuffix(resource, ":") &&
			strings.HasPrefix(scope, resource) && validAction(scope[len(resource):]) {
			return true
		}
	}
	return false
}

// A Ceiling is what an issuer may grant at most, on top of what Config.Scopes allows everybody. A
// key that issues or changes keys passes its own [Key.Ceiling]; for a person, make one from the
// person's role.
type Ceiling struct {
	// Scopes are the most that may be granted. None means that no scope may be.
	Scopes []string

	// Owner, where not empty, is the only owner keys may be issued for.
	Owner string

	// ExpiresAt, where not zero, is the latest instant at which a key may expire.
	ExpiresAt time.Time

	nothing bool
}

// Ceiling returns what a holder of the key may grant when issuing further keys: its own scopes, to
// its own owner, for no longer than it lives itself. The zero Key, which is what a context without a
// key gives, may grant nothing to anybody.
func (k Key) Ceiling() *Ceiling {
	return &Ceiling{Scopes: k.Scopes(), Owner: k.Owner, ExpiresAt: k.ExpiresAt, nothing: k.ID == ""}
}

// covers returns an error wrapping ErrForbidden if the record is of another owner or, where scopes
// are granted to it, if it lives longer than the ceiling allows.
func (c *Ceiling) covers(rec *store.Record, granting bool) error {
	switch {
	case c == nil:
	case c.nothing:
		return fmt.Errorf("%w: the issuer is no key", ErrForbidden)
	case c.Owner != "" && c.Owner != rec.Owner:
		return fmt.Errorf("%w: Owner is not the issuer's own", ErrForbidden)
	case granting && !c.ExpiresAt.IsZero() && (rec.ExpiresAt.IsZero() || rec.ExpiresAt.After(c.ExpiresAt)):
		return fmt.Errorf("%w: the key outlives its issuer", ErrForbidden)
	}
	return nil
}

// coversToken returns an error wrapping ErrForbidden if a token of the record would do more than the
// ceiling allows.
func (c *Ceiling) coversToken(rec *store.Record) error {
	if c == nil {
		return nil
	}
	granted := joinScopes(c.Scopes)
	for _, scope := range splitScopes(rec.Scopes) {
		if !allows(granted, scope) {
			return fmt.Errorf("%w: the key has scopes that are not among the issuer's own", ErrForbidden)
		}
	}
	return c.covers(rec, true)
}

// permits returns an error wrapping ErrForbidden unless all scopes lie within those the service
// knows and within the ceiling.
func (s *Service) permits(scopes []string, c *Ceiling) error {
	for i, scope := range scopes {
		if !allows(s.scopes, scope) {
			return fmt.Errorf("%w: number %d of Scopes is not among Config.Scopes", ErrForbidden, i+1)
		}
		if c != nil && !allows(joinScopes(c.Scopes), scope) {
			return fmt.Errorf("%w: number %d of Scopes is not among the issuer's own", ErrForbidden, i+1)
		}
	}
	return nil
}
