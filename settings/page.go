package settings

import (
	"bytes"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"

	"github.com/opengovsg/latchkey/apikey"
)

// Page returns the page, for people. It needs no script, and is better with one. It may be mounted
// with http.StripPrefix, or at a pattern that ends in a slash or in {rest...}, and links only to
// what is below that.
func (s *Settings) Page() http.Handler { return http.HandlerFunc(s.servePage) }

// A visit is one request of somebody who is signed in.
type visit struct {
	*Settings
	w     http.ResponseWriter
	r     *http.Request
	owner string
	root  string // leads from the address of this page to the list
}

func (s *Settings) servePage(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	below := below(r)
	parts := split(below)
	if len(parts) == 1 && (parts[0] == "settings.css" || parts[0] == "settings.js") {
		if allowed(w, r, http.MethodGet, http.MethodHead) {
			s.serveAsset(w, r, parts[0])
		} else {
			http.Error(w, badMethod.message, badMethod.status)
		}
		return
	}
	if len(parts) > maxParts {
		http.Error(w, notFound.message, notFound.status)
		return
	}
	v := &visit{Settings: s, w: w, r: r, root: "./" + strings.Repeat("../", max(len(parts), 1)-1)}
	if s.origin.Check(r) != nil {
		v.sorry(crossSite)
		return
	}
	var err error
	if v.owner, err = s.owner(r); err != nil {
		v.sorry(s.refuse(r, err))
		return
	}
	if address := slashed(r); below == "" && address != "" {
		v.see(address)
		return
	}
	v.route(parts)
}

// slashed returns the address that the links of the list are relative to, or "" if the request is for
// it. It is relative as well, for what http.Redirect would make of it lacks the prefix that was
// stripped.
func slashed(r *http.Request) string {
	uri, err := url.ParseRequestURI(r.RequestURI)
	if err != nil || strings.HasSuffix(uri.Path, "/") {
		return ""
	}
	return "./" + path.Base(uri.EscapedPath()) + "/"
}

func (v *visit) route(parts []string) {
	name := ""
	if len(parts) > 0 {
		name = parts[len(parts)-1]
	}
	type step func(id string)
	var get, post step
	switch {
	case len(parts) == 0:
		get = func(string) { v.list() }
	case len(parts) == 1 && name == "new":
		get = func(string) { v.askNew() }
		post = func(string) { v.create() }
	case len(parts) == 1:
		get = v.key
	case len(parts) == 2 && name == "contacts":
		get, post = v.back, v.contacts
	case len(parts) == 2 && name == "rotate":
		get, post = v.back, v.rotate
	case len(parts) == 2 && name == "delete":
		get, post = v.askDelete, v.remove
	default:
		v.sorry(notFound)
		return
	}
	methods := []string{http.MethodGet, http.MethodHead}
	if post != nil {
		methods = append(methods, http.MethodPost)
	}
	id := ""
	if len(parts) > 0 {
		id = parts[0]
	}
	switch {
	case !allowed(v.w, v.r, methods...):
		v.sorry(badMethod)
	case v.r.Method == http.MethodPost:
		if v.readForm() {
			post(id)
		}
	default:
		get(id)
	}
}

// back leads from an address that only takes a form, as after a reload, to the key's.
func (v *visit) back(id string) { v.see("../" + id) }

// see leads the browser to another address, relative to this one.
func (v *visit) see(address string) {
	v.w.Header().Set("Location", address)
	v.w.WriteHeader(http.StatusSeeOther)
}

// A layout is what all pages have.
type layout struct {
	Title    string // of all pages
	Heading  string // of this one
	Root     string
	Links    []Link
	Problems []problem
}

// A problem is a mistake, and where it is to be mended.
type problem struct {
	Field   string // the element's id, or empty
	Message string
}

// Problem returns what is wrong with a field, for the template to show beside it.
func (l layout) Problem(field string) string {
	for _, p := range l.Problems {
		if p.Field == field {
			return p.Message
		}
	}
	return ""
}

func (v *visit) layout(heading string, problems []problem) layout {
	return layout{v.config.Title, heading, v.root, v.config.Links, problems}
}

// show answers with a page, whole or not at all.
func (v *visit) show(status int, page *template.Template, data any) {
	var body bytes.Buffer
	if err := page.ExecuteTemplate(&body, "layout.html", data); err != nil {
		v.tell(v.r, errors.New("settings: a template failed")) // whose own error may quote what it was to show
		http.Error(v.w, faulty.message, faulty.status)
		return
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	v.w.WriteHeader(status)
	v.w.Write(body.Bytes())
}

// sorry answers with a refusal that no form shows.
func (v *visit) sorry(a refusal) {
	a.head(v.w.Header())
	v.show(a.status, plainPage, struct {
		layout
		Message string
		Retry   bool
	}{v.layout(a.heading(), nil), a.message, a.status == http.StatusUnauthorized || a.status == http.StatusServiceUnavailable})
}

// heading is that of a page that shows a refusal alone.
func (a refusal) heading() string {
	heading := map[int]string{
		http.StatusUnauthorized:       "Sign in to manage your keys",
		http.StatusForbidden:          "This request can’t be accepted",
		http.StatusNotFound:           "Key not found",
		http.StatusServiceUnavailable: "Your keys can’t be reached just now",
	}[a.status]
	if heading == "" {
		heading = "Something is not right"
	}
	return heading
}

// load returns the key with the id, or answers why there is none.
func (v *visit) load(id string) (apikey.Key, bool) {
	key, err := v.keys.Get(v.r.Context(), v.ref(id))
	if err != nil {
		v.sorry(v.refuse(v.r, err))
		return apikey.Key{}, false
	}
	return key, true
}

func (v *visit) ref(id string) apikey.Ref { return apikey.Ref{Owner: v.owner, ID: id} }
