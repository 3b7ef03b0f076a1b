// Package web reads the bodies of requests and writes answers, the one way that this service does.
package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"
)

// ReadObject reads the body, which must be a JSON object of at most max bytes with all of the given
// members and no others, each a string. It fails with a [*Refusal].
//
// Package encoding/json takes "EMAIL" for "email", and the last of two: what was checked in front, by a
// proxy for one, would then not be what is done.
func ReadObject(w http.ResponseWriter, r *http.Request, max int64, members ...string) (map[string]string, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return nil, Invalid("The header Content-Type must be application/json.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, max))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, Invalid(fmt.Sprintf("The body must be at most %d bytes.", max))
	}
	if err != nil {
		return nil, Invalid("The body must be complete.")
	}
	if !utf8.Valid(body) {
		return nil, Invalid("The body must be UTF-8.")
	}
	o, err := object(body, members)
	if err != nil {
		return nil, err
	}
	for _, name := range members {
		if _, ok := o[name]; !ok {
			return nil, Invalid(name + " must be there.")
		}
	}
	return o, nil
}

func object(body []byte, members []string) (map[string]string, error) {
	noObject := Invalid("The body must be one JSON object.")
	dec := json.NewDecoder(bytes.NewReader(body))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, noObject
	}
	o := make(map[string]string)
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, noObject
		}
		if !slices.Contains(members, name) {
			return nil, Invalid("The body must have no members but " + strings.Join(members, ", ") + ".")
		}
		if _, twice := o[name]; twice {
			return nil, Invalid(name + " must not be there twice.")
		}
		from := dec.InputOffset()
		if token, err = dec.Token(); err != nil {
			return nil, noObject
		}
		if o[name], ok = token.(string); !ok || mangled(o[name], body[from:dec.InputOffset()]) {
			return nil, Invalid(name + " must be a string.")
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, noObject
	}
	if len(bytes.Trim(body[dec.InputOffset():], " \t\r\n")) != 0 {
		return nil, Invalid("The body must end after the object.")
	}
	return o, nil
}

// mangled reports whether package encoding/json put U+FFFD in place of half a surrogate pair.
func mangled(s string, raw []byte) bool {
	spelled := strings.Count(string(raw), "\uFFFD")
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		if i++; raw[i] == 'u' && strings.EqualFold(string(raw[i+1:i+5]), "fffd") {
			spelled++
		}
	}
	return strings.Count(s, "\uFFFD") != spelled
}

// maxForm is the size of a form in bytes: an address, a code, and where to go next.
const maxForm = 16 << 10

// ReadForm reads a form into r.PostForm, or fails with a [*Refusal].
func ReadForm(w http.ResponseWriter, r *http.Request) error {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return Invalid("This is not what the form on the page sends.")
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if r.ParseForm() != nil {
		return Invalid("What was sent is too long, or not complete.")
	}
	return nil
}
