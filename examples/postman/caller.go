package main

import (
	"errors"
	"net/http"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/examples/postman/signin"
	"github.com/opengovsg/latchkey/examples/postman/web"
)

// caller returns on whose behalf a request is made: that of the key which the guard found, if it has the
// scope or no scopes at all, or of the session. Otherwise it answers, and returns "".
func (s *service) caller(w http.ResponseWriter, r *http.Request, scope string) string {
	if key, ok := apikey.FromContext(r.Context()); ok {
		if len(key.Scopes()) > 0 && !key.Allows(scope) {
			s.guard.Deny(w, r, &bearer.ScopeError{KeyID: key.ID, Scope: scope})
			return ""
		}
		return key.Owner
	}
	if s.origin.Check(r) != nil {
		web.Refuse(w, web.CrossSite())
		return ""
	}
	owner, err := s.signin.Owner(r)
	switch {
	case errors.Is(err, signin.ErrSignedOut):
		s.guard.Deny(w, r, bearer.ErrNoCredentials)
		return ""
	case err != nil:
		s.fault(r, err)
		web.Refuse(w, web.Unavailable("The session can't be looked up. Try again shortly."))
		return ""
	}
	return owner
}

// serveCampaigns lists the caller's campaigns. This service has none: the route is here for who may see it.
func (s *service) serveCampaigns(w http.ResponseWriter, r *http.Request) {
	if s.caller(w, r, scopeRead) == "" {
		return
	}
	web.JSON(w, http.StatusOK, struct {
		Campaigns []struct{} `json:"campaigns"`
		Total     int        `json:"total_count"`
	}{Campaigns: []struct{}{}})
}
