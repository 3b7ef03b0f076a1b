package signin

import (
	"context"
	"database/sql"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/emaildomain"
	"github.com/opengovsg/latchkey/examples/postman/databasetest"
)

// owner returns who is signed in with a cookie.
func (h *house) owner(s *SignIn, cookie []string) (string, error) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set(cookie[0], cookie[1])
	return s.Owner(r)
}

func TestSession(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		cookie := h.signIn("Siti@agency.gov.sg")
		owner, err := h.owner(h.SignIn, cookie)
		require.NoError(t, err)
		require.Equal(t, siti, owner)

		// Another instance knows of it, and of the end of it.
		peer := New(h.config)
		owner, err = h.owner(peer, cookie)
		require.NoError(t, err)
		require.Equal(t, siti, owner)
		stranger := h.signIn("ali@agency.gov.sg")
		owner, err = h.owner(peer, stranger)
		require.NoError(t, err)
		require.Equal(t, "ali@agency.gov.sg", owner)

		a := h.send("GET", "/v1/auth/logout", "", cookie...)
		require.Equal(t, 200, a.status)
		require.Empty(t, a.cookie(t).Value)
		require.Negative(t, a.cookie(t).MaxAge)
		for _, s := range []*SignIn{h.SignIn, peer} {
			_, err = h.owner(s, cookie)
			require.ErrorIs(t, err, ErrSignedOut, "a copy of the cookie")
			_, err = h.owner(s, stranger)
			require.NoError(t, err)
		}
		require.Empty(t, h.faults)
	})
}

func TestSessionEnds(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		idle, busy := h.signIn(siti), h.signIn("ali@agency.gov.sg")
		began := h.clock()
		for range 23 {
			h.advance(30 * time.Minute)
			_, err := h.owner(h.SignIn, busy)
			require.NoError(t, err)
		}
		_, err := h.owner(h.SignIn, idle)
		require.ErrorIs(t, err, ErrSignedOut, "nobody used it")
		h.advance(began.Add(12*time.Hour - time.Microsecond).Sub(h.clock()))
		_, err = h.owner(h.SignIn, busy)
		require.NoError(t, err)
		h.advance(time.Microsecond)
		_, err = h.owner(h.SignIn, busy)
		require.ErrorIs(t, err, ErrSignedOut, "however busy it is")

		cookie := h.signIn("eve@agency.gov.sg")
		h.advance(time.Hour - time.Microsecond)
		_, err = h.owner(h.SignIn, cookie)
		require.NoError(t, err)
		h.advance(time.Hour)
		_, err = h.owner(h.SignIn, cookie)
		require.ErrorIs(t, err, ErrSignedOut)
		_ = h.code(siti)
		var rows int
		require.NoError(t, h.row(t.Context(), "SELECT COUNT(*) FROM postman_sessions").Scan(&rows))
		require.Zero(t, rows, "what is over was deleted")
	})
}

// TestSessionIsNew signs in with a cookie that somebody put into the browser, and with one of before.
func TestSessionIsNew(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		planted := []string{"Cookie", "__Host-postman=" + strings.Repeat("A", 43)}
		code := h.code(siti)
		a := h.post("/v1/auth/login", `{"email":"siti@agency.gov.sg","otp":"`+code+`"}`, planted...)
		require.Equal(t, 200, a.status)
		_, err := h.owner(h.SignIn, planted)
		require.ErrorIs(t, err, ErrSignedOut)
		first := []string{"Cookie", "__Host-postman=" + a.cookie(t).Value}
		_, err = h.owner(h.SignIn, first)
		require.NoError(t, err)

		code = h.code("ali@agency.gov.sg")
		a = h.post("/v1/auth/login", `{"email":"ali@agency.gov.sg","otp":"`+code+`"}`, first...)
		require.Equal(t, 200, a.status)
		_, err = h.owner(h.SignIn, first)
		require.ErrorIs(t, err, ErrSignedOut, "the session before")
		owner, err := h.owner(h.SignIn, []string{"Cookie", "__Host-postman=" + a.cookie(t).Value})
		require.NoError(t, err)
		require.Equal(t, "ali@agency.gov.sg", owner)
	})
}

func TestCookie(t *testing.T) {
	h := newHouse(t, databasetest.SQLite(t))
	cookie := h.signIn(siti)
	for _, bad := range []string{
		"", "__Host-postman=", "__Host-postman=x", cookie[1] + "x", cookie[1][:len(cookie[1])-1], strings.Replace(cookie[1], "__Host-", "", 1),
		cookie[1] + "; " + cookie[1], cookie[1] + "; __Host-postman=x", "__Host-postman=' OR 1=1 --",
	} {
		_, err := h.owner(h.SignIn, []string{"Cookie", bad})
		require.ErrorIs(t, err, ErrSignedOut, bad)
	}
	code := h.code(siti)
	c := h.post("/v1/auth/login", `{"email":"siti@agency.gov.sg","otp":"`+code+`"}`).cookie(t)
	require.Len(t, c.Value, 43, "256 bits")
	c.Value, c.Raw = "", ""
	require.Equal(t, &http.Cookie{Name: "__Host-postman", Path: "/", MaxAge: 43200, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}, c)

	h.config.InsecureCookie = true
	h.url = h.serve(New(h.config))
	code = h.code("ali@agency.gov.sg")
	c = h.post("/v1/auth/login", `{"email":"ali@agency.gov.sg","otp":"`+code+`"}`).cookie(t)
	c.Value, c.Raw = "", ""
	require.Equal(t, &http.Cookie{Name: "postman", Path: "/", MaxAge: 43200, HttpOnly: true, SameSite: http.SameSiteLaxMode}, c)
}

// TestPolicyChanges signs out whom a newer policy would not let sign in.
func TestPolicyChanges(t *testing.T) {
	h := newHouse(t, databasetest.SQLite(t))
	cookie := h.signIn(siti)
	var err error
	h.config.Policy, err = emaildomain.New(".health.gov.sg")
	require.NoError(t, err)
	_, err = h.owner(New(h.config), cookie)
	require.ErrorIs(t, err, ErrSignedOut)
}

// TestOutage finds that a database which is down never says that somebody is signed out.
func TestOutage(t *testing.T) {
	h := newHouse(t, databasetest.SQLite(t))
	cookie := h.signIn(siti)
	code := h.code("ali@agency.gov.sg")
	require.NoError(t, h.Ready(t.Context()))
	_, err := h.db.Exec("ALTER TABLE postman_sessions RENAME TO gone")
	require.NoError(t, err)
	require.Error(t, h.Ready(t.Context()))
	_, err = h.owner(h.SignIn, cookie)
	require.ErrorIs(t, err, apikey.ErrUnavailable)
	require.NotErrorIs(t, err, ErrSignedOut)
	for _, a := range []answer{
		h.post("/v1/auth/login", `{"email":"ali@agency.gov.sg","otp":"`+code+`"}`),
		h.send("GET", "/v1/auth/userinfo", "", cookie...), h.send("GET", "/v1/auth/logout", "", cookie...), h.send("GET", "/login", "", cookie...),
		h.send("GET", "/logout", "", cookie...),
	} {
		require.Equal(t, 503, a.status, a.body)
		require.Equal(t, "1", a.header.Get("Retry-After"))
		require.NotContains(t, a.body, "postman_sessions")
		require.Empty(t, a.header.Values("Set-Cookie"))
	}
	require.Equal(t, 418, h.send("GET", "/settings/", "", cookie...).status, "the page itself says so")
	_, err = h.db.Exec("ALTER TABLE postman_codes RENAME TO gone_too")
	require.NoError(t, err)
	require.Equal(t, 503, h.post("/v1/auth/otp", `{"email":"eve@agency.gov.sg"}`).status)
	require.Equal(t, 503, h.post("/v1/auth/login", `{"email":"eve@agency.gov.sg","otp":"123456"}`).status)
	require.Len(t, h.faults, 7)
}

// TestWhatIsKept looks for the secrets in the database.
func TestWhatIsKept(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		code, cookie := h.code(siti), h.signIn("ali@agency.gov.sg")
		token := strings.TrimPrefix(cookie[1], "__Host-postman=")
		columns := 0
		for _, table := range []string{"postman_codes", "postman_sessions"} {
			rows, err := h.db.Query("SELECT * FROM " + table)
			require.NoError(t, err)
			columns += dump(t, rows, code, token)
		}
		require.Equal(t, 7+4, columns)
	})
}

func dump(t *testing.T, rows *sql.Rows, secrets ...string) (columns int) {
	defer rows.Close()
	names, err := rows.Columns()
	require.NoError(t, err)
	for rows.Next() {
		values, into := make([]sql.RawBytes, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		require.NoError(t, rows.Scan(into...))
		for i, value := range values {
			columns++
			if strings.HasSuffix(names[i], "_at") {
				continue // a time may hold the digits of a code
			}
			for _, secret := range secrets {
				require.NotContains(t, string(value), secret, names[i])
			}
		}
	}
	require.NoError(t, rows.Err())
	return columns
}

// TestMigrateWaits makes the tables while another instance is about to have made them.
func TestMigrateWaits(t *testing.T) {
	h := newHouse(t, databasetest.Postgres(t))
	_, err := h.db.Exec("DROP TABLE postman_codes")
	require.NoError(t, err)
	other, err := h.db.Begin()
	require.NoError(t, err)
	defer other.Rollback()
	_, err = other.Exec(schemas[h.dialect][0])
	require.NoError(t, err)
	migrated := make(chan error, 1)
	go func() { migrated <- h.Migrate(t.Context()) }()
	require.Eventually(t, func() bool {
		var waiting int
		err := h.db.QueryRow("SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'CREATE TABLE IF NOT EXISTS postman_codes%'").Scan(&waiting)
		return err == nil && waiting > 0
	}, 30*time.Second, time.Millisecond)
	require.NoError(t, other.Commit())
	require.NoError(t, <-migrated)
}

func TestMigrateForeignTable(t *testing.T) {
	h := newHouse(t, databasetest.SQLite(t))
	_, err := h.db.Exec("ALTER TABLE postman_codes RENAME COLUMN wrong TO other")
	require.NoError(t, err)
	require.ErrorContains(t, h.Migrate(t.Context()), "wrong")
}

func TestMigrateAtOnce(t *testing.T) {
	databasetest.Each(t, func(t *testing.T, dsn string) {
		h := newHouse(t, dsn)
		for _, table := range []string{"postman_codes", "postman_sessions"} {
			_, err := h.db.Exec("DROP TABLE " + table)
			require.NoError(t, err)
		}
		require.Equal(t, 50, together(t, func(int) error { return h.Migrate(t.Context()) }))
		require.NoError(t, h.Ready(t.Context()))
		_ = h.signIn(siti)
		require.NoError(t, h.Migrate(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.Error(t, h.Migrate(ctx))
		require.Error(t, h.Ready(ctx))
	})
}
