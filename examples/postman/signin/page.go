package signin

import (
	_ "embed"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/opengovsg/latchkey/examples/postman/web"
)

//go:embed page.html
var pageSource string

var page = template.Must(template.New("page").Parse(pageSource))

// A form is what the page shows.
type form struct {
	Next    string // where to go once signed in
	Email   string
	Asking  bool // for the code, and not for the address
	Problem string
	Notice  string

	MailPage string // set by show
}

// Page returns the page on which people sign in, at /login, and out, at /logout. It needs no script.
func (s *SignIn) Page() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", s.showForm)
	mux.HandleFunc("POST /login", s.takeAddress)
	mux.HandleFunc("POST /login/code", s.takeCode)
	mux.HandleFunc("GET /login/code", func(w http.ResponseWriter, r *http.Request) { web.See(w, "/login") })
	mux.HandleFunc("GET /logout", s.signOut)
	return mux
}

// Require leads who is not signed in from a page to the form, and back afterwards.
func (s *SignIn) Require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			if _, err := s.Owner(r); errors.Is(err, ErrSignedOut) {
				web.See(w, "/login?"+url.Values{"next": {r.URL.RequestURI()}}.Encode())
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// next returns where to go once signed in: below home and nowhere else, whatever a link says.
func (s *SignIn) next(address string) string {
	u, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(u.EscapedPath(), s.home) || !strings.HasPrefix(path.Clean(u.Path)+"/", s.home) {
		return s.home
	}
	return u.RequestURI() // a path and a query: what host there was is gone
}

// show shows the form, and why it is shown again.
func (s *SignIn) show(w http.ResponseWriter, f form, why *web.Refusal) {
	f.MailPage = s.mailPage
	status := http.StatusOK
	if why != nil {
		status = why.Status
	}
	web.Page(w, status, page, f, why)
}

// sorry shows the form again, with what is wrong.
func (s *SignIn) sorry(w http.ResponseWriter, r *http.Request, f form, err error) {
	why := s.refuse(r, err)
	f.Problem = why.Message
	switch {
	case errors.Is(err, errAddress):
		f.Problem = "Enter your e-mail address, which ends in .gov.sg."
		f.Asking = false
	case errors.Is(err, errForm):
		f.Problem = "Enter the 6 digits of the code."
	case why.Status == http.StatusTooManyRequests && !f.Asking:
		f.Asking = true // there is a code already
	}
	s.show(w, f, why)
}

func (s *SignIn) showForm(w http.ResponseWriter, r *http.Request) {
	next := s.next(r.URL.Query().Get("next"))
	_, err := s.Owner(r)
	switch {
	case err == nil:
		web.See(w, next)
	case errors.Is(err, ErrSignedOut):
		s.show(w, form{Next: next}, nil)
	default:
		s.sorry(w, r, form{Next: next}, err)
	}
}

// read reads a form that this site's page sent, or answers why not.
func (s *SignIn) read(w http.ResponseWriter, r *http.Request) (form, bool) {
	err := error(web.CrossSite())
	if s.origin.Check(r) == nil {
		err = web.ReadForm(w, r)
	}
	if err != nil {
		s.sorry(w, r, form{Next: s.home}, err)
		return form{}, false
	}
	return form{Next: s.next(r.PostForm.Get("next")), Email: strings.TrimSpace(r.PostForm.Get("email"))}, true
}

func (s *SignIn) takeAddress(w http.ResponseWriter, r *http.Request) {
	f, ok := s.read(w, r)
	if !ok {
		return
	}
	if err := s.sendCode(r.Context(), r, f.Email); err != nil {
		s.sorry(w, r, f, err)
		return
	}
	f.Asking = true
	s.show(w, f, nil)
}

func (s *SignIn) takeCode(w http.ResponseWriter, r *http.Request) {
	f, ok := s.read(w, r)
	if !ok {
		return
	}
	f.Asking = true
	code := strings.Join(strings.Fields(r.PostForm.Get("code")), "") // as people type it
	owner, err := s.redeem(r.Context(), f.Email, code)
	if err == nil {
		err = s.begin(w, r, owner)
	}
	if err != nil {
		s.sorry(w, r, f, err)
		return
	}
	web.See(w, f.Next)
}

func (s *SignIn) signOut(w http.ResponseWriter, r *http.Request) {
	if fromAnotherSite(r) {
		s.sorry(w, r, form{Next: s.home}, web.CrossSite())
		return
	}
	if err := s.end(w, r); err != nil {
		s.sorry(w, r, form{Next: s.home}, err)
		return
	}
	s.show(w, form{Next: s.home, Notice: "You are signed out."}, nil)
}
