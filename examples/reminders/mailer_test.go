package main

import (
	"crypto/tls"
	"crypto/x509"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/reminder"
	"github.com/opengovsg/latchkey/examples/postman/mail/mailtest"
)

func TestMail(t *testing.T) {
	h := newHouse(t)
	const label = `Gaji & 工资 <b>"live"</b>`
	token, key := h.issue(label, "ann@agency.example", "bob@agency.example")
	h.now = h.now.Add(57 * 24 * time.Hour)
	report, err := h.Once(t.Context())
	require.NoError(t, err)
	require.Equal(t, reminder.Report{Sent: 1}, report)

	got := h.server.Received()
	require.Len(t, got, 2)
	ids := make(map[string]bool)
	for i, contact := range []string{"ann@agency.example", "bob@agency.example"} {
		l := read(t, got[i])
		require.Equal(t, "api-keys@agency.example", got[i].From)
		require.Equal(t, []string{contact}, got[i].To)
		require.Equal(t, "<"+contact+">", l.header.Get("To"), "and nobody learns who else is told")
		require.Equal(t, `"API keys" <api-keys@agency.example>`, l.header.Get("From"))
		require.Equal(t, "auto-generated", l.header.Get("Auto-Submitted"))
		require.Regexp(t, `^<[0-9a-f]{24}@agency\.example>$`, l.header.Get("Message-Id"))
		ids[l.header.Get("Message-Id")] = true
		_, err := l.header.Date()
		require.NoError(t, err)

		require.Equal(t, "API key “"+label+"” expires in 3 days", l.subject)
		require.NotContains(t, l.text, "<no value>")
		for _, want := range []string{
			l.subject, label, "ends in " + key.Hint, "team_<hr>", key.ID,
			"until Thursday, 30 April 2026 at 17:30 (Asia/Singapore)",
			"Rotate the key", "  https://app.agency.example/settings?a=1&b=2\n", "401", "a new key",
		} {
			require.Contains(t, l.text, want)
		}
		for _, want := range []string{
			`Gaji &amp; 工资 &lt;b&gt;&#34;live&#34;&lt;/b&gt;`, "<code>" + key.Hint + "</code>", "team_&lt;hr&gt;", key.ID,
			"until <strong>Thursday, 30 April 2026 at 17:30 (Asia/Singapore)</strong>",
			"Rotate the key", `href="https://app.agency.example/settings?a=1&amp;b=2"`, "401", "a new key",
		} {
			require.Contains(t, l.html, want)
		}
		require.NotContains(t, l.html, "<b>", "a label is no markup")
		h.requireNoSecret(got[i], l, token, key)
	}
	require.Len(t, ids, 2)

	report, err = h.Once(t.Context())
	require.NoError(t, err)
	require.Equal(t, reminder.Report{Done: 1}, report)
	require.Empty(t, h.server.Received())
}

// Where the new token waits to be used, the mail is about the old one.
func TestMailPending(t *testing.T) {
	h := newHouse(t)
	old, before := h.issue("Payroll", "ann@agency.example")
	h.now = h.now.Add(50*24*time.Hour + 8*time.Hour) // past midnight in Singapore
	token, key, err := h.keys.Rotate(t.Context(), apikey.Ref{Owner: before.Owner, ID: before.ID}, apikey.Rotation{})
	require.NoError(t, err)
	h.now = h.now.Add(9*24*time.Hour - 8*time.Hour)
	_, err = h.Once(t.Context())
	require.NoError(t, err)
	got := h.server.Received()
	require.Len(t, got, 1)
	l := read(t, got[0])
	require.Equal(t, "API key “Payroll”: the old token stops working tomorrow", l.subject)
	for _, body := range []string{l.text, strings.NewReplacer("<code>", "", "</code>", "", "<strong>", "", "</strong>", "").Replace(l.html)} {
		body = strings.Join(strings.Fields(body), " ")
		for _, want := range []string{
			"A new token was made for this key on 21 April 2026, and nothing has used it yet.",
			"until Thursday, 30 April 2026 at 17:30 (Asia/Singapore)",
			"ends in " + before.Hint, "the one that ends in " + key.Hint, "rotate the key again", "the old token is refused", "a token that works",
		} {
			require.Contains(t, body, want)
		}
	}
	h.requireNoSecret(got[0], l, token, key)
	h.requireNoSecret(got[0], l, old, key)
}

// A label that no service lets in, and a mail must withstand all the same.
func TestMailInjection(t *testing.T) {
	h := newHouse(t)
	n := reminder.Notice{
		Key: apikey.Key{
			ID: "01m83pph00zab5rrb146", Owner: "user_42\r\n.\r\nQUIT", Hint: "e9w\nY",
			Label: "x\r\nBcc: eve@example.com\r\n\r\n<script>alert(1)</script>\u202e\u2028\n.\n",
		},
		Contacts:  []string{"ann@agency.example"},
		ExpiresAt: h.now, DaysLeft: 0, Milestone: 1,
	}
	require.NoError(t, h.mailer.Notify(t.Context(), n))
	n.Key.Label = strings.Repeat("工资", 127)
	n.DaysLeft = 1
	require.NoError(t, h.mailer.Notify(t.Context(), n))
	got := h.server.Received()
	require.Len(t, got, 2)
	for _, e := range got {
		require.Equal(t, []string{"ann@agency.example"}, e.To)
		l := read(t, e)
		require.Empty(t, l.header.Get("Bcc"))
		require.NotContains(t, l.text+l.html+l.subject, "\u202e")
		require.NotContains(t, l.text, "\nBcc:")
		require.NotContains(t, l.html, "<script")
	}
	l := read(t, got[0])
	require.Equal(t, "API key “x\ufffd\ufffdBcc: eve@example.com\ufffd\ufffd\ufffd\ufffd<script>alert(1)</script>\ufffd\ufffd\ufffd.\ufffd” expires today", l.subject)
	l = read(t, got[1])
	require.Equal(t, "API key “"+strings.Repeat("工资", 29)+"工…” expires tomorrow", l.subject)
	require.Contains(t, l.text, n.Key.Label, "the mail has all of it")
}

// One bad address keeps nobody else from being told; with none that is good, it is tried again.
func TestMailRefused(t *testing.T) {
	h := newHouse(t)
	_, key := h.issue("Payroll", "unknown@agency.example", "ann@agency.example")
	h.now = h.now.Add(57 * 24 * time.Hour)
	report, err := h.Once(t.Context())
	require.NoError(t, err)
	require.Equal(t, reminder.Report{Sent: 1}, report)
	got := h.server.Received()
	require.Len(t, got, 1)
	require.Equal(t, []string{"ann@agency.example"}, got[0].To)
	require.Equal(t, "key "+key.ID+": 1 of 2 contacts could not be told", h.logged.String())

	ref := apikey.Ref{Owner: key.Owner, ID: key.ID}
	_, err = h.keys.Update(t.Context(), ref, apikey.Changes{Contacts: []string{"unknown@agency.example"}})
	require.NoError(t, err)
	h.now = h.now.Add(2 * 24 * time.Hour)
	report, err = h.Once(t.Context())
	require.ErrorContains(t, err, "550")
	require.NotContains(t, err.Error(), "unknown@")
	require.Equal(t, reminder.Report{Failed: 1}, report)
	require.Empty(t, h.server.Received())

	_, err = h.keys.Update(t.Context(), ref, apikey.Changes{Contacts: []string{"ann@agency.example"}})
	require.NoError(t, err)
	first := read(t, got[0]).header.Get("Message-Id")
	report, err = h.Once(t.Context())
	require.NoError(t, err)
	require.Equal(t, reminder.Report{Sent: 1}, report)
	again := h.server.Received()
	require.Len(t, again, 1)
	require.NotEqual(t, first, read(t, again[0]).header.Get("Message-Id"), "another milestone is another mail")
}

// Neither a password nor a mail goes over a line that is not encrypted, unless that is asked for.
func TestMailEncrypted(t *testing.T) {
	h := newHouse(t)
	n := reminder.Notice{Key: apikey.Key{Label: "Payroll"}, Contacts: []string{"ann@agency.example"}, ExpiresAt: h.now}
	notify := func(s *mailtest.Server, trusted *x509.CertPool) error {
		client, err := newClient(s.Addr, false)
		require.NoError(t, err)
		if trusted != nil {
			require.NoError(t, client.SetTLSConfig(&tls.Config{RootCAs: trusted, ServerName: "example.com"}))
		}
		m := *h.mailer
		m.client = client
		return m.Notify(t.Context(), n)
	}
	require.Error(t, notify(h.server, nil), "which has no TLS")
	t.Setenv("SMTP_USERNAME", mailtest.Username)
	t.Setenv("SMTP_PASSWORD", mailtest.Password)
	require.Error(t, notify(h.server, nil))
	require.Empty(t, h.server.Received())

	web := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(web.Close)
	encrypted := mailtest.Start(t, &tls.Config{Certificates: web.TLS.Certificates})
	require.Error(t, notify(encrypted, nil), "whose certificate nobody vouches for")
	require.Empty(t, encrypted.Received())

	pool := x509.NewCertPool()
	pool.AddCert(web.Certificate())
	require.NoError(t, notify(encrypted, pool))
	got := encrypted.Received()
	require.Len(t, got, 1)
	require.True(t, got[0].TLS)
	require.Equal(t, mailtest.Username, got[0].User)

	t.Setenv("SMTP_PASSWORD", "close sesame")
	err := notify(encrypted, pool)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "sesame")
	require.Empty(t, encrypted.Received())
}

// A label is chosen by whoever holds a key, and the mail comes from the service: it must lead nowhere.
func TestPlainLeadsNowhere(t *testing.T) {
	for text, want := range map[string]string{
		"See https://evil.example/login": "See https // evil.example/login",
		"www.evil.example":               "www evil.example",
		"Payroll, HR & 工资":               "Payroll, HR & 工资",
		"two\r\nlines":                   "two\ufffd\ufffdlines",
	} {
		require.Equal(t, want, plain(text))
	}
}
