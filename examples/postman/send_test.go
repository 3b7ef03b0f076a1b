package main

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/examples/postman/database"
	"github.com/opengovsg/latchkey/examples/postman/databasetest"
)

func body(t *testing.T, recipient, subject, text string) string {
	t.Helper()
	b, err := json.Marshal(map[string]string{"recipient": recipient, "subject": subject, "body": text})
	require.NoError(t, err)
	return string(b)
}

// TestSend sends what is at the edge of what may be sent.
func TestSend(t *testing.T) {
	s := start(t, databasetest.SQLite(t))
	officer := s.client()
	officer.signIn(siti)
	program := s.with(officer.generate("x").Token)
	for _, c := range [][3]string{
		{"a@b.co", "x", "y"},
		{"o'neil+tag%x@sub-domain.example.com", "Gaji 工资 👩‍👧 <b>", "<p>sent as it is</p>\r\n\t工资\n"},
		{"ann@home.example", strings.Repeat("é", 255), strings.Repeat("x", 1<<20)},
	} {
		var m message
		program.do("POST", "/v1/transactional/email/send", body(t, c[0], c[1], c[2])).ok(t, 201, &m)
		require.Equal(t, c, [3]string{m.Recipient, m.Params.Subject, m.Params.Body})
		got := s.smtp.Received()
		require.Len(t, got, 1)
		require.Equal(t, []string{c[0]}, got[0].To)
		require.Contains(t, got[0].Data, "Content-Type: text/plain")
	}
}

func TestSendRefuses(t *testing.T) {
	s := start(t, databasetest.SQLite(t))
	officer := s.client()
	officer.signIn(siti)
	program := s.with(officer.generate("x").Token)
	refuse := func(body, member string) {
		t.Helper()
		a := program.do("POST", "/v1/transactional/email/send", body)
		a.refused(t, 400, "api_validation")
		require.Contains(t, a.body, member)
		require.NotContains(t, a.body, "evil")
	}
	for _, recipient := range []string{
		"", "ann", "@home.example", "ann@", "Ann <ann@evil.example>", "<ann@evil.example>", "ann@evil.example, eve@evil.example", " ann@evil.example",
		"ann@evil.example\r\nBcc: eve@evil.example", "ann@evil.example\n", "ann(comment)@evil.example", `"ann smith"@evil.example`, `"a\"b"@evil.example`,
		"ann@[127.0.0.1]", "änn@evil.example", "ann@évil.example", "ann@evil.example\x00", "ann@evil.example>", "ann..smith@evil.example",
		strings.Repeat("a", 250) + "@evil.example", "group: ann@evil.example;",
	} {
		refuse(body(t, recipient, "x", "y"), "recipient")
	}
	for _, subject := range []string{
		"", "  ", "x\r\nBcc: eve@evil.example", "x\ny", "x\ry", "x\x00y", "x\x1by", "x\u2028y", "x\u202ey", "x\u0085y", "\t", strings.Repeat("é", 256),
	} {
		refuse(body(t, "ann@home.example", subject, "y"), "subject")
	}
	for _, text := range []string{"", " \r\n", "x\x00", "x\x1b[2J", "x\x7f", "x\u0085", strings.Repeat("é", 1<<19) + "x"} {
		refuse(body(t, "ann@home.example", "x", text), "body")
	}
	refuse(body(t, "ann@home.example", "x", strings.Repeat("\t", 1<<20+4<<10)), "body")
	refuse(`{"recipient":"ann@home.example","subject":"x","body":"y","from":"eve@evil.example"}`, "no members but")
	refuse(`{"recipient":["ann@home.example","eve@evil.example"],"subject":"x","body":"y"}`, "recipient")
	refuse(`{"recipient":"ann@home.example","subject":"x"}`, "body")
	refuse(url.Values{"recipient": {"ann@home.example"}}.Encode(), "body")
	require.Empty(t, s.smtp.Received())
}

// TestSendWithoutReply sends for an owner who has no address to reply to.
func TestSendWithoutReply(t *testing.T) {
	dsn := databasetest.SQLite(t)
	s := start(t, dsn)
	db, err := database.Open(dsn)
	require.NoError(t, err)
	defer db.Close()
	keys, err := apikey.New(db.Keys, apikey.Config{Prefix: "postman_live"})
	require.NoError(t, err)
	token, _, err := keys.Issue(t.Context(), apikey.Request{Owner: "user 42", Label: "x"})
	require.NoError(t, err)
	s.with(token.Reveal()).do("POST", "/v1/transactional/email/send", hello).ok(t, 201, nil)
	got := s.smtp.Received()
	require.Len(t, got, 1)
	require.NotContains(t, got[0].Data, "Reply-To")
}

// TestSendFails tells a recipient whom the mail server refuses from a mail server that is in trouble.
func TestSendFails(t *testing.T) {
	s := start(t, databasetest.SQLite(t))
	officer := s.client()
	officer.signIn(siti)
	token := officer.generate("x").Token
	program := s.with(token)
	program.do("POST", "/v1/transactional/email/send", body(t, "unknown@home.example", "x", "y")).refused(t, 400, "invalid_recipient")
	a := program.do("POST", "/v1/transactional/email/send", body(t, "later@home.example", "x", "y"))
	a.refused(t, 503, "service_unavailable")
	require.Equal(t, "1", a.header.Get("Retry-After"))
	s.requireUnsaid("unknown@", "later@")
	require.Contains(t, s.log.String(), "could not be sent: the mail server answered 4")

	down := start(t, databasetest.SQLite(t), func(o *options) { o.smtp = "127.0.0.1:1" })
	down.client().do("POST", "/v1/auth/otp", `{"email":"siti@agency.gov.sg"}`).refused(t, 503, "service_unavailable")
	require.NotContains(t, down.log.String(), siti)
	require.Regexp(t, `could not be sent: dial tcp 127\.0\.0\.1:1: .*refused`, down.log.String())
}
