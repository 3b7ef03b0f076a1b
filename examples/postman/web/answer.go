package web

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"time"
)

// A Refusal is an answer other than success, as an error.
type Refusal struct {
	Status  int
	Code    string // for programs
	Message string // one sentence for people, which repeats nothing of the request

	// RetryAfter, where not zero, is how long to wait before trying again. It is sent in whole seconds.
	RetryAfter time.Duration
}

// Error returns the message.
func (r *Refusal) Error() string { return r.Message }

// Invalid refuses a request that can't be so.
func Invalid(message string) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Code: "api_validation", Message: message}
}

// SignedOut refuses who is not signed in.
func SignedOut(message string) *Refusal {
	return &Refusal{Status: http.StatusUnauthorized, Code: "unauthenticated", Message: message}
}

// Unavailable refuses what can't be done for the time being.
func Unavailable(message string) *Refusal {
	return &Refusal{Status: http.StatusServiceUnavailable, Code: "service_unavailable", Message: message, RetryAfter: time.Second}
}

// CrossSite refuses what a browser sends on behalf of another site.
func CrossSite() *Refusal {
	return &Refusal{Status: http.StatusForbidden, Code: "cross_origin", Message: "The request comes from another site."}
}

// head sets the headers that go with the status.
func (r *Refusal) head(h http.Header) {
	if r.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Session realm="postman"`) // RFC 9110 section 15.5.2 asks for one
	}
	if r.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(Seconds(r.RetryAfter)))
	}
}

// Seconds returns how many whole seconds to wait until d has passed.
func Seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

// Refuse answers with {"code", "message"}.
func Refuse(w http.ResponseWriter, r *Refusal) {
	r.head(w.Header())
	JSON(w, r.Status, struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}{r.Code, r.Message})
}

// JSON answers with v, which must be of a kind that always marshals.
func JSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	write(w, status, "application/json", append(body, '\n'))
}

// Page answers with a page, whole or not at all. Where it shows a refusal, that is why, and otherwise nil.
func Page(w http.ResponseWriter, status int, page *template.Template, data any, why *Refusal) {
	var body bytes.Buffer
	if err := page.Execute(&body, data); err != nil {
		panic(err) // the data is ours
	}
	if why != nil {
		why.head(w.Header())
	}
	write(w, status, "text/html; charset=utf-8", body.Bytes())
}

// See leads the browser to another page.
func See(w http.ResponseWriter, address string) {
	secure(w.Header())
	w.Header().Set("Location", address)
	w.WriteHeader(http.StatusSeeOther)
}

func write(w http.ResponseWriter, status int, kind string, body []byte) {
	h := w.Header()
	secure(h)
	h.Set("Content-Type", kind)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body)
}

// secure sets what every answer carries. A page must not run or load anything that is not ours, be
// shown inside another site's, or be kept.
func secure(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "same-origin") // under no-referrer a form comes with Origin: null, as from another site
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY") // for browsers that don't know frame-ancestors
}
