package main

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/stretchr/testify/require"
)

// An envelope is a mail as a server received it.
type envelope struct {
	from string
	to   []string
	data string
	tls  bool
	user string
}

// A server is a mail server that keeps what it receives.
type server struct {
	addr string
	mu   sync.Mutex
	got  []envelope
}

// start starts a mail server, which takes mails from "reminders" alone where it has TLS, and refuses
// whatever is addressed to somebody unknown.
func start(t *testing.T, config *tls.Config) *server {
	t.Helper()
	s := new(server)
	ms := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{server: s, conn: c}, nil
	}))
	ms.Domain = "mail.test"
	ms.TLSConfig = config
	ms.ErrorLog = quiet{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.addr = listener.Addr().String()
	served := make(chan error, 1)
	go func() { served <- ms.Serve(listener) }()
	t.Cleanup(func() {
		require.NoError(t, ms.Close())
		<-served
	})
	return s
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// received returns what the server received since it was last called.
func (s *server) received() []envelope {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	return got
}

type session struct {
	server *server
	conn   *smtp.Conn
	envelope
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "reminders" || password != "open sesame" {
			return errors.New("wrong password")
		}
		s.user = user
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	_, s.tls = s.conn.TLSConnectionState()
	if s.tls && s.user == "" {
		return smtp.ErrAuthRequired
	}
	s.from = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "unknown@") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user: " + to}
	}
	s.to = append(s.to, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.data = string(data)
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.got = append(s.server.got, s.envelope)
	return nil
}

func (s *session) Reset() { s.from, s.to, s.data = "", nil, "" }

func (s *session) Logout() error { return nil }
