package storetest

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/opengovsg/latchkey/store"
)

var errorRules = []rule{
	{"errors-show-no-hash", func(t *trial) {
		// One hash that shows as it is and one that shows only in some encoding.
		hashes := []store.Hash{"a hash of 32 printable letters &c", "\x00\x01\xc7\xfe\xff\x80\xa3'\"\\\n\x7f and no UTF-8 \xe2\x82 at all"}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		for i, hash := range hashes {
			kept := t.filled(2 * i)
			kept.Owner, kept.Hash = "user_42", hash
			t.create(kept)
			active := sample(100 + i)
			active.Hash = hash
			t.create(active)

			rec := t.filled(2*i + 1)
			rec.Owner, rec.Hash = kept.Owner, hash
			conflict := kept
			conflict.Version = 7
			taken := rec
			taken.Alias = kept.Alias
			elsewhere := kept
			elsewhere.Owner = "user_43"
			_, get := t.st.Get(t.Context(), rec.ID)
			_, getEnded := t.st.Get(ended, kept.ID)
			_, list := t.st.List(ended, store.Query{Limit: 10})
			_, purge := t.st.Purge(ended, now, 10)
			for method, errs := range map[string][]error{
				"Create": {t.st.Create(t.Context(), kept, 0), t.st.Create(t.Context(), taken, 0), t.st.Create(t.Context(), rec, 1), t.st.Create(ended, rec, 0)},
				"Update": {t.st.Update(t.Context(), conflict), t.st.Update(t.Context(), elsewhere), t.st.Update(t.Context(), rec), t.st.Update(ended, kept)},
				"Touch":  {t.st.Touch(ended, []store.Use{{ID: kept.ID, At: now}})},
				"Get":    {get, getEnded},
				"List":   {list},
				"Purge":  {purge},
			} {
				for n, err := range errs {
					if err == nil {
						t.Errorf("a call that can't be carried out is an error; call %d of %s returned none", n+1, method)
					} else if shows(fmt.Sprintf("%v\n%+v\n%#v", err, err, err), hash) {
						t.Errorf("no error text holds a hash; that of call %d of %s does, and is not repeated here", n+1, method)
					}
				}
			}
		}
	}},
}

// shows reports whether the text holds eight bytes of the hash in a row, as they are or in an
// encoding that errors are printed in.
func shows(text string, hash store.Hash) bool {
	for h := string(hash); len(h) >= 8; h = h[1:] {
		part := []byte(h[:8])
		quoted := strconv.Quote(h[:8])
		decimal := strings.Trim(fmt.Sprint(part), "[]")
		for _, form := range []string{
			h[:8],
			quoted[1 : len(quoted)-1],
			decimal,
			strings.ReplaceAll(decimal, " ", ", "),
			fmt.Sprintf("%x", part),
			fmt.Sprintf("%X", part),
			fmt.Sprintf("% x", part),
			strings.ReplaceAll(fmt.Sprintf("% #x", part), " ", ", "),
			base64.StdEncoding.EncodeToString(part[:6]), // six bytes are eight characters, without a rest
			base64.URLEncoding.EncodeToString(part[:6]),
		} {
			if strings.Contains(text, form) {
				return true
			}
		}
	}
	return false
}
