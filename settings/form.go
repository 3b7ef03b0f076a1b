package settings

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/opengovsg/latchkey/apikey"
)

// maxForm is in bytes: 50 addresses of 254, three for each byte that is escaped, and a label.
const maxForm = 64 << 10

// readForm reads the body, or answers why it can't be read.
func (v *visit) readForm() bool {
	media, _, err := mime.ParseMediaType(v.r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		v.sorry(refusal{status: http.StatusUnsupportedMediaType, message: "This is not what the form on the page sends."})
		return false
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	if err := v.r.ParseForm(); err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			v.sorry(refusal{status: http.StatusRequestEntityTooLarge, message: "What you entered is too long. Go back and shorten it."})
			return false
		}
		v.sorry(refusal{status: http.StatusBadRequest, message: "What was sent is not complete. Go back and try again."})
		return false
	}
	for _, values := range v.r.PostForm {
		if len(values) > 1 {
			v.sorry(refusal{status: http.StatusBadRequest, message: "A field was sent twice. Go back and try again."})
			return false
		}
	}
	return true
}

// field returns what was entered, from the body and never from the address.
func (v *visit) field(name string) string { return v.r.PostForm.Get(name) }

// addresses returns the addresses of a text with one on each line.
func addresses(text string) []string {
	list := []string{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			list = append(list, line)
		}
	}
	return list
}

// fields are the elements of the forms by what apikey calls their values, and what people do.
var fields = map[string]struct{ id, name string }{
	"Label":     {"label", "The label"},
	"Contacts":  {"contacts", "The contact e-mails"},
	"ExpiresIn": {"expiry", "The expiry"},
	"Grace":     {"grace", "The overlap"},
}

// problems returns what to show of a refusal on a form.
func (a refusal) problems() []problem {
	if f, ok := fields[a.field]; ok {
		message := f.name + " " + a.problem + "."
		if a.field == "Contacts" {
			message += " Put each address on a line of its own."
		}
		return []problem{{f.id, message}}
	}
	return []problem{{"", a.message}}
}

// missing returns a problem for each field that was left out, all at once.
func (v *visit) missing(label string, contacts []string) (problems []problem) {
	if label == "" {
		problems = append(problems, problem{"label", "Enter a label."})
	}
	if v.wantContacts(contacts) != nil {
		problems = append(problems, problem{"contacts", "Enter at least one contact e-mail."})
	}
	return problems
}

// A choice is one of a list of radio buttons.
type choice struct {
	Value   string
	Text    string
	Hint    string
	Checked bool
}

// expiries are the lives to choose from.
func (s *Settings) expiries(chosen string) []choice {
	choices := make([]choice, len(s.config.Expiries))
	for i, expiry := range s.config.Expiries {
		value := seconds(expiry)
		choices[i] = choice{
			Value:   value,
			Text:    duration(expiry),
			Hint:    "until " + s.date(s.config.Now().Add(expiry)),
			Checked: value == chosen || chosen == "" && i == 0,
		}
	}
	return choices
}

// life returns which of the lives offered was chosen for the key, or 0 where it was none of them: whoever wanted
// a key for 30 days wants its replacement for no longer.
func (s *Settings) life(key apikey.Key) time.Duration {
	began := key.CreatedAt
	if h, ok := key.Handover(); ok {
		began = h.RotatedAt
	}
	for _, expiry := range s.config.Expiries {
		if (key.ExpiresAt.Sub(began) - expiry).Abs() < time.Second {
			return expiry
		}
	}
	return 0
}

// replace rotates a key, for a life as long as its owner chose before.
func (s *Settings) replace(ctx context.Context, ref apikey.Ref, r apikey.Rotation) (apikey.Token, apikey.Key, error) {
	key, err := s.keys.Get(ctx, ref)
	if err != nil {
		return apikey.Token{}, apikey.Key{}, err
	}
	r.ExpiresIn = s.life(key)
	return s.keys.Rotate(ctx, ref, r)
}

func lifeText(life time.Duration) string {
	if life == 0 {
		return ""
	}
	return duration(life)
}

// immediately is the choice of no overlap.
const immediately = "none"

// graces are the overlaps to choose from. A key whose last rotation is not over can only be rotated
// without one.
func (s *Settings) graces(chosen string, only bool) []choice {
	var choices []choice
	for i, grace := range s.config.Graces {
		if only {
			break
		}
		value := seconds(grace)
		choices = append(choices, choice{
			Value:   value,
			Text:    duration(grace),
			Hint:    "after the new key is first used",
			Checked: value == chosen || chosen == "" && i == 0,
		})
	}
	return append(choices, choice{
		Value:   immediately,
		Text:    "None: stop the current key at once",
		Hint:    "for a key that leaked; whatever still uses it fails",
		Checked: chosen == immediately,
	})
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// among returns the duration that was chosen of those offered: what a form sends is no more than data.
func among(offered []time.Duration, chosen string) (time.Duration, bool) {
	for _, d := range offered {
		if seconds(d) == chosen {
			return d, true
		}
	}
	return 0, false
}

// request reads the form for a new key.
func (v *visit) request() (apikey.Request, error) {
	r := apikey.Request{
		Owner:    v.owner,
		Label:    strings.TrimSpace(v.field("label")),
		Scopes:   v.config.Scopes,
		Contacts: addresses(v.field("contacts")),
	}
	if len(v.config.Expiries) > 0 {
		expiry, ok := among(v.config.Expiries, v.field("expiry"))
		if !ok {
			return r, &fieldError{"ExpiresIn", "must be one of those offered"}
		}
		r.ExpiresIn = expiry
	}
	return r, nil
}

// rotation reads the form for a new token.
func (v *visit) rotation() (apikey.Rotation, error) {
	r := apikey.Rotation{Hint: v.field("seen")}
	if !v.r.PostForm.Has("seen") {
		return r, apikey.ErrConflict // without it, a second press would cancel what the first one showed
	}
	if v.field("grace") == immediately {
		r.Immediately = true
		return r, nil
	}
	grace, ok := among(v.config.Graces, v.field("grace"))
	if !ok {
		return r, &fieldError{"Grace", "must be one of those offered"}
	}
	r.Grace = grace
	return r, nil
}
