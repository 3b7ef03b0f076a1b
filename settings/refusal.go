package settings

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/opengovsg/latchkey/apikey"
)

// retryAfter is what clients are asked to wait when the store could not answer, in seconds.
const retryAfter = "1"

// A fieldError says what is wrong with a field of a request.
type fieldError struct {
	field   string // as apikey names it, or as the client does
	problem string // such as "must be a string"
}

func (e *fieldError) Error() string { return e.field + " " + e.problem }

// A refusal is what a client sees of an error.
type refusal struct {
	status  int
	code    string
	message string // one sentence, for the API
	field   string // as apikey names it, where one is at fault
	problem string
}

var (
	signedOut = refusal{status: http.StatusUnauthorized, code: "unauthenticated", message: "Sign in first."}
	notFound  = refusal{status: http.StatusNotFound, code: "not_found", message: "There is no such key."}
	crossSite = refusal{status: http.StatusForbidden, code: "cross_origin", message: "The request comes from another site."}
	badMethod = refusal{status: http.StatusMethodNotAllowed, code: "method_not_allowed", message: "The method is not allowed here."}
	limit     = refusal{status: http.StatusConflict, code: "limit_reached",
		message: "There are as many active keys as allowed. Delete one that is no longer used first."}
	notActive = refusal{status: http.StatusConflict, code: "not_active", message: "The key has expired or was deleted."}
	inGrace   = refusal{status: http.StatusConflict, code: "in_grace",
		message: "The last rotation is not over: the key before it still works."}
	conflict = refusal{status: http.StatusConflict, code: "conflict",
		message: "The key was changed meanwhile. Look at it again first."}
	unavailable = refusal{status: http.StatusServiceUnavailable, code: "unavailable",
		message: "The keys can't be reached. Try again shortly."}
	faulty = refusal{status: http.StatusInternalServerError, code: "internal", message: "Something went wrong on our side."}
)

// members are the fields of apikey's arguments as the API names them. What is not among them is
// nothing that a client sent.
var members = map[string]string{
	"Label":     "label",
	"Contacts":  "notification_contacts",
	"ExpiresIn": "expires_in_days",
	"Grace":     "grace_seconds",
	"After":     "after",
	"Limit":     "limit",
	"State":     "state",
}

// refuse decides what a client sees of an error, and tells Config.OnError of a fault.
func (s *Settings) refuse(r *http.Request, err error) refusal {
	var answer refusal
	switch {
	case errors.Is(err, errSignedOut):
		return signedOut
	case errors.Is(err, apikey.ErrUnavailable):
		answer = unavailable
	case errors.Is(err, apikey.ErrNotFound):
		return notFound
	case errors.Is(err, apikey.ErrLimit):
		return limit
	case errors.Is(err, apikey.ErrNotActive):
		return notActive
	case errors.Is(err, apikey.ErrInGrace):
		return inGrace
	case errors.Is(err, apikey.ErrConflict):
		return conflict
	default:
		if field, ok := errors.AsType[*fieldError](err); ok {
			return invalid(field.field, field.problem)
		}
		if arg, ok := errors.AsType[*apikey.ArgumentError](err); ok && members[arg.Field] != "" {
			if _, most, ok := strings.Cut(arg.Problem, " to "); ok && arg.Field == "ExpiresIn" {
				return invalid(arg.Field, "must be at most "+most) // the least is a second, which nobody can ask for
			}
			return invalid(arg.Field, arg.Problem)
		}
		answer = faulty // such as scopes that the service doesn't grant
	}
	s.tell(r, err)
	return answer
}

func invalid(field, problem string) refusal {
	name := field
	if member := members[field]; member != "" {
		name = member
	}
	return refusal{
		status:  http.StatusBadRequest,
		code:    "api_validation",
		message: fmt.Sprintf("%s %s.", name, strings.TrimSuffix(problem, ".")),
		field:   field,
		problem: problem,
	}
}

// head sets the headers that go with the status.
func (a refusal) head(h http.Header) {
	switch a.status {
	case http.StatusUnauthorized:
		// RFC 9110 section 15.5.2 asks for a challenge; browsers pass over a scheme they don't know.
		if len(h.Values("WWW-Authenticate")) == 0 {
			h.Set("WWW-Authenticate", `Session realm="settings"`)
		}
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", retryAfter)
	}
}

// deny answers with a refusal.
func deny(w http.ResponseWriter, a refusal) {
	a.head(w.Header())
	reply(w, a.status, struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}{a.code, a.message})
}
