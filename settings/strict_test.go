package settings

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzBody holds the strict reading to the lenient one: what it accepts, encoding/json accepts, with
// the same values.
func FuzzBody(f *testing.F) {
	for _, body := range []string{
		`{"label":"x","notification_contacts":["a@agency.gov.sg"],"expires_in_days":30}`, ` { } `, `{"label":"\ud83d\udd11\ufffd"}`,
		`{"label":"\ud800"}`, `{"label":"\\ud800"}`, `{"notification_contacts":[]}`, `{"Label":"x"}`, `{"label":"x","label":"y"}`, `{"label":"x"}x`,
		`{"expires_in_days":1e1}`, `{"label":null}`, `[]`, "{\"label\":\"\xff\"}", `{"label":"\u`, `{"label":"a`, `{"expires_in_days":007}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := readObject(body, "label", "notification_contacts", "expires_in_days")
		if err != nil {
			return
		}
		label, err1 := o.text("label")
		contacts, err2 := o.texts("notification_contacts")
		days, err3 := o.number("expires_in_days", maxDays)
		if first(err1, err2, err3) != nil {
			return
		}
		var want struct {
			Label    string   `json:"label"`
			Contacts []string `json:"notification_contacts"`
			Days     int      `json:"expires_in_days"`
		}
		dec := json.NewDecoder(bytes.NewReader(body))
		dec.DisallowUnknownFields()
		require.NoError(t, dec.Decode(&want))
		require.Equal(t, want.Label, label)
		require.Equal(t, want.Contacts, contacts)
		require.Equal(t, want.Days, days)
	})
}
