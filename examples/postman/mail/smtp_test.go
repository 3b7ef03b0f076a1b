package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http/httptest"
	netmail "net/mail"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/examples/postman/mail/mailtest"
)

const siti = "siti@agency.gov.sg"

func newSMTP(t *testing.T, server string) *SMTP {
	t.Helper()
	s, err := NewSMTP(SMTPConfig{Server: server, From: "postman@mail.gov.sg", Plaintext: true})
	require.NoError(t, err)
	return s
}

// read takes a mail apart as its reader's program does.
func read(t *testing.T, e mailtest.Envelope) (header netmail.Header, text string) {
	t.Helper()
	for line := range strings.SplitSeq(strings.TrimSuffix(e.Data, "\r\n"), "\r\n") {
		require.LessOrEqual(t, len(line), 998, "RFC 5322 section 2.1.1")
		require.NotContains(t, line, "\n")
		require.NotContains(t, line, "\r")
	}
	msg, err := netmail.ReadMessage(strings.NewReader(e.Data))
	require.NoError(t, err)
	require.Equal(t, "quoted-printable", msg.Header.Get("Content-Transfer-Encoding"))
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "text/plain", kind)
	require.Equal(t, "utf-8", strings.ToLower(params["charset"]))
	body, err := io.ReadAll(quotedprintable.NewReader(msg.Body))
	require.NoError(t, err)
	return msg.Header, strings.ReplaceAll(string(body), "\r\n", "\n")
}

func TestSMTP(t *testing.T) {
	server := mailtest.Start(t, nil)
	s := newSMTP(t, server.Addr)
	text := "Gaji & 工资 <b>\n.\n.\nQUIT\n" + strings.Repeat("long ", 500)
	require.NoError(t, s.Send(t.Context(), Message{To: "ann@home.example", ReplyTo: siti, Subject: "Gaji 工资 " + strings.Repeat("é", 200), Text: text}))
	require.NoError(t, s.Send(t.Context(), Message{To: siti, Subject: "x", Text: "y", Automatic: true}))
	got := server.Received()
	require.Len(t, got, 2)
	require.Equal(t, "postman@mail.gov.sg", got[0].From)
	require.Equal(t, []string{"ann@home.example"}, got[0].To)
	header, body := read(t, got[0])
	require.Equal(t, text, strings.TrimSuffix(body, "\n"))
	subject, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
	require.NoError(t, err)
	require.Equal(t, "Gaji 工资 "+strings.Repeat("é", 200), subject)
	require.Equal(t, "<postman@mail.gov.sg>", header.Get("From"))
	require.Equal(t, "<siti@agency.gov.sg>", header.Get("Reply-To"))
	require.Empty(t, header.Get("Auto-Submitted"))
	require.NotEmpty(t, header.Get("Message-Id"))
	_, err = header.Date()
	require.NoError(t, err)
	header, _ = read(t, got[1])
	require.Equal(t, "auto-generated", header.Get("Auto-Submitted"))
	require.Empty(t, header.Get("Reply-To"))
}

// TestSMTPSubjects sends subjects that are easily lost on the way, or read as something else.
func TestSMTPSubjects(t *testing.T) {
	server := mailtest.Start(t, nil)
	s := newSMTP(t, server.Addr)
	for _, subject := range []string{
		"=?utf-8?q?a=0D=0ABcc:_eve?=", "工资 =?utf-8?b?eA==?=", "1+1=?", "=??==?=", " x", "x ", "two  spaces", "x" + strings.Repeat(" ", 200) + "y",
		strings.Repeat("a b  ", 50) + "z", strings.Repeat("工", 200) + "  =?", strings.Repeat("x", 255), strings.Repeat("long words ", 20) + "x",
	} {
		require.NoError(t, s.Send(t.Context(), Message{To: siti, Subject: subject, Text: "y"}))
		got := server.Received()
		require.Len(t, got, 1)
		head, _, _ := strings.Cut(got[0].Data, "\r\n\r\n")
		for line := range strings.SplitSeq(head, "\r\n") {
			require.NotEmpty(t, strings.TrimSpace(line), "RFC 5322 section 3.2.2")
			if !strings.Contains(subject, strings.Repeat("x", 255)) { // a word that can't be folded
				require.LessOrEqual(t, len(line), 78, "RFC 5322 section 2.1.1")
			}
		}
		header, _ := read(t, got[0])
		read, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject"))
		require.NoError(t, err)
		require.Equal(t, subject, read)
	}
}

// TestSMTPInjection sends what the service refuses, and a mail must withstand all the same.
func TestSMTPInjection(t *testing.T) {
	server := mailtest.Start(t, nil)
	s := newSMTP(t, server.Addr)
	const evil = "x\r\nBcc: eve@evil.example\r\n\r\nhello\r\n.\r\nMAIL FROM:<eve@evil.example>"
	require.NoError(t, s.Send(t.Context(), Message{To: siti, Subject: evil, Text: evil}))
	got := server.Received()
	require.Len(t, got, 1)
	require.Equal(t, []string{siti}, got[0].To)
	header, _ := read(t, got[0])
	require.Empty(t, header.Get("Bcc"))
	for _, to := range []string{"siti@agency.gov.sg\r\nRCPT TO:<eve@evil.example>", "siti@agency.gov.sg, eve@evil.example", "siti@agency.gov.sg>\r\nDATA", ""} {
		err := s.Send(t.Context(), Message{To: to, Subject: "x", Text: "y"})
		require.Error(t, err, to)
		require.NotContains(t, err.Error(), "siti")
	}
	require.Error(t, s.Send(t.Context(), Message{To: siti, ReplyTo: "a@b.c\r\nBcc: eve@evil.example", Subject: "x", Text: "y"}))
	require.Empty(t, server.Received())
}

func TestSMTPRefused(t *testing.T) {
	server := mailtest.Start(t, nil)
	s := newSMTP(t, server.Addr)
	require.ErrorIs(t, s.Send(t.Context(), Message{To: "unknown@agency.gov.sg", Subject: "x", Text: "y"}), ErrRefused)
	err := s.Send(t.Context(), Message{To: "later@agency.gov.sg", Subject: "x", Text: "y"})
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrRefused, "who asks later may be served")
	err = s.Send(t.Context(), Message{To: siti, Subject: "Spam", Text: "y"})
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrRefused, "it is not about the recipient")
	err = newSMTP(t, "127.0.0.1:1").Send(t.Context(), Message{To: siti, Subject: "x", Text: "y"})
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrRefused)
}

// TestSMTPHangs calls a server that says nothing, more often than there are turns.
func TestSMTPHangs(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	s := newSMTP(t, listener.Addr().String())
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 2*atOnce+1)
	for range 2 * atOnce {
		go func() { failed <- s.Send(ctx, Message{To: siti, Subject: "x", Text: "y"}) }()
	}
	for range atOnce {
		conn, err := listener.Accept()
		require.NoError(t, err)
		defer conn.Close()
	}
	require.Len(t, s.turns, atOnce)
	require.NoError(t, listener.(*net.TCPListener).SetDeadline(time.Now().Add(10*time.Second)))
	go func() { failed <- s.Send(ctx, Message{To: siti, Subject: "Your code", Text: "y", Automatic: true}) }()
	conn, err := listener.Accept()
	require.NoError(t, err, "who signs in waits for none of them")
	defer conn.Close()
	cancel()
	for range 2*atOnce + 1 {
		select {
		case err := <-failed:
			require.ErrorIs(t, err, context.Canceled, "who waits for a turn, and who waits for the server")
		case <-time.After(10 * time.Second):
			t.Fatal("the conversation goes on without its context")
		}
	}
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err = io.ReadAll(conn)
	require.NoError(t, err, "nobody hung up")
}

// TestSMTPWithTLS hands over neither a password nor a mail in the clear.
func TestSMTPWithTLS(t *testing.T) {
	plain := mailtest.Start(t, nil)
	c := SMTPConfig{Server: plain.Addr, From: "postman@mail.gov.sg", Username: mailtest.Username, Password: mailtest.Password}
	s, err := NewSMTP(c)
	require.NoError(t, err)
	require.ErrorContains(t, s.Send(t.Context(), Message{To: siti, Subject: "x", Text: "y"}), "STARTTLS")
	require.Empty(t, plain.Received())

	web := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(web.Close)
	server := mailtest.Start(t, &tls.Config{Certificates: web.TLS.Certificates})
	pool := x509.NewCertPool()
	pool.AddCert(web.Certificate())
	send := func(password string, trusted *x509.CertPool) error {
		c.Server, c.Password = server.Addr, password
		s, err := NewSMTP(c)
		require.NoError(t, err)
		if trusted != nil {
			s.tls.RootCAs, s.tls.ServerName = trusted, "example.com"
		}
		return s.Send(t.Context(), Message{To: siti, Subject: "x", Text: "y"})
	}
	require.ErrorContains(t, send(mailtest.Password, nil), "certificate", "for which nobody vouches")
	err = send("close sesame", pool)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "sesame")
	require.Empty(t, server.Received())
	require.NoError(t, send(mailtest.Password, pool))
	got := server.Received()
	require.Len(t, got, 1)
	require.True(t, got[0].TLS)
	require.Equal(t, mailtest.Username, got[0].User)
}

// TestSMTPWithImplicitTLS speaks TLS from the start, as at port 465.
func TestSMTPWithImplicitTLS(t *testing.T) {
	web := httptest.NewTLSServer(nil) // for its certificate
	t.Cleanup(web.Close)
	server := mailtest.StartImplicit(t, &tls.Config{Certificates: web.TLS.Certificates})
	addr, err := netip.ParseAddrPort(server.Addr)
	require.NoError(t, err)
	s, err := dialing(SMTPConfig{From: "postman@mail.gov.sg", Username: mailtest.Username, Password: mailtest.Password}, "127.0.0.1", int(addr.Port()), true)
	require.NoError(t, err)
	require.ErrorContains(t, s.Send(t.Context(), Message{To: siti, Subject: "x", Text: "y"}), "certificate", "for which nobody vouches")
	s.tls.RootCAs = x509.NewCertPool()
	s.tls.RootCAs.AddCert(web.Certificate())
	require.NoError(t, s.Send(t.Context(), Message{To: siti, Subject: "x", Text: "y"}))
	got := server.Received()
	require.Len(t, got, 1)
	require.True(t, got[0].TLS)
	require.Equal(t, mailtest.Username, got[0].User)

	for server, implicit := range map[string]bool{"mail.test:465": true, "mail.test:587": false} {
		s, err := NewSMTP(SMTPConfig{Server: server, From: siti})
		require.NoError(t, err)
		require.Equal(t, implicit, s.implicit)
	}
}

func TestNewSMTP(t *testing.T) {
	for _, c := range []SMTPConfig{
		{}, {Server: "mail.test", From: siti}, {Server: "mail.test:smtp", From: siti}, {Server: "mail.test:65536", From: siti}, {Server: "mail.test:0", From: siti},
		{Server: "mail.test:25"}, {Server: "mail.test:25", From: "nobody"}, {Server: ":25", From: siti}, {Server: "mail.test:25", From: "a@b.c\r\nBcc: x@y.z"},
	} {
		c.Username, c.Password = "app", "canary"
		_, err := NewSMTP(c)
		require.Error(t, err, c.Server)
		require.NotContains(t, err.Error(), "canary")
	}
}
