package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/opengovsg/latchkey/examples/postman/database"
	"github.com/opengovsg/latchkey/examples/postman/mail"
	"github.com/opengovsg/latchkey/sqlstore"
)

const (
	// starting bounds how long the database may take to be there and have its tables made.
	starting = 30 * time.Second

	// counting bounds how long keys may be counted before the service starts.
	counting = 5 * time.Second

	// ending bounds how long requests under way may take to end once no new ones are taken.
	ending = 20 * time.Second
)

// serve runs the service until the context ends.
func serve(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args, out)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	return run(ctx, o, out)
}

// run runs the service until the context ends. What it started has ended when it returns, from the socket
// to the database.
func run(ctx context.Context, o options, out io.Writer) (err error) {
	db, err := database.Open(o.dsn)
	if err != nil {
		return fmt.Errorf("-dsn: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	listener, err := o.listen(ctx)
	if err != nil {
		return err
	}
	defer listener.Close() // which the server does as well
	guessed := o.url == ""
	if guessed {
		o.url = "http://" + reachable(listener.Addr().String())
	}
	s, err := newService(o, db)
	if err != nil {
		return err
	}
	if guessed && !o.dev {
		s.log.Warn("mails link to where the service listens: say with -url where people reach it", "url", o.url)
	}
	if err := s.migrate(ctx); err != nil {
		return fmt.Errorf("the database can't be made ready: %w", err)
	}
	s.warn(ctx, out, o)
	announce(out, o, db, listener.Addr())

	// The last requests are the last uses of keys, so the recording of uses ends after them.
	keep, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	recorded := make(chan error, 1)
	go func() { recorded <- s.keys.Run(keep) }()

	err = s.serveUntil(ctx, listener, o.drain)
	stop()
	return errors.Join(err, <-recorded)
}

// migrate makes the tables.
func (s *service) migrate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, starting)
	defer cancel()
	if err := s.db.Keys.Migrate(ctx); err != nil {
		return err
	}
	return s.signin.Migrate(ctx)
}

// serveUntil answers requests and reminds people until the context ends, and then until what is under way
// has ended.
func (s *service) serveUntil(ctx context.Context, listener net.Listener, drain time.Duration) error {
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second, // a mail server may take its time
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var reminding sync.WaitGroup
	defer reminding.Wait()
	reminding.Go(func() {
		if err := s.reminder.Run(ctx); err != nil {
			s.log.Error("reminders ended", "err", err)
		}
	})

	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		cancel()
		return err
	case <-ctx.Done():
	}
	s.ending.Store(true)
	s.log.Info("ending")
	time.Sleep(drain)
	patience, giveUp := context.WithTimeout(context.WithoutCancel(ctx), ending)
	defer giveUp()
	if err := server.Shutdown(patience); err != nil {
		return errors.Join(fmt.Errorf("requests under way did not end within %s", ending), server.Close())
	}
	return nil
}

// reachable turns the address for everywhere, which is no place to open a browser at, into this machine.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip, bad := netip.ParseAddr(host); err == nil && bad == nil && ip.IsUnspecified() {
		return net.JoinHostPort("localhost", port)
	}
	return addr
}

// announce says where things are. It never prints the data source name, which may hold a password.
func announce(out io.Writer, o options, db *database.Database, addr net.Addr) {
	kind := map[sqlstore.Dialect]string{sqlstore.Postgres: "a PostgreSQL database", sqlstore.MySQL: "a MySQL database"}[db.Dialect]
	if kind == "" {
		kind = "the SQLite file " + o.dsn
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Open %s/ in a browser, and sign in with any address that ends in .gov.sg.\n", o.url)
	if o.dev {
		fmt.Fprintf(&b, "Mails, such as the one with your code, are at %s/outbox\n", o.url)
	}
	fmt.Fprintf(&b, "Listening at %s. Keys are in %s. Ctrl-C ends it.\n", addr, kind)
	if o.dev {
		b.WriteString("This is for trying things out, never for production: whoever is on this machine can sign in as anybody.\n")
	}
	io.WriteString(out, b.String())
}

// warn says that keys of the earlier system are kept out for lack of the salt. Where there are too many keys
// to count them in a while, or none can be counted, the service starts all the same.
func (s *service) warn(ctx context.Context, out io.Writer, o options) {
	if o.legacySalt != "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, counting)
	defer cancel()
	counts, err := s.keys.CountAll(ctx)
	switch {
	case err != nil:
		s.log.Warn("whether POSTMAN_LEGACY_SALT is missing is not known", "err", err)
	case counts.Legacy > 0:
		fmt.Fprintf(out, "There are %d keys of the earlier system whose tokens are refused, since POSTMAN_LEGACY_SALT is not set.\n", counts.Legacy)
	}
}

// sender returns what sends the mails, and the outbox if that is what keeps them.
func sender(o options) (mail.Sender, *mail.Outbox, error) {
	if o.dev {
		box := new(mail.Outbox)
		return box, box, nil
	}
	smtp, err := mail.NewSMTP(mail.SMTPConfig{
		Server: o.smtp, From: o.from, Username: o.user, Password: o.password, Plaintext: o.plaintext,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("-smtp and -from: %w", err)
	}
	return smtp, nil, nil
}
