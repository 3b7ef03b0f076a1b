package signin

import (
	"errors"
	"net/http"

	"github.com/opengovsg/latchkey/examples/postman/web"
)

// maxBody is the size of a body in bytes: an address and a code, escaped.
const maxBody = 4 << 10

// API returns the JSON API, to be mounted below /v1/auth/:
//
//	POST /v1/auth/otp      {"email"}         mails a code
//	POST /v1/auth/login    {"email", "otp"}  signs in, with a cookie
//	GET  /v1/auth/userinfo                   who is signed in, {} for nobody
//	GET  /v1/auth/logout                     signs out
//
// Errors are {"code", "message"}: 400 for what can't be so, 401 for a wrong code, 403 for what another
// site sends, 429 for a code too soon after the last one, and 503.
func (s *SignIn) API() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /v1/auth/otp", s.json(s.serveOTP))
	mux.Handle("POST /v1/auth/login", s.json(s.serveLogin))
	mux.Handle("GET /v1/auth/userinfo", s.json(s.serveUserInfo))
	mux.Handle("GET /v1/auth/logout", s.json(s.serveLogout))
	return mux
}

// json answers with the refusal that a handler returns.
func (s *SignIn) json(serve func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := error(web.CrossSite())
		if s.origin.Check(r) == nil {
			err = serve(w, r)
		}
		if err != nil {
			web.Refuse(w, s.refuse(r, err))
		}
	})
}

func (s *SignIn) serveOTP(w http.ResponseWriter, r *http.Request) error {
	body, err := web.ReadObject(w, r, maxBody, "email")
	if err != nil {
		return err
	}
	if err := s.sendCode(r.Context(), r, body["email"]); err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, struct{}{})
	return nil
}

func (s *SignIn) serveLogin(w http.ResponseWriter, r *http.Request) error {
	body, err := web.ReadObject(w, r, maxBody, "email", "otp")
	if err != nil {
		return err
	}
	owner, err := s.redeem(r.Context(), body["email"], body["otp"])
	if err != nil {
		return err
	}
	if err := s.begin(w, r, owner); err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, struct{}{})
	return nil
}

func (s *SignIn) serveUserInfo(w http.ResponseWriter, r *http.Request) error {
	owner, err := s.Owner(r)
	if errors.Is(err, ErrSignedOut) {
		web.JSON(w, http.StatusOK, struct{}{})
		return nil
	}
	if err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, struct {
		Email        string   `json:"email"`
		ID           string   `json:"id"`
		Experimental struct{} `json:"experimental_data"` // which the front end reads
	}{Email: owner, ID: owner})
	return nil
}

func (s *SignIn) serveLogout(w http.ResponseWriter, r *http.Request) error {
	if fromAnotherSite(r) {
		return web.CrossSite()
	}
	if err := s.end(w, r); err != nil {
		return err
	}
	web.JSON(w, http.StatusOK, struct{}{})
	return nil
}

// fromAnotherSite reports whether another site had the browser send a GET that changes something: an
// image, say, that would sign everybody out who looks at it.
func fromAnotherSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "none", "same-origin":
		return false
	}
	return true
}
