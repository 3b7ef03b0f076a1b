package settings

import (
	"net/http"
	"slices"
	"strings"

	"github.com/opengovsg/latchkey/apikey"
)

type newForm struct {
	layout
	Label            string
	Contacts         string
	ContactsOptional bool
	Expiries         []choice
	Seen             string
}

// askNew shows the form for a new key.
func (v *visit) askNew() {
	_, newest, err := v.recent()
	if err != nil {
		v.sorry(v.refuse(v.r, err))
		return
	}
	v.showNew(http.StatusOK, newest, nil)
}

func (v *visit) showNew(status int, seen string, problems []problem) {
	v.show(status, newPage, newForm{
		layout:           v.layout("Generate API key", problems),
		Label:            v.field("label"),
		Contacts:         v.field("contacts"),
		ContactsOptional: v.config.ContactsOptional,
		Expiries:         v.expiries(v.field("expiry")),
		Seen:             seen,
	})
}

// create makes a key and shows its token.
func (v *visit) create() {
	recent, newest, err := v.recent()
	if err != nil {
		v.failNew(err, v.field("seen"))
		return
	}
	r, err := v.request()
	if err != nil {
		v.failNew(err, newest)
		return
	}
	if missing := v.missing(r.Label, r.Contacts); len(missing) > 0 {
		v.showNew(http.StatusBadRequest, newest, missing)
		return
	}
	// A page that was reloaded, or a button that was pressed twice, sends the same form again.
	seen := v.field("seen")
	if slices.ContainsFunc(recent, func(k apikey.Key) bool { return k.ID > seen && k.Label == r.Label }) {
		v.showNew(http.StatusConflict, newest, []problem{{"label", "A key with this label was generated just now, and " +
			"is shown only once. To generate another one with the same label, press the button again."}})
		return
	}
	token, key, err := v.keys.Issue(v.r.Context(), r)
	if err != nil {
		v.failNew(err, newest)
		return
	}
	v.showToken("Your new API key", token, key, false)
}

func (v *visit) failNew(err error, seen string) {
	a := v.refuse(v.r, err)
	a.head(v.w.Header())
	problems := a.problems()
	if a.status == http.StatusServiceUnavailable {
		problems[0].Message = "Your keys can’t be reached just now, and it may be that a key was made. " +
			"Look at the list before you try again."
	}
	v.showNew(a.status, seen, problems)
}

// showToken is the one answer that holds a token. It is the answer to the form itself: a redirect would
// have to carry the token, or keep it somewhere.
func (v *visit) showToken(heading string, token apikey.Token, key apikey.Key, rotated bool) {
	v.show(http.StatusOK, tokenPage, struct {
		layout
		Token   string
		Key     row
		Rotated bool
	}{v.layout(heading, nil), token.Reveal(), v.row(key), rotated})
}

type keyForm struct {
	layout
	Key      row
	Saved    bool
	Contacts string
	Graces   []choice
	Life     string // of a replacement, where it is that of the key
}

// key shows one key and what can be done with it.
func (v *visit) key(id string) {
	key, ok := v.load(id)
	if !ok {
		return
	}
	v.showKey(http.StatusOK, key, nil)
}

func (v *visit) showKey(status int, key apikey.Key, problems []problem) {
	contacts := strings.Join(key.Contacts(), "\n")
	if v.r.PostForm.Has("contacts") {
		contacts = v.field("contacts")
	}
	r := v.row(key)
	v.show(status, keyPage, keyForm{
		layout:   v.layout(key.Label, problems),
		Key:      r,
		Saved:    v.r.URL.Query().Has("saved"),
		Contacts: contacts,
		Graces:   v.graces(v.field("grace"), r.State == stateRotating),
		Life:     lifeText(v.life(key)),
	})
}

// contacts replaces who is told about a key.
func (v *visit) contacts(id string) {
	contacts := addresses(v.field("contacts"))
	err := v.wantContacts(contacts)
	if err == nil {
		_, err = v.keys.Update(v.r.Context(), v.ref(id), apikey.Changes{Contacts: contacts})
	}
	if err != nil {
		v.failKey(id, err)
		return
	}
	v.see("../" + id + "?saved")
}

// rotate makes a new token and shows it.
func (v *visit) rotate(id string) {
	r, err := v.rotation()
	if err == nil && r.Hint == "" {
		err = v.unhinted(v.r.Context(), v.ref(id))
	}
	var (
		token apikey.Token
		key   apikey.Key
	)
	if err == nil {
		token, key, err = v.replace(v.r.Context(), v.ref(id), r)
	}
	if err != nil {
		v.failKey(id, err)
		return
	}
	v.showToken("Your replacement key", token, key, true)
}

// failKey shows the key's page with what went wrong, and what was typed.
func (v *visit) failKey(id string, err error) {
	a := v.refuse(v.r, err)
	typed := v.r.PostForm.Has("contacts")
	switch {
	case a.status == http.StatusServiceUnavailable && typed:
		a.message = "Your keys can’t be reached just now. What you entered is still here: try again shortly."
	case a.status == http.StatusServiceUnavailable:
		a.message = "Your keys can’t be reached just now, and it may be that the key was replaced. " +
			"Look at what it ends in before you try again."
	case a.code == conflict.code:
		a.message = "The key was replaced after you opened this page, and the new one is shown only once. " +
			"Check what it ends in below. If nobody has the new one, you can replace it again."
	}
	key, getErr := v.keys.Get(v.r.Context(), v.ref(id))
	switch {
	case getErr == nil:
		a.head(v.w.Header())
		v.showKey(a.status, key, a.problems())
	case a.status == http.StatusServiceUnavailable && typed:
		a.head(v.w.Header())
		v.show(a.status, keptPage, keyForm{
			layout:   v.layout(a.heading(), a.problems()),
			Key:      row{ID: id},
			Contacts: v.field("contacts"),
		})
	case a.status == http.StatusServiceUnavailable:
		v.sorry(a)
	default:
		v.sorry(v.refuse(v.r, getErr))
	}
}

// askDelete says what deleting a key does.
func (v *visit) askDelete(id string) {
	key, ok := v.load(id)
	if !ok {
		return
	}
	v.show(http.StatusOK, deletePage, struct {
		layout
		Key row
	}{v.layout("Delete this key?", nil), v.row(key)})
}

// remove revokes a key.
func (v *visit) remove(id string) {
	if _, err := v.keys.Revoke(v.r.Context(), v.ref(id), deletedReason); err != nil {
		v.sorry(v.refuse(v.r, err))
		return
	}
	v.see("../?deleted=" + id)
}
