// Package signin lets people sign in with a code that is mailed to them, and keeps who is signed in. What it
// knows is in the database, so that it survives a restart and several instances share it.
package signin

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/opengovsg/latchkey/emaildomain"
	"github.com/opengovsg/latchkey/examples/postman/mail"
	"github.com/opengovsg/latchkey/examples/postman/web"
	"github.com/opengovsg/latchkey/sqlstore"
)

// Config says who may sign in, and how. All of it is required but where said otherwise.
type Config struct {
	DB      *sql.DB
	Dialect sqlstore.Dialect
	Policy  *emaildomain.Policy // whose mail addresses are admitted
	Mail    mail.Sender

	// Keys are for hashing codes, which are short enough to be found out from a plain hash by whoever
	// reads the database while they live. The first one hashes, all of them check. None: a plain hash.
	Keys [][]byte

	// InsecureCookie lets the cookie travel without TLS, which is for a server on the same machine only.
	InsecureCookie bool

	// Home is where people are led once they are signed in: a path that ends in a slash. They may
	// also have been on their way to somewhere below it.
	Home string

	// MailPage, where not empty, is a page on which people who try the service out can read its mails.
	MailPage string

	// OnError is told of faults, after the answer is decided. It must be safe for concurrent use.
	OnError func(r *http.Request, err error)

	// Now is the clock: time.Now where nil. It must be safe for concurrent use.
	Now func() time.Time
}

// SignIn is the service. Make one with [New]. It is safe for concurrent use.
type SignIn struct {
	tables
	policy   *emaildomain.Policy
	mail     mail.Sender
	keys     [][]byte
	insecure bool
	home     string
	mailPage string
	onError  func(*http.Request, error)
	now      func() time.Time
	origin   *http.CrossOriginProtection
	cleaned  atomic.Int64 // Unix microseconds: when what is over was last deleted
}

// New returns the service. Before it is used there must be its tables, for which see [SignIn.Migrate].
func New(c Config) *SignIn {
	s := &SignIn{
		tables:   tables{c.DB, c.Dialect},
		policy:   c.Policy,
		mail:     c.Mail,
		keys:     c.Keys,
		insecure: c.InsecureCookie,
		home:     c.Home,
		mailPage: c.MailPage,
		onError:  c.OnError,
		now:      c.Now,
		origin:   http.NewCrossOriginProtection(),
	}
	if len(s.keys) == 0 {
		s.keys = [][]byte{nil}
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// cleaning is how often what is over is deleted.
const cleaning = time.Minute

// clean deletes what is over, now and then. Nothing depends on it but the room that it takes.
func (s *SignIn) clean(ctx context.Context) error {
	now := s.now()
	last := s.cleaned.Load()
	if now.UnixMicro() < last+cleaning.Microseconds() || !s.cleaned.CompareAndSwap(last, now.UnixMicro()) {
		return nil
	}
	_, err1 := s.exec(ctx, "DELETE FROM postman_codes WHERE sent_at <= ?", now.Add(-window).UnixMicro())
	_, err2 := s.exec(ctx, "DELETE FROM postman_sessions WHERE seen_at <= ?", now.Add(-maxIdle).UnixMicro())
	return errors.Join(err1, err2)
}

// refuse decides what people see of an error, and tells of a fault.
func (s *SignIn) refuse(r *http.Request, err error) *web.Refusal {
	if answer, ok := errors.AsType[*web.Refusal](err); ok {
		return answer
	}
	s.onError(r, err)
	return web.Unavailable("Signing in is not possible just now. Try again shortly.")
}
