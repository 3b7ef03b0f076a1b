package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/examples/postman/database"
	"github.com/opengovsg/latchkey/examples/postman/databasetest"
)

// TestJourney goes the whole way: a code by mail, a session, a key, a mail sent with it, and its end.
func TestJourney(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, dsn string) {
		s := start(t, dsn)
		officer := s.client()
		code := officer.signIn("Siti@Agency.gov.sg")
		var who struct{ Email string }
		officer.do("GET", "/v1/auth/userinfo", "").ok(t, 200, &who)
		require.Equal(t, siti, who.Email)

		k := officer.generate("HR reminders")
		require.Regexp(t, `^postman_live_[0-9a-z]{20}_[0-9A-Za-z]{49}$`, k.Token)
		another := officer.generate("Payroll")
		program := s.with(k.Token)

		var m message
		a := program.do("POST", "/v1/transactional/email/send", hello).ok(t, 201, &m)
		require.Equal(t, "no-store", a.header.Get("Cache-Control"))
		require.Equal(t, "ACCEPTED", m.Status)
		require.Equal(t, "ann@home.example", m.Recipient)
		require.Equal(t, "postman@mail.gov.sg", m.From)
		require.Equal(t, params{"Your appointment", "It is at nine."}, m.Params)
		require.NotEmpty(t, m.ID)
		at, err := time.Parse(time.RFC3339, m.AcceptedAt)
		require.NoError(t, err)
		require.WithinDuration(t, time.Now(), at, time.Minute)
		got := s.smtp.Received()
		require.Len(t, got, 1)
		require.Equal(t, []string{"ann@home.example"}, got[0].To)
		require.Equal(t, "postman@mail.gov.sg", got[0].From)
		for _, part := range []string{"Subject: Your appointment\r\n", "Reply-To: <siti@agency.gov.sg>\r\n", "It is at nine."} {
			require.Contains(t, got[0].Data, part)
		}
		for _, c := range []*client{program, officer} {
			var list map[string]any
			c.do("GET", "/v1/campaigns?limit=10&offset=0", "").ok(t, 200, &list)
			require.Equal(t, map[string]any{"campaigns": []any{}, "total_count": 0.0}, list)
		}
		officer.do("POST", "/v1/transactional/email/send", hello).ok(t, 201, nil)
		require.Len(t, s.smtp.Received(), 1)

		var keys []key
		officer.do("GET", "/v1/api-key", "").ok(t, 200, &keys)
		require.Len(t, keys, 2)
		for i := range keys {
			require.Empty(t, keys[i].Token)
		}
		officer.do("DELETE", "/v1/api-key/"+k.ID, "").ok(t, 200, nil)
		for _, path := range []string{"GET /v1/campaigns", "POST /v1/transactional/email/send"} {
			method, path, _ := strings.Cut(path, " ")
			a := program.do(method, path, "").ok(t, 401, nil)
			require.Contains(t, a.header.Get("WWW-Authenticate"), "invalid_token")
		}
		require.Empty(t, s.smtp.Received())
		s.with(another.Token).do("GET", "/v1/campaigns", "").ok(t, 200, nil)

		require.NoError(t, s.end())
		_, session, _ := strings.Cut(officer.Transport.(withCookie).cookie, "=")
		require.Len(t, session, 43)
		require.Equal(t, "__Host-postman="+session, officer.Transport.(withCookie).cookie)
		s.requireUnsaid(code, session, k.Token, k.Token[len(k.Token)-30:], another.Token[len(another.Token)-30:], "It is at nine.", "ann@home.example")
		if strings.Contains(dsn, "://") {
			s.requireUnsaid(dsn)
		}
		requireUsed(t, dsn, another.ID)
	})
}

// requireUsed finds that the use of a key was written down before the database was closed.
func requireUsed(t *testing.T, dsn, id string) {
	t.Helper()
	db, err := database.Open(dsn)
	require.NoError(t, err)
	defer db.Close()
	rec, err := db.Keys.Get(t.Context(), id)
	require.NoError(t, err)
	require.False(t, rec.LastUsedAt.IsZero())
}

// TestWithoutKeyOrSession refuses who is nobody, and another site that has somebody's browser send.
func TestWithoutKeyOrSession(t *testing.T) {
	s := start(t, databasetest.SQLite(t))
	officer := s.client()
	officer.signIn(siti)
	k := officer.generate("x")
	for route, body := range map[string]string{"GET /v1/campaigns": "", "POST /v1/transactional/email/send": hello} {
		method, path, _ := strings.Cut(route, " ")
		a := s.client().do(method, path, body).ok(t, 401, nil)
		require.Equal(t, `Bearer realm="postman"`, a.header.Get("WWW-Authenticate"))
		// Who shows a key is held to it, whatever else is there.
		bad := *officer
		bad.token = k.Token[:len(k.Token)-1] + "!"
		require.Equal(t, 400, bad.do(method, path, body).status)
		bad.token = strings.Replace(k.Token, k.ID, "01m83pph00zab5rrb146", 1)
		require.Equal(t, 401, bad.do(method, path, body).status)
	}
	for _, site := range []string{"cross-site", "same-site"} {
		officer.do("POST", "/v1/transactional/email/send", hello, "Sec-Fetch-Site", site).refused(t, 403, "cross_origin")
	}
	s.client().do("GET", "/v1/api-key", "").refused(t, 401, "unauthenticated")
	s.with(k.Token).do("GET", "/v1/api-key", "").refused(t, 401, "unauthenticated") // a key makes no keys
	require.Empty(t, s.smtp.Received())
}

// TestScopes holds a key to its scopes, and one without any, as the earlier system's are, to its owner.
func TestScopes(t *testing.T) {
	dsn := databasetest.SQLite(t)
	s := start(t, dsn)
	db, err := database.Open(dsn)
	require.NoError(t, err)
	defer db.Close()
	keys, err := apikey.New(db.Keys, apikey.Config{Prefix: "postman_live", Scopes: []string{scopeSend, scopeRead}})
	require.NoError(t, err)
	for _, c := range []struct {
		scopes     []string
		send, read int
	}{{nil, 201, 200}, {[]string{scopeSend}, 201, 403}, {[]string{scopeRead}, 403, 200}, {[]string{scopeRead, scopeSend}, 201, 200}} {
		token, _, err := keys.Issue(t.Context(), apikey.Request{Owner: siti, Label: "x", Scopes: c.scopes})
		require.NoError(t, err)
		program := s.with(token.Reveal())
		send := program.do("POST", "/v1/transactional/email/send", hello).ok(t, c.send, nil)
		read := program.do("GET", "/v1/campaigns", "").ok(t, c.read, nil)
		if c.send == 403 {
			require.Equal(t, `Bearer realm="postman", error="insufficient_scope", scope="email:send"`, send.header.Get("WWW-Authenticate"))
		}
		if c.read == 403 {
			require.Equal(t, `Bearer realm="postman", error="insufficient_scope", scope="campaign:read"`, read.header.Get("WWW-Authenticate"))
		}
	}
	require.Len(t, s.smtp.Received(), 3)
}

// TestSomebodyElse finds nothing of one officer's in another's hands.
func TestSomebodyElse(t *testing.T) {
	s := start(t, databasetest.SQLite(t))
	ours, theirs := s.client(), s.client()
	ours.signIn(siti)
	theirs.signIn("ali@agency.gov.sg")
	k := ours.generate("ours")
	var keys []key
	theirs.do("GET", "/v1/api-key", "").ok(t, 200, &keys)
	require.Empty(t, keys)
	theirs.do("DELETE", "/v1/api-key/"+k.ID, "").refused(t, 404, "not_found")
	require.Equal(t, 404, theirs.do("GET", "/settings/"+k.ID, "").status)
	s.with(k.Token).do("GET", "/v1/campaigns", "").ok(t, 200, nil)

	ours.do("GET", "/v1/auth/logout", "").ok(t, 200, nil)
	ours.do("GET", "/v1/api-key", "").refused(t, 401, "unauthenticated")
	ours.do("POST", "/v1/transactional/email/send", hello).ok(t, 401, nil)
	theirs.do("GET", "/v1/api-key", "").ok(t, 200, nil)
}

func TestPages(t *testing.T) {
	s := start(t, databasetest.SQLite(t))
	officer := s.client()
	require.Equal(t, "/settings/", officer.do("GET", "/", "").ok(t, 303, nil).header.Get("Location"))
	require.Equal(t, "/settings/", officer.do("GET", "/settings", "").header.Get("Location"))
	require.Equal(t, "/login?next=%2Fsettings%2F", officer.do("GET", "/settings/", "").ok(t, 303, nil).header.Get("Location"))
	require.Contains(t, officer.do("GET", "/login", "").ok(t, 200, nil).body, "/settings/settings.css")
	css := officer.do("GET", "/settings/settings.css", "").ok(t, 200, nil)
	require.Equal(t, "text/css; charset=utf-8", css.header.Get("Content-Type"))
	officer.signIn(siti)
	list := officer.do("GET", "/settings/", "").ok(t, 200, nil).body
	require.Contains(t, list, `<a href="/logout">Sign out</a>`)
	require.NotContains(t, list, "/outbox", "which is for trying out")
	form := officer.do("GET", "/settings/new", "").ok(t, 200, nil).body
	require.Less(t, strings.Index(form, "180 days"), strings.Index(form, "90 days"), "six months come first")
	officer.do("GET", "/settings/settings.js", "").ok(t, 200, nil)
	for _, path := range []string{"/outbox", "/outbox.json", "/nothing", "/v1", "/v1/auth/nothing"} {
		require.Equal(t, 404, officer.do("GET", path, "").status, path)
	}
	require.Contains(t, officer.do("GET", "/logout", "").ok(t, 200, nil).body, "You are signed out.")
	require.Equal(t, http.StatusSeeOther, officer.do("GET", "/settings/", "").status)
}

// TestTwoInstances signs in with one instance, and goes on with the other.
func TestTwoInstances(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, dsn string) {
		a, b := start(t, dsn), start(t, dsn)
		officer := a.client()
		officer.signIn(siti)
		officer.s = b
		k := officer.generate("x")
		a.with(k.Token).do("GET", "/v1/campaigns", "").ok(t, 200, nil)

		// A code that one sends is good with the other, once.
		a.client().do("POST", "/v1/auth/otp", `{"email":"ali@agency.gov.sg"}`).ok(t, 200, nil)
		code := codeText.FindStringSubmatch(a.smtp.Received()[0].Data)[1]
		b.client().do("POST", "/v1/auth/otp", `{"email":"ali@agency.gov.sg"}`).refused(t, 429, "rate_limit")
		b.client().do("POST", "/v1/auth/login", `{"email":"ali@agency.gov.sg","otp":"`+code+`"}`).ok(t, 200, nil)
		a.client().do("POST", "/v1/auth/login", `{"email":"ali@agency.gov.sg","otp":"`+code+`"}`).refused(t, 401, "unauthenticated")

		officer.do("GET", "/v1/auth/logout", "").ok(t, 200, nil)
		officer.s = a
		officer.do("GET", "/v1/api-key", "").refused(t, 401, "unauthenticated")
	})
}
