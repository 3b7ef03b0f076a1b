// Package mailtest is a mail server for tests.
package mailtest

import (
	"bytes"
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

// The login that a server with TLS asks for.
const (
	Username = "postman"
	Password = "open sesame"
)

// An Envelope is a mail as a server received it.
type Envelope struct {
	From string
	To   []string
	Data string
	TLS  bool
	User string
}

// A Server is a mail server that keeps what it receives. It refuses whoever is called unknown@ and what is
// about "Spam", and has no time for later@.
type Server struct {
	Addr string

	mu   sync.Mutex
	got  []Envelope
	hold func() // nil: takes mails at once
}

// Start starts a server until the test ends. With a TLS configuration it takes mails only from who has
// logged in.
func Start(t *testing.T, config *tls.Config) *Server { return start(t, config, false) }

// StartImplicit starts a server that speaks TLS from the start.
func StartImplicit(t *testing.T, config *tls.Config) *Server { return start(t, config, true) }

func start(t *testing.T, config *tls.Config, implicit bool) *Server {
	t.Helper()
	s := new(Server)
	ms := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{server: s, conn: c}, nil
	}))
	ms.Domain = "mail.test"
	ms.ErrorLog = quiet{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.Addr = listener.Addr().String()
	if implicit {
		listener = tls.NewListener(listener, config)
	} else {
		ms.TLSConfig = config
	}
	served := make(chan error, 1)
	go func() { served <- ms.Serve(listener) }()
	t.Cleanup(func() {
		require.NoError(t, ms.Close())
		<-served
	})
	return s
}

// Received returns what the server received since it was last called.
func (s *Server) Received() []Envelope {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	return got
}

// Hold lets the server take no mail before release is called. The channel tells of each that arrives.
func (s *Server) Hold() (arrived <-chan struct{}, release func()) {
	arriving, released := make(chan struct{}, 100), make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold = func() {
		arriving <- struct{}{}
		<-released
	}
	return arriving, sync.OnceFunc(func() { close(released) })
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

type session struct {
	server *Server
	conn   *smtp.Conn
	Envelope
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != Username || password != Password {
			return errors.New("wrong password")
		}
		s.User = user
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	_, s.TLS = s.conn.TLSConnectionState()
	if s.TLS && s.User == "" {
		return smtp.ErrAuthRequired
	}
	s.From = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch {
	case strings.HasPrefix(to, "unknown@"):
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user: " + to}
	case strings.HasPrefix(to, "later@"):
		return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 1}, Message: "not now: " + to}
	}
	s.To = append(s.To, to)
	return nil
}

func (s *session) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if bytes.Contains(data, []byte("Subject: Spam\r\n")) {
		return &smtp.SMTPError{Code: 554, EnhancedCode: smtp.EnhancedCode{5, 7, 1}, Message: "not that"}
	}
	s.Envelope.Data = string(data)
	s.server.mu.Lock()
	hold := s.server.hold
	s.server.mu.Unlock()
	if hold != nil {
		hold()
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.got = append(s.server.got, s.Envelope)
	return nil
}

func (s *session) Reset() { s.From, s.To, s.Envelope.Data = "", nil, "" }

func (s *session) Logout() error { return nil }
