package settings_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
)

// TestAPIRefusesBodies sends bodies that must not become a key, and looks that none did and that the
// answer names what is wrong.
func TestAPIRefusesBodies(t *testing.T) {
	s := newSite(t)
	const contacts = `"notification_contacts":["a@agency.gov.sg"]`
	fifty := strings.Repeat(`"a@agency.gov.sg",`, 51)
	for name, c := range map[string]struct{ body, names string }{
		"empty":               {``, "body"},
		"null":                {`null`, "body"},
		"an array":            {`[]`, "body"},
		"a string":            {`"x"`, "body"},
		"cut short":           {`{"label":"x",` + contacts, "body"},
		"cut in a string":     {`{"label":"x`, "body"},
		"a trailing comma":    {`{"label":"x",` + contacts + `,}`, "body"},
		"trailing data":       {`{"label":"x",` + contacts + `} {}`, "body"},
		"a trailing bracket":  {`{"label":"x",` + contacts + `}}`, "body"},
		"trailing NUL":        {`{"label":"x",` + contacts + "}\x00", "body"},
		"a byte order mark":   {"\ufeff" + `{"label":"x",` + contacts + `}`, "body"},
		"not UTF-8":           {`{"label":"` + "\xff" + `",` + contacts + `}`, "body"},
		"half a surrogate":    {`{"label":"\ud800",` + contacts + `}`, "label"},
		"half and a mark":     {`{"label":"\ud800 \\ufffd",` + contacts + `}`, "label"},
		"no label":            {`{` + contacts + `}`, "label"},
		"label null":          {`{"label":null,` + contacts + `}`, "label"},
		"label a number":      {`{"label":1,` + contacts + `}`, "label"},
		"label an object":     {`{"label":{},` + contacts + `}`, "label"},
		"label blank":         {`{"label":"  ",` + contacts + `}`, "label"},
		"label of 256":        {`{"label":"` + strings.Repeat("é", 256) + `",` + contacts + `}`, "label"},
		"label of two lines":  {`{"label":"a\nb",` + contacts + `}`, "label"},
		"label with escape":   {`{"label":"a\u001b[31m",` + contacts + `}`, "label"},
		"label with NUL":      {`{"label":"a\u0000",` + contacts + `}`, "label"},
		"no contacts":         {`{"label":"x"}`, "notification_contacts"},
		"contacts empty":      {`{"label":"x","notification_contacts":[]}`, "notification_contacts"},
		"contacts null":       {`{"label":"x","notification_contacts":null}`, "notification_contacts"},
		"contacts a string":   {`{"label":"x","notification_contacts":"a@agency.gov.sg"}`, "notification_contacts"},
		"a contact null":      {`{"label":"x","notification_contacts":[null]}`, "notification_contacts"},
		"a contact a number":  {`{"label":"x","notification_contacts":[1]}`, "notification_contacts"},
		"a contact a list":    {`{"label":"x","notification_contacts":[["a@agency.gov.sg"]]}`, "notification_contacts"},
		"a contact no e-mail": {`{"label":"x","notification_contacts":["nobody"]}`, "notification_contacts"},
		"a contact named":     {`{"label":"x","notification_contacts":["A <a@agency.gov.sg>"]}`, "notification_contacts"},
		"a contact twice":     {`{"label":"x","notification_contacts":["a@agency.gov.sg","a@agency.gov.sg"]}`, "notification_contacts"},
		"51 contacts":         {`{"label":"x","notification_contacts":[` + strings.TrimSuffix(fifty, ",") + `]}`, "notification_contacts"},
		"member twice":        {`{"label":"x","label":"y",` + contacts + `}`, "label"},
		"member twice spelt":  {`{"label":"x","\u006cabel":"y",` + contacts + `}`, "label"},
		"member in capitals":  {`{"Label":"x",` + contacts + `}`, "body"},
		"both cases":          {`{"label":"x","LABEL":"y",` + contacts + `}`, "body"},
		"Kelvin's contacts":   {`{"label":"x","notification_contactſ":["a@agency.gov.sg"]}`, "body"},
		"the owner":           {`{"label":"x","owner":"bob",` + contacts + `}`, "body"},
		"the id":              {`{"label":"x","id":"01m83pph00zab5rrb146",` + contacts + `}`, "body"},
		"the hash":            {`{"label":"x","hash":"00",` + contacts + `}`, "body"},
		"scopes":              {`{"label":"x","scopes":["*:*"],` + contacts + `}`, "body"},
		"days of text":        {`{"label":"x","expires_in_days":"30",` + contacts + `}`, "expires_in_days"},
		"days null":           {`{"label":"x","expires_in_days":null,` + contacts + `}`, "expires_in_days"},
		"no days":             {`{"label":"x","expires_in_days":0,` + contacts + `}`, "expires_in_days"},
		"days before":         {`{"label":"x","expires_in_days":-1,` + contacts + `}`, "expires_in_days"},
		"part of a day":       {`{"label":"x","expires_in_days":1.5,` + contacts + `}`, "expires_in_days"},
		"days with exponent":  {`{"label":"x","expires_in_days":1e2,` + contacts + `}`, "expires_in_days"},
		"days past counting":  {`{"label":"x","expires_in_days":99999999999999999999,` + contacts + `}`, "expires_in_days"},
		"too large":           {`{"label":"x",` + contacts + strings.Repeat(" ", 64<<10) + `}`, "body"},
		"deep":                {strings.Repeat(`{"label":`, 6_000) + `1` + strings.Repeat(`}`, 6_000), "label"},
	} {
		a := s.call("alice", "POST", "/", c.body)
		message := a.refused(t, 400, "api_validation")
		require.Contains(t, message, c.names, name)
		require.NotContains(t, message, "nobody", "the value must not be repeated")
	}
	requireNoKeys(t, s)
	require.Zero(t, s.faultCount())
}

func requireNoKeys(t *testing.T, s *site) {
	t.Helper()
	counts, err := s.keys.Count(t.Context(), "alice")
	require.NoError(t, err)
	require.Equal(t, apikey.Counts{Schemes: map[string]int{}}, counts)
}

func TestAPITakesOddLabels(t *testing.T) {
	s := newSite(t)
	for body, label := range map[string]string{
		`<script>alert(1)</script>`:      "<script>alert(1)</script>",
		`\ud83d\udd11 ключ`:              "🔑 ключ",
		`\ufffd` + "\ufffd" + `\\ufffd`:  "\ufffd\ufffd\\ufffd",
		strings.Repeat("é", 255):         strings.Repeat("é", 255),
		`\"\\\/\u0022`:                   `"\/"`,
		` a label with space around it `: " a label with space around it ",
	} {
		a := s.call("alice", "POST", "/", `{"label":"`+body+`","notification_contacts":["a@agency.gov.sg"]}`)
		require.Equal(t, 201, a.status, a.body)
		var key keyJSON
		a.json(t, &key)
		require.Equal(t, label, key.Label)
		require.NotContains(t, a.body, "<script", "what takes JSON for a page must find none")
	}
}

func TestAPIRefusesTypes(t *testing.T) {
	s := newSite(t)
	const good = `{"label":"x","notification_contacts":["a@agency.gov.sg"]}`
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application/json; charset=utf-16", "application/json, text/plain", ";"} {
		message := s.send("alice", "POST", "/api/", good, "Content-Type", kind).refused(t, 400, "api_validation")
		require.Contains(t, message, "Content-Type")
	}
	s.send("alice", "POST", "/api/", good, "Content-Type", "application/json", "Content-Encoding", "gzip").refused(t, 400, "api_validation")
	requireNoKeys(t, s)
	for _, kind := range []string{"application/json", "Application/JSON; charset=UTF-8"} {
		require.Equal(t, 201, s.send("alice", "POST", "/api/", good, "Content-Type", kind).status)
	}
}

func TestAPIRefusesQueries(t *testing.T) {
	s := newSite(t)
	_, key := s.issue("alice", "x")
	for _, query := range []string{
		"limit=0", "limit=-1", "limit=501", "limit=x", "limit=", "limit=99999999999999999999", "limit=1&limit=2",
		"after=x", "after=" + key.ID[:19], "after=" + key.ID + "0", "after='%20OR%201=1", "after=a&after=b", "after=" + strings.Repeat("a", 10_000),
		"state=deleted", "state=active&state=revoked", "%zz", "a;b",
	} {
		s.call("alice", "GET", "/?"+query, "").refused(t, 400, "api_validation")
	}
	// Somebody else's id as a cursor is a place in one's own list, and no more.
	_, other := s.issue("bob", "y")
	var keys []keyJSON
	s.call("alice", "GET", "/?after="+other.ID, "").json(t, &keys)
	require.Len(t, keys, 1)
	require.Equal(t, key.ID, keys[0].ID)
}

func TestAPIRefusesRotations(t *testing.T) {
	s := newSite(t)
	_, key := s.issue("alice", "x")
	for body, names := range map[string]string{
		`{"grace_seconds":0}`:                       "grace_seconds",
		`{"grace_seconds":2592001}`:                 "grace_seconds",
		`{"grace_seconds":"60"}`:                    "grace_seconds",
		`{"grace_seconds":60,"immediately":true}`:   "grace_seconds",
		`{"immediately":1}`:                         "immediately",
		`{"immediately":null}`:                      "immediately",
		`{"last_five":null}`:                        "last_five",
		`{"owner":"bob"}`:                           "body",
		`{"grace_seconds":60,"grace_seconds":3600}`: "grace_seconds",
	} {
		require.Contains(t, s.call("alice", "POST", "/"+key.ID+"/rotate", body).refused(t, 400, "api_validation"), names)
	}
	s.call("alice", "POST", "/"+key.ID+"/rotate", `{"last_five":"zzzzz"}`).refused(t, 409, "conflict")
	_, rotated := s.get(key).Handover()
	require.False(t, rotated)
}

// TestAPIMessages holds the messages to the names and the limits of the API, and not of the library below.
func TestAPIMessages(t *testing.T) {
	s := newSite(t)
	_, key := s.issue("alice", "x")
	for body, message := range map[string]string{
		`{}`: "label must be there.",
		`{"label":"x","notification_contacts":["a@agency.gov.sg"],"expires_in_days":367}`: "expires_in_days must be at most 366 days.",
	} {
		require.Equal(t, message, s.call("alice", "POST", "/", body).refused(t, 400, "api_validation"))
	}
	require.Equal(t, "grace_seconds must not be there where immediately is true.",
		s.call("alice", "POST", "/"+key.ID+"/rotate", `{"grace_seconds":60,"immediately":true}`).refused(t, 400, "api_validation"))
	a := s.press("alice", "/"+key.ID+"/contacts", "contacts", "a@agency.gov.sg, b@agency.gov.sg")
	require.Equal(t, 400, a.status)
	require.Contains(t, a.body, "Put each address on a line of its own.")
}

// TestAPINotFound asks for keys of others and for none, in every way, and finds the answers alike and
// nothing changed.
func TestAPINotFound(t *testing.T) {
	s := newSite(t)
	token, theirs := s.issue("bob", "of bob")
	for _, call := range []struct{ method, path, body string }{
		{"PUT", "/%s", `{"notification_contacts":["a@agency.gov.sg"]}`},
		{"DELETE", "/%s", ""},
		{"POST", "/%s/rotate", `{}`},
	} {
		want := s.call("alice", call.method, fmt.Sprintf(call.path, "01m83pph00zab5rrb146"), call.body)
		want.refused(t, 404, "not_found")
		for _, id := range []string{theirs.ID, "x", strings.ToUpper(theirs.ID), "..%2F" + theirs.ID, "%00", strings.Repeat("a", 5000)} {
			got := s.call("alice", call.method, fmt.Sprintf(call.path, id), call.body)
			got.refused(t, 404, "not_found")
			require.Equal(t, want.body, got.body)
		}
	}
	require.Equal(t, theirs, s.get(theirs))
	_, err := s.keys.Verify(t.Context(), token)
	require.NoError(t, err)
	for _, path := range []string{"/a/b/c", "/" + theirs.ID + "/delete", "/openapi.json/x"} {
		s.call("bob", "POST", path, `{}`).refused(t, 404, "not_found")
	}
}

func TestAPIMethods(t *testing.T) {
	s := newSite(t)
	_, key := s.issue("alice", "x")
	for path, c := range map[string]struct {
		methods []string
		allow   string
	}{
		"/":                      {[]string{"PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"}, "GET, HEAD, POST"},
		"/" + key.ID:             {[]string{"GET", "HEAD", "POST", "PATCH"}, "PUT, DELETE"},
		"/" + key.ID + "/rotate": {[]string{"GET", "PUT", "DELETE"}, "POST"},
		"/openapi.json":          {[]string{"POST", "DELETE"}, "GET, HEAD"},
	} {
		for _, method := range c.methods {
			a := s.call("alice", method, path, `{}`)
			require.Equal(t, 405, a.status, "%s %s", method, path)
			require.Equal(t, c.allow, a.header.Get("Allow"))
		}
	}
	require.Equal(t, key, s.get(key))
}
