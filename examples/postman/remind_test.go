package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/legacy"
	"github.com/opengovsg/latchkey/apikey/reminder"
	"github.com/opengovsg/latchkey/examples/postman/database"
	"github.com/opengovsg/latchkey/examples/postman/databasetest"
)

// TestReminders starts the service 14 days before a key ends.
func TestReminders(t *testing.T) {
	dsn := databasetest.SQLite(t)
	s := start(t, dsn, func(o *options) { o.url = "https://postman.gov.sg" })
	officer := s.client()
	officer.signIn(siti)
	var k key
	officer.do("POST", "/v1/api-key", `{"label":"See https://evil.example","notification_contacts":["ops@agency.gov.sg","unknown@agency.gov.sg","ali@agency.gov.sg"]}`).ok(t, 201, &k)
	require.NoError(t, s.end())

	later := start(t, dsn, func(o *options) {
		o.url = "https://postman.gov.sg"
		now := time.Now().Add(167 * day)
		o.now = func() time.Time { return now }
	})
	require.Eventually(t, func() bool { return strings.Contains(later.log.String(), "1 sent") }, 30*time.Second, time.Millisecond)
	got := later.smtp.Received()
	require.Len(t, got, 2)
	for i, to := range []string{"ops@agency.gov.sg", "ali@agency.gov.sg"} {
		require.Equal(t, []string{to}, got[i].To)
		for _, part := range []string{"expires in 13 days", "ends in " + k.LastFive, "https://postman.gov.sg/settings/", "(Asia/Singapore)", "Auto-Submitted: auto-generated"} {
			require.Contains(t, got[i].Data, part)
		}
		require.NotContains(t, got[i].Data, "https://evil", "a label leads nowhere")
	}
	later.requireUnsaid("unknown@", k.Token)
	require.Contains(t, later.log.String(), `"told":2,"contacts":3`)
}

func TestReminderLetter(t *testing.T) {
	n := reminder.Notice{Key: apikey.Key{Label: "x", Hint: "abcde"}, ExpiresAt: time.Date(2026, 11, 26, 9, 30, 0, 0, time.UTC)}
	for days, want := range map[int]string{0: "expires today", 1: "expires tomorrow", 28: "expires in 28 days"} {
		n.DaysLeft = days
		m := reminderLetter(n, siti, "https://postman.gov.sg/settings/")
		require.Equal(t, "Your API key for Postman "+want, m.Subject)
		require.Equal(t, siti, m.To)
		require.Contains(t, m.Text, "Thursday, 26 November 2026 at 09:30 (UTC)")
	}
}

// TestReminderPending tells of the old token of a key that was rotated, while nothing uses the new one.
func TestReminderPending(t *testing.T) {
	dsn := databasetest.SQLite(t)
	s := start(t, dsn)
	officer := s.client()
	officer.signIn(siti)
	old := officer.generate("x")
	var replaced key
	officer.do("POST", "/v1/api-key/"+old.ID+"/rotate", `{"grace_seconds":3600}`).ok(t, 201, &replaced)
	require.NoError(t, s.end())
	now := time.Now().Add(179*day + time.Hour)
	later := start(t, dsn, func(o *options) { o.now = func() time.Time { return now } })
	require.Eventually(t, func() bool { return strings.Contains(later.log.String(), "1 sent") }, 30*time.Second, time.Millisecond)
	got := later.smtp.Received()
	require.Len(t, got, 1)
	require.Contains(t, got[0].Data, "Subject: Your old API key for Postman expires t")
	require.Contains(t, got[0].Data, "ends in "+old.LastFive)
	require.Contains(t, got[0].Data, "nothing has used that one yet")
	require.NotContains(t, got[0].Data, replaced.LastFive)
}

// TestEarlierKeys serves a key of the earlier system, which has no scopes, to the full.
func TestEarlierKeys(t *testing.T) {
	const salt = "$2b$04$abcdefghijklmnopqrstuu"
	const token = "siti_v1_c29tZSByYW5kb20gYnl0ZXMsIDMzIG9mIHRoZW0hISE="
	dsn := databasetest.SQLite(t)
	s := start(t, dsn, func(o *options) { o.legacySalt = salt })
	scheme, err := legacy.NewPostman(salt, "v1")
	require.NoError(t, err)
	kept, err := scheme.Derive(t.Context(), token)
	require.NoError(t, err)
	db, err := database.Open(dsn)
	require.NoError(t, err)
	defer db.Close()
	keys, err := apikey.New(db.Keys, apikey.Config{Prefix: "postman_live", Legacy: []apikey.LegacyScheme{scheme}})
	require.NoError(t, err)
	rec, err := keys.LegacyRecord(apikey.LegacyKey{
		Scheme: scheme.Name(), OldID: "7", Kept: kept, Owner: siti, Label: "Old intranet", Hint: "hISE=",
		Contacts: []string{"ops@agency.gov.sg"}, CreatedAt: time.Now().Add(-day), ExpiresAt: time.Now().Add(30 * day),
	})
	require.NoError(t, err)
	require.NoError(t, db.Keys.Create(t.Context(), rec, 0))

	program := s.with(token)
	for range 2 { // the second time by its new hash
		program.do("POST", "/v1/transactional/email/send", hello).ok(t, 201, nil)
		program.do("GET", "/v1/campaigns", "").ok(t, 200, nil)
	}
	got := s.smtp.Received()
	require.Len(t, got, 2)
	require.Contains(t, got[0].Data, "Reply-To: <siti@agency.gov.sg>")
	officer := s.client()
	officer.signIn(siti)
	var list []key
	officer.do("GET", "/v1/api-key", "").ok(t, 200, &list)
	require.Equal(t, "Old intranet", list[0].Label)
	s.requireUnsaid(token, salt, kept)
}

// TestPeppers brings a pepper to the service, and takes it away again.
func TestPeppers(t *testing.T) {
	dsn := databasetest.SQLite(t)
	pepper := []byte(strings.Repeat("canary!!", 4))
	with := func(peppers ...[]byte) *instance { return start(t, dsn, func(o *options) { o.peppers = peppers }) }
	s := with(pepper)
	officer := s.client()
	officer.signIn(siti)
	k := officer.generate("x")
	s.with(k.Token).do("GET", "/v1/campaigns", "").ok(t, 200, nil)
	s.requireUnsaid("canary!!")

	without := with()
	without.with(k.Token).do("GET", "/v1/campaigns", "").ok(t, 503, nil) // and never 401
	second := with([]byte(strings.Repeat("another!", 4)), pepper)
	second.with(k.Token).do("GET", "/v1/campaigns", "").ok(t, 200, nil)

	// A code that one sends is good with the other, though it writes with another pepper.
	s.client().do("POST", "/v1/auth/otp", `{"email":"ali@agency.gov.sg"}`).ok(t, 200, nil)
	code := codeText.FindStringSubmatch(s.smtp.Received()[0].Data)[1]
	login := `{"email":"ali@agency.gov.sg","otp":"` + code + `"}`
	without.client().do("POST", "/v1/auth/login", login).refused(t, 401, "unauthenticated")
	second.client().do("POST", "/v1/auth/login", login).ok(t, 200, nil)
}
