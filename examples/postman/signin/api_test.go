package signin

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/examples/postman/databasetest"
	"github.com/opengovsg/latchkey/examples/postman/mail"
)

// refused requires an error, and returns its message.
func (a answer) refused(t *testing.T, status int, code string) string {
	t.Helper()
	require.Equal(t, status, a.status, a.body)
	require.Equal(t, "application/json", a.header.Get("Content-Type"))
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	var e map[string]string
	require.NoError(t, json.Unmarshal([]byte(a.body), &e))
	require.Equal(t, code, e["code"])
	require.NotEmpty(t, e["message"])
	require.Len(t, e, 2)
	return e["message"]
}

func TestAPI(t *testing.T) {
	h := newHouse(t, databasetest.SQLite(t))
	a := h.send("GET", "/v1/auth/userinfo", "")
	require.Equal(t, 200, a.status, "as today: nobody is signed in, which is no error")
	require.JSONEq(t, "{}", a.body)

	a = h.post("/v1/auth/otp", `{"email":"Siti@Agency.gov.sg"}`)
	require.Equal(t, 200, a.status, a.body)
	require.JSONEq(t, "{}", a.body)
	code := codeOf(t, h.mails[0])
	a = h.post("/v1/auth/otp", `{"email":"siti@agency.gov.sg"}`)
	require.Equal(t, "Wait 30 seconds before you ask for another code.", a.refused(t, 429, "rate_limit"))
	require.Equal(t, "30", a.header.Get("Retry-After"))
	h.advance(time.Second + time.Millisecond)
	a = h.post("/v1/auth/otp", `{"email":"siti@agency.gov.sg"}`)
	require.Equal(t, "29", a.header.Get("Retry-After"))

	a = h.post("/v1/auth/login", `{"email":"siti@agency.gov.sg","otp":"`+other(code)+`"}`)
	a.refused(t, 401, "unauthenticated")
	require.Equal(t, `Session realm="postman"`, a.header.Get("WWW-Authenticate"))
	require.Empty(t, a.header.Values("Set-Cookie"))
	unknown := h.post("/v1/auth/login", `{"email":"nobody@agency.gov.sg","otp":"`+code+`"}`)
	require.Equal(t, a.body, unknown.body, "who never asked for a code is not told apart")

	a = h.post("/v1/auth/login", `{"otp":"`+code+`","email":"siti@agency.gov.sg"}`)
	require.Equal(t, 200, a.status, a.body)
	require.JSONEq(t, "{}", a.body)
	a = h.send("GET", "/v1/auth/userinfo", "", "Cookie", "__Host-postman="+a.cookie(t).Value)
	require.Equal(t, 200, a.status)
	require.JSONEq(t, `{"email":"siti@agency.gov.sg","id":"siti@agency.gov.sg","experimental_data":{}}`, a.body)
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))

	h.deliver = func(m mail.Message) error { return errFull }
	a = h.post("/v1/auth/otp", `{"email":"ali@agency.gov.sg"}`)
	require.NotContains(t, a.refused(t, 503, "service_unavailable"), "full")
}

func TestAPIRefuses(t *testing.T) {
	h := newHouse(t, databasetest.SQLite(t))
	for _, body := range []string{
		``, `{}`, `[]`, `null`, `"x"`, `{"email":1}`, `{"email":null}`, `{"email":["siti@agency.gov.sg"]}`, `{"email":"siti@agency.gov.sg"`,
		`{"email":"siti@agency.gov.sg"}{}`, `{"email":"siti@agency.gov.sg","email":"eve@agency.gov.sg"}`, `{"EMAIL":"siti@agency.gov.sg"}`,
		`{"email":"siti@agency.gov.sg","admin":"yes"}`, `{"email":"siti@evilgov.sg"}`, `{"email":"siti@gov.sg.evil.com"}`, "{\"email\":\"\xff@agency.gov.sg\"}",
		`{"email":"` + strings.Repeat("x", maxBody) + `@agency.gov.sg"}`,
	} {
		message := h.post("/v1/auth/otp", body).refused(t, 400, "api_validation")
		require.NotContains(t, message, "evil")
	}
	require.Contains(t, h.post("/v1/auth/otp", `{}`).refused(t, 400, "api_validation"), "email")
	require.Contains(t, h.post("/v1/auth/login", `{"email":"siti@agency.gov.sg"}`).refused(t, 400, "api_validation"), "otp")
	require.Contains(t, h.post("/v1/auth/login", `{"email":"siti@agency.gov.sg","otp":"12345"}`).refused(t, 400, "api_validation"), "6 digits")
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
		a := h.send("POST", "/v1/auth/otp", `{"email":"siti@agency.gov.sg"}`, "Content-Type", kind)
		require.Contains(t, a.refused(t, 400, "api_validation"), "Content-Type")
	}
	require.Equal(t, 405, h.send("GET", "/v1/auth/otp", "").status)
	require.Equal(t, 405, h.post("/v1/auth/logout", "").status)

	cookie := h.signIn(siti)
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
	} {
		headers = append(headers, cookie...)
		h.post("/v1/auth/otp", `{"email":"ali@agency.gov.sg"}`, headers...).refused(t, 403, "cross_origin")
		h.post("/v1/auth/login", `{"email":"ali@agency.gov.sg","otp":"123456"}`, headers...).refused(t, 403, "cross_origin")
		if headers[0] == "Sec-Fetch-Site" { // an image on another site, which sends no Origin
			h.send("GET", "/v1/auth/logout", "", headers...).refused(t, 403, "cross_origin")
			require.Equal(t, 403, h.send("GET", "/logout", "", headers...).status)
		}
	}
	require.Contains(t, h.send("GET", "/v1/auth/userinfo", "", cookie...).body, siti, "still signed in")
	require.Len(t, h.mails, 1)
}
