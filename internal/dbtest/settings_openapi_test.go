package dbtest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/store/storetest"
)

// described returns a validator by the description that the API serves itself.
func described(t *testing.T, v visitor) validator.Validator {
	t.Helper()
	_, res, text := v.do("GET", "/openapi.json", "", "")
	require.Equal(t, 200, res.StatusCode)
	doc, err := libopenapi.NewDocument([]byte(text))
	require.NoError(t, err)
	check, errs := validator.NewValidator(doc)
	require.Empty(t, errs)
	ok, problems := check.ValidateDocument()
	require.True(t, ok, problems)
	return check
}

// TestSettingsDescription holds what the API takes and answers to its OpenAPI description: what the
// description calls valid is taken, what it calls invalid is refused, and every answer is as described.
func TestSettingsDescription(t *testing.T) {
	st := databases[0].migrated(t, databases[0].open(t))
	keys, s, advance := newSettings(t, st, 3)
	v := newVisitor(t, s.API())
	check := described(t, v)

	send := func(status int, method, path, body string) string {
		t.Helper()
		r, res, text := v.do(method, path, "application/json", body)
		require.Equal(t, status, res.StatusCode, text)
		ok, problems := check.ValidateHttpRequest(r)
		require.Equal(t, status != 400, ok || v.who == "", "%s %s %s: %v", method, path, body, problems)
		ok, problems = check.ValidateHttpResponse(r, res)
		require.True(t, ok, "%s %s: %s %v", method, path, text, problems)
		advance(time.Second)
		return text
	}
	const contacts = `"notification_contacts":["a@agency.gov.sg"]`
	var made struct {
		ID    string `json:"id"`
		Token string `json:"plain_text_key"`
		Hint  string `json:"last_five"`
	}
	require.NoError(t, json.Unmarshal([]byte(send(201, "POST", "/", `{"label":"x",`+contacts+`}`)), &made))
	send(201, "POST", "/", `{"label":"y",`+contacts+`,"expires_in_days":30}`)
	send(200, "GET", "/", "")
	send(200, "GET", "/?limit=1", "")
	send(200, "GET", "/?limit=1&state=active&after="+made.ID, "")
	send(200, "PUT", "/"+made.ID, `{"notification_contacts":["b@agency.gov.sg","c@agency.gov.sg"]}`)
	send(201, "POST", "/"+made.ID+"/rotate", `{"grace_seconds":3600,"last_five":"`+made.Hint+`"}`)
	send(409, "POST", "/"+made.ID+"/rotate", `{"last_five":"`+made.Hint+`"}`)
	require.Contains(t, send(200, "GET", "/", ""), `"pending"`)
	rotated := send(201, "POST", "/"+made.ID+"/rotate", `{}`)
	require.NoError(t, json.Unmarshal([]byte(rotated), &made))
	_, err := keys.Verify(t.Context(), made.Token)
	require.NoError(t, err)
	require.NoError(t, keys.Flush(t.Context()))
	require.Contains(t, send(200, "GET", "/", ""), `"rotating"`)
	send(409, "POST", "/"+made.ID+"/rotate", `{}`)
	send(201, "POST", "/"+made.ID+"/rotate", `{"immediately":true}`)
	send(201, "POST", "/", `{"label":"z",`+contacts+`}`)
	send(409, "POST", "/", `{"label":"one too many",`+contacts+`}`)
	send(200, "DELETE", "/"+made.ID, "")
	send(409, "PUT", "/"+made.ID, `{`+contacts+`}`)
	require.Contains(t, send(200, "GET", "/?state=revoked", ""), `"revoked"`)
	send(404, "DELETE", "/01m83pph00zab5rrb146", "")

	// A key of an earlier system, of which nobody knows what it ended in.
	require.NoError(t, json.Unmarshal([]byte(send(201, "POST", "/", `{"label":"old",`+contacts+`}`)), &made))
	rec, err := st.Get(t.Context(), made.ID)
	require.NoError(t, err)
	rec.Hint = ""
	require.NoError(t, st.Update(t.Context(), rec))
	require.Contains(t, send(200, "GET", "/", ""), `"last_five":""`)
	require.Contains(t, send(201, "POST", "/"+made.ID+"/rotate", `{"last_five":""}`), `"prior_last_five":""`)
	advance(100 * 24 * time.Hour)
	require.Contains(t, send(200, "GET", "/", ""), `"expired"`)

	for _, body := range []string{
		`{}`, `{"label":1,` + contacts + `}`, `{"label":"",` + contacts + `}`, `{"label":"` + strings.Repeat("x", 256) + `",` + contacts + `}`,
		`{"label":"x","notification_contacts":null}`, `{"label":"x","notification_contacts":[1]}`,
		`{"label":"x","notification_contacts":["a@agency.gov.sg","a@agency.gov.sg"]}`, `{"label":"x","owner":"bob",` + contacts + `}`,
		`{"label":"x","expires_in_days":0,` + contacts + `}`, `[]`, `null`,
	} {
		send(400, "POST", "/", body)
	}
	send(400, "PUT", "/"+made.ID, `{}`)
	send(400, "POST", "/"+made.ID+"/rotate", `{"grace_seconds":2592001}`)
	send(400, "GET", "/?limit=501", "")
	send(400, "GET", "/?state=deleted", "")
	v.who = ""
	send(401, "GET", "/", "")
}

// TestSettingsDescriptionIsStrict finds that the validator would notice an answer that is not as
// described.
func TestSettingsDescriptionIsStrict(t *testing.T) {
	_, s, _ := newSettings(t, databases[0].migrated(t, databases[0].open(t)), 3)
	v := newVisitor(t, s.API())
	check := described(t, v)
	r, res, text := v.do("POST", "/", "application/json", `{"label":"x","notification_contacts":["a@agency.gov.sg"]}`)
	require.Equal(t, 201, res.StatusCode)
	for _, change := range []struct{ old, new string }{
		{`"label":"x"`, `"label":1`}, {`"label":"x",`, ``}, {`"label":"x"`, `"label":"x","more":1`}, {`Z",`, `",`}, {`"active"`, `"alive"`}, {`"plain_text_key"`, `"token"`},
	} {
		require.Contains(t, text, change.old)
		res.Body = io.NopCloser(strings.NewReader(strings.Replace(text, change.old, change.new, 1)))
		ok, _ := check.ValidateHttpResponse(r, res)
		require.False(t, ok, change.new)
	}
}

// TestSettingsDescriptionOfFaults holds the answers of a store that fails to the description too.
func TestSettingsDescriptionOfFaults(t *testing.T) {
	_, s, _ := newSettings(t, storetest.Failing(errors.New("down")), 3)
	v := newVisitor(t, s.API())
	check := described(t, v)
	for method, path := range map[string]string{"GET": "/", "DELETE": "/01m83pph00zab5rrb146"} {
		r, res, text := v.do(method, path, "", "")
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
		ok, problems := check.ValidateHttpResponse(r, res)
		require.True(t, ok, "%s %v", text, problems)
	}
}
