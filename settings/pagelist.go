package settings

import (
	"net/http"
	"net/url"

	"github.com/opengovsg/latchkey/apikey"
)

// pageLimit is how many keys the page lists at once.
const pageLimit = 20

// list shows the owner's keys.
func (v *visit) list() {
	page, err := pageOf(v.r.URL.RawQuery, pageLimit)
	if err != nil {
		v.sorry(v.refuse(v.r, err))
		return
	}
	l, err := v.Settings.list(v.r.Context(), v.owner, page)
	if err != nil {
		v.sorry(v.refuse(v.r, err))
		return
	}
	data := struct {
		layout
		Rows    []row
		Deleted string // the label of the key that was just deleted
		Revoked bool   // whether the list is of revoked keys
		First   bool   // whether this is the first page
		Next    string
	}{
		layout:  v.layout(v.config.Title, nil),
		Rows:    make([]row, len(l.Keys)),
		Deleted: v.justDeleted(),
		Revoked: page.State == apikey.StateRevoked,
		First:   page.After == "",
	}
	for i, key := range l.Keys {
		data.Rows[i] = v.row(key)
	}
	if l.Next != "" {
		next := url.Values{"after": {l.Next}}
		if page.State != "" {
			next.Set("state", string(page.State))
		}
		data.Next = "?" + next.Encode()
	}
	v.show(http.StatusOK, listPage, data)
}

// justDeleted returns the label of the key that the address says was deleted, if it is one that was:
// an address can be made up.
func (v *visit) justDeleted() string {
	id := v.r.URL.Query().Get("deleted")
	if id == "" {
		return ""
	}
	key, err := v.keys.Get(v.r.Context(), v.ref(id))
	if err != nil || key.RevokedAt.IsZero() {
		return "" // the list is what was asked for
	}
	return key.Label
}

// recent returns the owner's newest keys, and the id of the very newest, "" if there is none.
func (v *visit) recent() (keys []apikey.Key, newest string, err error) {
	l, err := v.keys.List(v.r.Context(), v.owner, apikey.Page{Limit: pageLimit})
	if err != nil || len(l.Keys) == 0 {
		return nil, "", err
	}
	return l.Keys, l.Keys[0].ID, nil
}
