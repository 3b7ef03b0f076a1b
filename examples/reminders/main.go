// Command reminders mails people before their keys end.
//
//	go run ./examples/reminders -dry-run                        # on a database made on the fly
//	go run ./examples/reminders -db keys.db -dry-run            # what it would send
//	go run ./examples/reminders -db keys.db -smtp mail:587 -once  # one pass, for a job
//	go run ./examples/reminders -db keys.db -smtp mail:587        # a pass every hour
//	go run ./examples/reminders -db keys.db -idle 90              # who has keys that nobody uses
//
// SMTP_USERNAME and SMTP_PASSWORD, where set, log in to the mail server.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"
	_ "time/tzdata" // a container may have no zones of its own

	_ "modernc.org/sqlite"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/reminder"
	"github.com/opengovsg/latchkey/sqlstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "reminders:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("reminders", flag.ContinueOnError)
	path := flags.String("db", "", "the SQLite `file` with the keys; without one, a file with a few keys is made on the fly")
	prefix := flags.String("prefix", "reminders_test", "the `prefix` of the keys' tokens")
	zone := flags.String("zone", "Asia/Singapore", "the time `zone` of the readers")
	dryRun := flags.Bool("dry-run", false, "print what would be sent, and send and write nothing")
	idle := flags.Int("idle", 0, "print the keys that nobody used for so many `days`, and end")
	once := flags.Bool("once", false, "make one pass and end, instead of one every hour")
	var m mailer
	server := flags.String("smtp", "", "the mail server, as `host:port`")
	plaintext := flags.Bool("plaintext", false, "send to a mail server without TLS: anybody in between can read along")
	flags.StringVar(&m.from, "from", "api-keys@agency.example", "the `address` that the mails are from")
	flags.StringVar(&m.settings, "settings", "https://app.agency.example/settings/api-keys", "the `URL` of the page on which people manage their keys")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	}
	loc, err := time.LoadLocation(*zone)
	if err != nil {
		return err
	}
	m.log = func(line string) { fmt.Fprintln(out, line) }
	if !*dryRun && *idle == 0 {
		if *server == "" {
			return errors.New("name a mail server with -smtp, or see with -dry-run what would be sent")
		}
		if m.client, err = newClient(*server, *plaintext); err != nil {
			return err
		}
	}

	if *path == "" {
		dir, err := os.MkdirTemp("", "reminders")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		*path = dir + "/keys.db"
		if err := makeSamples(ctx, *path, *prefix); err != nil {
			return err
		}
		fmt.Fprintln(out, "These keys are made up. -db names a file with others.")
	}
	db, keys, err := open(ctx, *path, *prefix, nil)
	if err != nil {
		return err
	}
	defer db.Close()

	r, err := reminder.New(keys, &m, reminder.Config{
		Location: loc,
		OnPass:   func(report reminder.Report, err error) { tell(out, report, err) },
	})
	if err != nil {
		return err
	}
	switch {
	case *idle > 0:
		return unused(ctx, keys, time.Now().AddDate(0, 0, -*idle), loc, out)
	case *dryRun:
		return plan(ctx, r, &m, out)
	case *once:
		report, err := r.Once(ctx)
		tell(out, report, nil)
		return err
	}
	return r.Run(ctx)
}

// open opens the database and a service on it. The tables are there: whoever issues keys has made them.
func open(ctx context.Context, path, prefix string, now func() time.Time) (*sql.DB, *apikey.Service, error) {
	uriPath := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	db, err := sql.Open("sqlite", "file:"+uriPath+"?_pragma=busy_timeout(5000)"+
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return nil, nil, err
	}
	st, err := sqlstore.New(db, sqlstore.SQLite, sqlstore.Config{})
	if err == nil && now != nil {
		err = st.Migrate(ctx)
	} else if err == nil {
		err = st.Check(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	keys, err := apikey.New(st, apikey.Config{Prefix: prefix, Now: now})
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, keys, nil
}

// plan prints what a pass would send: a line each, and the first mail in full.
func plan(ctx context.Context, r *reminder.Reminder, m *mailer, out io.Writer) error {
	var first *reminder.Notice
	for n, err := range r.Plan(ctx) {
		if err != nil {
			return err
		}
		if first == nil {
			first = &n
			fmt.Fprintln(out, "This would be sent:")
		}
		fmt.Fprintln(out, "  "+n.String())
	}
	if first == nil {
		fmt.Fprintln(out, "There is nothing to send.")
		return nil
	}
	l, err := write(*first, m.settings)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nThe first of these mails:\n\n")
	for _, line := range strings.Split("Subject: "+l.subject+"\n\n"+strings.TrimRight(l.text, "\n"), "\n") {
		fmt.Fprintln(out, strings.TrimRight("  | "+line, " "))
	}
	return nil
}

// unused prints the active keys that were issued before an instant and not used since.
func unused(ctx context.Context, keys *apikey.Service, since time.Time, loc *time.Location, out io.Writer) error {
	n := 0
	for key, err := range keys.Idle(ctx, since) {
		if err != nil {
			return err
		}
		n++
		last := "never used, issued " + key.CreatedAt.In(loc).Format(time.DateOnly)
		if at := key.LastUsedAt(); !at.IsZero() {
			last = "last used " + at.In(loc).Format(time.DateOnly)
		}
		fmt.Fprintf(out, "  key %s %q of %q: %s\n", key.ID, key.Label, key.Owner, last)
	}
	fmt.Fprintf(out, "%d keys unused since %s\n", n, since.In(loc).Format(time.DateOnly))
	return nil
}

// tell prints what came of a pass.
func tell(out io.Writer, report reminder.Report, err error) {
	fmt.Fprintln(out, report)
	if err != nil {
		fmt.Fprintln(out, err)
	}
}
