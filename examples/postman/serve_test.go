package main

import (
	"context"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/examples/postman/database"
	"github.com/opengovsg/latchkey/examples/postman/databasetest"
)

// TestEnd ends the service while a mail is on its way: whoever sent it hears that it arrived.
func TestEnd(t *testing.T) {
	dsn := databasetest.SQLite(t)
	s := start(t, dsn)
	officer := s.client()
	officer.signIn(siti)
	k := officer.generate("x")
	arrived, release := s.smtp.Hold()
	defer release()
	program := s.with(k.Token)
	answers := make(chan answer, 1)
	go func() { answers <- program.do("POST", "/v1/transactional/email/send", hello) }()
	<-arrived
	s.stop()
	require.Eventually(t, func() bool { return strings.Contains(s.log.String(), `"msg":"ending"`) }, 30*time.Second, time.Millisecond)
	select {
	case <-s.ended:
		t.Fatal("it ended before the request did")
	default:
	}
	release()
	a := <-answers
	require.Equal(t, 201, a.status, a.body)
	require.NoError(t, s.end())
	requireUsed(t, dsn, k.ID)
	_, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	require.Error(t, err, "nobody listens any more")
}

// TestWithoutURL warns whoever would mail links that lead nobody to the service.
func TestWithoutURL(t *testing.T) {
	s := start(t, databasetest.SQLite(t))
	require.Contains(t, s.log.String(), `"level":"WARN","msg":"mails link to where the service listens: say with -url where people reach it","url":"`+s.url+`"`)
	named := start(t, databasetest.SQLite(t), func(o *options) { o.url = "https://postman.gov.sg" })
	require.NotContains(t, named.log.String(), "WARN")
	require.NotContains(t, dev(t).log.String(), "WARN", "there they are right")
}

// TestWarnKeepsNobodyOut counts keys that can't be counted: there is no table of them.
func TestWarnKeepsNobodyOut(t *testing.T) {
	db, err := database.Open(databasetest.SQLite(t))
	require.NoError(t, err)
	defer db.Close()
	out, log := new(buffer), new(buffer)
	o := options{dev: true, log: log}
	s, err := newService(o, db)
	require.NoError(t, err)
	s.warn(t.Context(), out, o)
	require.Empty(t, out.String())
	require.Contains(t, log.String(), `"level":"WARN","msg":"whether POSTMAN_LEGACY_SALT is missing is not known"`)
	o.legacySalt = "canary"
	s.warn(t.Context(), out, o)
	require.Equal(t, 1, strings.Count(log.String(), "WARN"))
}

// TestDrain says no to a load balancer before it refuses connections.
func TestDrain(t *testing.T) {
	s := start(t, databasetest.SQLite(t), func(o *options) { o.drain = 2 * time.Second })
	c := s.client()
	c.do("GET", "/healthz", "").ok(t, 200, nil)
	c.do("GET", "/readyz", "").ok(t, 200, nil)
	s.stop()
	require.Eventually(t, func() bool { return strings.Contains(s.log.String(), `"msg":"ending"`) }, 30*time.Second, time.Millisecond)
	c.do("GET", "/readyz", "").refused(t, 503, "service_unavailable")
	c.do("GET", "/healthz", "").ok(t, 200, nil)
	c.do("GET", "/v1/auth/userinfo", "").ok(t, 200, nil)
	require.NoError(t, s.end())
}

func TestReadyNeedsTheTables(t *testing.T) {
	dsn := databasetest.SQLite(t)
	s := start(t, dsn)
	c := s.client()
	db, err := database.Open(dsn)
	require.NoError(t, err)
	defer db.Close()
	for _, table := range []string{"latchkey_keys", "postman_codes", "postman_sessions"} {
		c.do("GET", "/readyz", "").ok(t, 200, nil)
		_, err = db.Exec("ALTER TABLE " + table + " RENAME TO gone")
		require.NoError(t, err)
		a := c.do("GET", "/readyz", "")
		a.refused(t, 503, "service_unavailable")
		require.NotContains(t, a.body, table)
		c.do("GET", "/healthz", "").ok(t, 200, nil)
		_, err = db.Exec("ALTER TABLE gone RENAME TO " + table)
		require.NoError(t, err)
	}
	c.do("GET", "/readyz", "").ok(t, 200, nil)
}

// A cable leads to a server, and can be cut.
type cable struct {
	t        *testing.T
	addr, to string
	listener net.Listener
	mu       sync.Mutex
	conns    []net.Conn
	done     sync.WaitGroup
}

func (c *cable) mend() {
	c.t.Helper()
	var err error
	c.listener, err = net.Listen("tcp", c.addr)
	require.NoError(c.t, err)
	c.addr = c.listener.Addr().String()
	listener := c.listener
	c.done.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", c.to)
			if err != nil {
				near.Close()
				continue
			}
			c.mu.Lock()
			c.conns = append(c.conns, near, far)
			c.mu.Unlock()
			c.done.Go(func() { io.Copy(near, far); near.Close() })
			c.done.Go(func() { io.Copy(far, near); far.Close() })
		}
	})
}

func (c *cable) cut() {
	c.listener.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

// TestDatabaseDown cuts the database off: nobody's key or session is called bad, and all goes on afterwards.
func TestDatabaseDown(t *testing.T) {
	for name, fresh := range map[string]func(testing.TB) string{"PostgreSQL": databasetest.Postgres, "MySQL": databasetest.MySQL} {
		t.Run(name, func(t *testing.T) {
			u, err := url.Parse(fresh(t))
			require.NoError(t, err)
			c := &cable{t: t, addr: "127.0.0.1:0", to: u.Host}
			c.mend()
			t.Cleanup(c.done.Wait)
			t.Cleanup(func() { c.cut() })
			u.Host = c.addr
			if u.User.Username() != "" {
				u.User = url.UserPassword(u.User.Username(), "canary") // which no server here asks for
			}
			if name == "MySQL" {
				u.User = url.User(u.User.Username()) // which does
			}
			s := start(t, u.String())
			officer := s.client()
			officer.signIn(siti)
			program := s.with(officer.generate("x").Token)
			all := func(status int) {
				t.Helper()
				for _, c := range []*client{officer, program} {
					c.do("GET", "/readyz", "").ok(t, status, nil)
					c.do("GET", "/v1/campaigns", "").ok(t, status, nil)
				}
				officer.do("GET", "/v1/auth/userinfo", "").ok(t, status, nil)
				officer.do("GET", "/v1/api-key", "").ok(t, status, nil)
				officer.do("GET", "/settings/", "").ok(t, status, nil)
				officer.do("GET", "/healthz", "").ok(t, 200, nil)
			}
			all(200)
			c.cut()
			all(503)
			s.client().do("POST", "/v1/auth/otp", `{"email":"ali@agency.gov.sg"}`).refused(t, 503, "service_unavailable")
			require.Empty(t, s.smtp.Received())
			c.mend()
			all(200)
			s.requireUnsaid("canary", u.String())
		})
	}
}

func TestStartFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for want, change := range map[string]func(*options){
		"can't listen at -addr":   func(o *options) { o.addr = taken.Addr().String() },
		"-dsn: ":                  func(o *options) { o.dsn = "redis://app:canary@host/0" },
		"the database can't be":   func(o *options) { o.dsn = "postgres://app:canary@127.0.0.1:1/x" },
		"the database can't":      func(o *options) { o.dsn = "mysql://app:canary@127.0.0.1:1/x" },
		"the database can't be m": func(o *options) { o.dsn = t.TempDir() + "/none/canary.db" },
		"-smtp and -from: ":       func(o *options) { o.smtp, o.password = "mail.test", "canary" },
		"POSTMAN_PEPPERS_FILE: ":  func(o *options) { o.peppers = [][]byte{[]byte("canary")} },
		"POSTMAN_LEGACY_SALT: ":   func(o *options) { o.legacySalt = "canary" },
	} {
		o := options{addr: "127.0.0.1:0", dsn: databasetest.SQLite(t), smtp: "127.0.0.1:25", from: siti, log: new(buffer)}
		change(&o)
		out := new(buffer)
		err := run(context.Background(), o, out)
		require.ErrorContains(t, err, want)
		if !strings.HasSuffix(want, "be m") {
			require.NotContains(t, err.Error(), "canary")
		}
		require.Empty(t, out.String(), "it says nothing of a page that is not there")
	}
}
