package main

import (
	"encoding/hex"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/reminder"
	"github.com/opengovsg/latchkey/examples/postman/mail/mailtest"
	"github.com/opengovsg/latchkey/memstore"
)

// A house is a service with a clock, and a reminder that mails to a server.
type house struct {
	t      *testing.T
	now    time.Time
	store  *memstore.Store
	keys   *apikey.Service
	server *mailtest.Server
	mailer *mailer
	logged strings.Builder
	*reminder.Reminder
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, now: time.Date(2026, time.March, 1, 9, 30, 0, 0, time.UTC), store: new(memstore.Store), server: mailtest.Start(t, nil)}
	client, err := newClient(h.server.Addr, true)
	require.NoError(t, err)
	h.mailer = &mailer{
		client: client, from: "api-keys@agency.example", settings: "https://app.agency.example/settings?a=1&b=2",
		log: func(line string) { h.logged.WriteString(line) },
	}
	now := func() time.Time { return h.now }
	h.keys, err = apikey.New(h.store, apikey.Config{Prefix: "acme_live", Now: now})
	require.NoError(t, err)
	singapore, err := time.LoadLocation("Asia/Singapore")
	require.NoError(t, err)
	h.Reminder, err = reminder.New(h.keys, h.mailer, reminder.Config{Now: now, Location: singapore})
	require.NoError(t, err)
	return h
}

func (h *house) issue(label string, contacts ...string) (apikey.Token, apikey.Key) {
	h.t.Helper()
	token, key, err := h.keys.Issue(h.t.Context(), apikey.Request{
		Owner: "team_<hr>", Label: label, Contacts: contacts, ExpiresIn: 60 * 24 * time.Hour,
	})
	require.NoError(h.t, err)
	return token, key
}

// A letterRead is a mail as its reader's program takes it apart.
type letterRead struct {
	header     mail.Header
	subject    string
	text, html string
}

// read parses a mail: its header, and a text and an HTML part of the same, in that order.
func read(t *testing.T, e mailtest.Envelope) letterRead {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSuffix(e.Data, "\r\n"), "\r\n") {
		require.LessOrEqual(t, len(line), 998, "RFC 5322 section 2.1.1")
		require.NotContains(t, line, "\n")
		require.NotContains(t, line, "\r")
	}
	msg, err := mail.ReadMessage(strings.NewReader(e.Data))
	require.NoError(t, err)
	for name, values := range msg.Header {
		require.Len(t, values, 1, name)
		for _, r := range values[0] {
			require.True(t, r >= ' ' && r <= '~' || r == '\t', "%s is not ASCII", name)
		}
	}
	l := letterRead{header: msg.Header}
	l.subject, err = new(mime.WordDecoder).DecodeHeader(msg.Header.Get("Subject"))
	require.NoError(t, err)
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/alternative", kind)
	parts := multipart.NewReader(msg.Body, params["boundary"])
	for _, want := range []struct {
		kind string
		into *string
	}{{"text/plain", &l.text}, {"text/html", &l.html}} {
		part, err := parts.NextRawPart()
		require.NoError(t, err)
		kind, params, err := mime.ParseMediaType(part.Header.Get("Content-Type"))
		require.NoError(t, err)
		require.Equal(t, want.kind, kind)
		require.Equal(t, "utf-8", strings.ToLower(params["charset"]))
		require.Equal(t, "quoted-printable", part.Header.Get("Content-Transfer-Encoding"))
		body, err := io.ReadAll(quotedprintable.NewReader(part))
		require.NoError(t, err)
		*want.into = strings.ReplaceAll(string(body), "\r\n", "\n")
	}
	_, err = parts.NextPart()
	require.ErrorIs(t, err, io.EOF)
	return l
}

// requireNoSecret looks for the token, for the secret in it, and for the hash as kept, in any of the
// usual spellings.
func (h *house) requireNoSecret(e mailtest.Envelope, l letterRead, token apikey.Token, key apikey.Key) {
	h.t.Helper()
	rec, err := h.store.Get(h.t.Context(), key.ID)
	require.NoError(h.t, err)
	plain := token.Reveal()
	secret := plain[len(plain)-49 : len(plain)-6]
	require.NotEmpty(h.t, string(rec.Hash))
	for _, text := range []string{e.Data, l.subject, l.text, l.html} {
		for _, hidden := range []string{plain, secret, secret[30:], string(rec.Hash), hex.EncodeToString([]byte(rec.Hash))} {
			require.False(h.t, strings.Contains(text, hidden))
		}
	}
}
