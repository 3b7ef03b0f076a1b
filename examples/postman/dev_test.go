package main

import (
	"context"
	"net"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/examples/postman/databasetest"
)

// dev starts the service as people do who try it out.
func dev(t *testing.T) *instance {
	t.Helper()
	return start(t, databasetest.SQLite(t), func(o *options) { o.dev, o.smtp, o.from = true, "", "" })
}

// TestDev goes the way of the README.
func TestDev(t *testing.T) {
	s := dev(t)
	for _, line := range []string{
		"Open " + s.url + "/ in a browser", s.url + "/outbox\n", "postman.db", "never for production",
	} {
		require.Contains(t, s.out.String(), line)
	}
	officer := s.client() // with a jar: the cookie travels without TLS
	officer.do("POST", "/v1/auth/otp", `{"email":"siti@agency.gov.sg"}`).ok(t, 200, nil)
	var mails []struct{ To, Text string }
	officer.do("GET", "/outbox.json", "").ok(t, 200, &mails)
	require.Len(t, mails, 1)
	require.Equal(t, siti, mails[0].To)
	code := codeText.FindStringSubmatch(mails[0].Text)[1]
	require.Contains(t, officer.do("GET", "/outbox", "").ok(t, 200, nil).body, code)
	officer.do("POST", "/v1/auth/login", `{"email":"siti@agency.gov.sg","otp":"`+code+`"}`).ok(t, 200, nil)
	u, err := url.Parse(s.url)
	require.NoError(t, err)
	require.Equal(t, "postman", officer.Jar.Cookies(u)[0].Name, "the one that travels without TLS")
	require.Contains(t, officer.do("GET", "/settings/", "").ok(t, 200, nil).body, `<a href="/outbox">Outbox</a> <a href="/logout">Sign out</a>`)
	k := officer.generate("x")
	require.Regexp(t, `^postman_dev_`, k.Token)
	s.with(k.Token).do("POST", "/v1/transactional/email/send", hello).ok(t, 201, nil)
	officer.do("GET", "/outbox.json", "").ok(t, 200, &mails)
	require.Equal(t, "ann@home.example", mails[0].To)
	require.Empty(t, s.smtp.Received(), "nothing is really sent")
	s.requireUnsaid(code, k.Token, "It is at nine.")

	officer.do("GET", "/outbox.json", "", "Host", "evil.example").refused(t, 403, "not_local")
	officer.do("GET", "/outbox", "", "Host", "evil.example:8080").refused(t, 403, "not_local")
}

// TestDevIsLocal does not start where others could read the codes.
func TestDevIsLocal(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", "[::]:0", outside(t) + ":0"} {
		o := options{addr: addr, dsn: databasetest.SQLite(t), dev: true, log: new(buffer)}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // or it would run for good
		err := run(ctx, o, new(buffer))
		cancel()
		require.ErrorContains(t, err, "-dev is for this machine only", addr)
	}
	for _, addr := range []string{":0", "localhost:0", "127.0.0.1:0"} {
		o := options{addr: addr, dev: true}
		listener, err := o.listen(t.Context())
		require.NoError(t, err, addr)
		require.True(t, listener.Addr().(*net.TCPAddr).IP.IsLoopback(), addr)
		require.NoError(t, listener.Close())
	}
	o := options{addr: ":0"}
	listener, err := o.listen(t.Context())
	require.NoError(t, err)
	require.True(t, listener.Addr().(*net.TCPAddr).IP.IsUnspecified(), "without -dev, everywhere")
	require.NoError(t, listener.Close())
}

// outside returns an address of this machine that others may reach.
func outside(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, a := range addrs {
		if ip, ok := a.(*net.IPNet); ok && !ip.IP.IsLoopback() && ip.IP.To4() != nil {
			return ip.IP.String()
		}
	}
	return "0.0.0.0" // a machine that nobody else reaches
}

func TestCodeIsNowhereElse(t *testing.T) {
	s := dev(t)
	c := s.client()
	a := c.do("POST", "/login", "email=siti%40agency.gov.sg", "Content-Type", "application/x-www-form-urlencoded").ok(t, 200, nil)
	var mails []struct{ Text string }
	c.do("GET", "/outbox.json", "").ok(t, 200, &mails)
	code := codeText.FindStringSubmatch(mails[0].Text)[1]
	require.NotContains(t, a.body, code)
	require.Contains(t, a.body, `href="/outbox"`)
	require.NotRegexp(t, regexp.MustCompile(code), a.header)
	s.requireUnsaid(code)
}
