package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opengovsg/latchkey/apikey"
)

const (
	maxBody  = 64 << 10 // bytes: 50 addresses of 254, escaped
	maxLimit = 500      // keys on a page, which is apikey's
	maxDays  = 36_600
)

// API returns the JSON API. Its description, an OpenAPI document, is at openapi.json below where it is
// mounted, which may be with http.StripPrefix, or at a pattern that ends in a slash or in {rest...}.
//
//	POST   /             makes a key; the one answer that holds the whole of it
//	GET    /             an array of the owner's keys, newest first
//	PUT    /{id}         replaces the contacts
//	POST   /{id}/rotate  makes a new token; the one answer that holds the whole of it
//	DELETE /{id}         revokes the key for good
//
// Errors are {"code", "message"}. Bodies are read strictly: no unknown or repeated members, no other
// types, at most 64 KiB.
func (s *Settings) API() http.Handler { return http.HandlerFunc(s.serveAPI) }

func (s *Settings) serveAPI(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	path := split(below(r))
	if len(path) == 1 && path[0] == "openapi.json" {
		if allowed(w, r, http.MethodGet, http.MethodHead) {
			s.serveAsset(w, r, path[0])
		} else {
			deny(w, badMethod)
		}
		return
	}
	if s.origin.Check(r) != nil {
		deny(w, crossSite)
		return
	}
	owner, err := s.owner(r)
	if err != nil {
		deny(w, s.refuse(r, err))
		return
	}
	methods, ok := apiMethods(path)
	switch {
	case !ok:
		deny(w, notFound)
		return
	case !allowed(w, r, methods...):
		deny(w, badMethod)
		return
	}
	var ref apikey.Ref
	if len(path) > 0 {
		ref = apikey.Ref{Owner: owner, ID: path[0]}
	}
	switch {
	case len(path) == 2:
		err = s.rotateJSON(w, r, ref)
	case r.Method == http.MethodPost:
		err = s.createJSON(w, r, owner)
	case r.Method == http.MethodPut:
		err = s.updateJSON(w, r, ref)
	case r.Method == http.MethodDelete:
		err = s.deleteJSON(w, r, ref)
	default:
		err = s.listJSON(w, r, owner)
	}
	if err != nil {
		deny(w, s.refuse(r, err))
	}
}

func apiMethods(path []string) (methods []string, ok bool) {
	switch {
	case len(path) == 0:
		return []string{http.MethodGet, http.MethodHead, http.MethodPost}, true
	case len(path) == 1:
		return []string{http.MethodPut, http.MethodDelete}, true
	case len(path) == 2 && path[1] == "rotate":
		return []string{http.MethodPost}, true
	}
	return nil, false
}

// allowed reports whether the method is one of those given, and names them if not.
func allowed(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	if slices.Contains(methods, r.Method) {
		return true
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	return false
}

func (s *Settings) createJSON(w http.ResponseWriter, r *http.Request, owner string) error {
	o, err := readBody(w, r, "label", "notification_contacts", "expires_in_days")
	if err != nil {
		return err
	}
	label, err1 := o.text("label")
	contacts, err2 := o.texts("notification_contacts")
	days, err3 := o.number("expires_in_days", maxDays)
	if err := first(err1, err2, err3, wantLabel(label), s.wantContacts(contacts)); err != nil {
		return err
	}
	token, key, err := s.keys.Issue(r.Context(), apikey.Request{
		Owner:     owner,
		Label:     label,
		Scopes:    s.config.Scopes,
		Contacts:  contacts,
		ExpiresIn: time.Duration(days) * day,
	})
	if err != nil {
		return err
	}
	v := s.view(key)
	v.PlainTextKey = token.Reveal()
	reply(w, http.StatusCreated, v)
	return nil
}

// wantLabel refuses a key without a label before anything else that is missing is looked at.
func wantLabel(label string) error {
	if label == "" {
		return &fieldError{"Label", "must be there"}
	}
	return nil
}

// wantContacts refuses a key that would have nobody to tell about it.
func (s *Settings) wantContacts(contacts []string) error {
	if len(contacts) == 0 && !s.config.ContactsOptional {
		return &fieldError{"Contacts", "must hold at least one e-mail address"}
	}
	return nil
}

func (s *Settings) updateJSON(w http.ResponseWriter, r *http.Request, ref apikey.Ref) error {
	o, err := readBody(w, r, "notification_contacts")
	if err != nil {
		return err
	}
	contacts, err := o.texts("notification_contacts")
	switch {
	case err != nil:
		return err
	case contacts == nil:
		return &fieldError{"notification_contacts", "must be there"}
	}
	if err := s.wantContacts(contacts); err != nil {
		return err
	}
	key, err := s.keys.Update(r.Context(), ref, apikey.Changes{Contacts: contacts})
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, s.view(key))
	return nil
}

func (s *Settings) rotateJSON(w http.ResponseWriter, r *http.Request, ref apikey.Ref) error {
	o, err := readBody(w, r, "grace_seconds", "immediately", "last_five")
	if err != nil {
		return err
	}
	grace, err1 := o.number("grace_seconds", int(maxGrace/time.Second))
	immediately, err2 := o.truth("immediately")
	hint, err3 := o.text("last_five")
	if err := first(err1, err2, err3); err != nil {
		return err
	}
	if immediately && grace != 0 {
		return &fieldError{"grace_seconds", "must not be there where immediately is true"}
	}
	if _, seen := o["last_five"]; seen && hint == "" {
		if err := s.unhinted(r.Context(), ref); err != nil {
			return err
		}
	}
	token, key, err := s.replace(r.Context(), ref, apikey.Rotation{
		Grace:       time.Duration(grace) * time.Second,
		Immediately: immediately,
		Hint:        hint,
	})
	if err != nil {
		return err
	}
	v := s.view(key)
	v.PlainTextKey = token.Reveal()
	reply(w, http.StatusCreated, v)
	return nil
}

func (s *Settings) deleteJSON(w http.ResponseWriter, r *http.Request, ref apikey.Ref) error {
	key, err := s.keys.Revoke(r.Context(), ref, deletedReason)
	if err != nil {
		return err
	}
	reply(w, http.StatusOK, map[string]string{"id": key.ID})
	return nil
}

// deletedReason is kept with a key that was deleted here.
const deletedReason = "deleted in the settings"

func (s *Settings) listJSON(w http.ResponseWriter, r *http.Request, owner string) error {
	page, err := pageOf(r.URL.RawQuery, maxLimit)
	if err != nil {
		return err
	}
	l, err := s.list(r.Context(), owner, page)
	if err != nil {
		return err
	}
	if l.Next != "" {
		next := url.Values{"after": {l.Next}, "limit": {strconv.Itoa(page.Limit)}}
		if page.State != "" {
			next.Set("state", string(page.State))
		}
		w.Header().Set("Link", "<?"+next.Encode()+`>; rel="next"`)
	}
	views := make([]keyView, len(l.Keys))
	for i, key := range l.Keys {
		views[i] = s.view(key)
	}
	reply(w, http.StatusOK, views)
	return nil
}

// pageOf reads which page is asked for.
func pageOf(query string, limit int) (apikey.Page, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return apikey.Page{}, &fieldError{"the query", "must be well-formed"}
	}
	for _, name := range []string{"after", "limit", "state"} {
		if len(values[name]) > 1 {
			return apikey.Page{}, &fieldError{name, "must not be there twice"}
		}
	}
	p := apikey.Page{After: values.Get("after"), Limit: limit, State: apikey.State(values.Get("state"))}
	if values.Has("limit") {
		n, err := strconv.Atoi(values.Get("limit"))
		if err != nil || n < 1 || n > maxLimit {
			return apikey.Page{}, &fieldError{"limit", "must be 1 to " + strconv.Itoa(maxLimit)}
		}
		p.Limit = n
	}
	return p, nil
}

// readBody reads the JSON object that is the body.
func readBody(w http.ResponseWriter, r *http.Request, known ...string) (object, error) {
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset, named := params["charset"]
	switch {
	case err != nil || media != "application/json" || len(r.Header["Content-Type"]) != 1,
		named && !strings.EqualFold(charset, "utf-8"):
		return nil, &fieldError{"the header Content-Type", "must be application/json"}
	case r.Header.Get("Content-Encoding") != "":
		return nil, &fieldError{"the header Content-Encoding", "must not be there"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, &fieldError{"the body", "must be at most " + strconv.Itoa(maxBody) + " bytes"}
	}
	if err != nil {
		return nil, &fieldError{"the body", "must be complete"}
	}
	return readObject(body, known...)
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// reply answers with JSON.
func reply(w http.ResponseWriter, status int, v any) {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(v); err != nil {
		panic(err) // strings, times and lists of them
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	w.Write(body.Bytes())
}
