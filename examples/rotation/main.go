// Command rotation replaces the token of an API key three times while clients call with it without a
// pause, over real HTTP and on a SQLite file. No request fails, each old token ends after its grace, and
// its late use is reported.
//
//	go run ./examples/rotation
//
// It exits with 0 if every step went as it says, and with 1 otherwise.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/sqlstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := inTempFolder(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "rotation:", err)
		os.Exit(1)
	}
}

func inTempFolder(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "latchkey")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return run(ctx, os.Stdout, setting{
		path:     filepath.Join(dir, "keys.db"),
		rotation: apikey.Rotation{Grace: 1500 * time.Millisecond}, // in truth a day or more
		now:      time.Now,
		until:    sleepUntil,
	})
}

// A setting is what a test chooses otherwise.
type setting struct {
	path     string
	rotation apikey.Rotation // as every client is granted it
	now      func() time.Time
	until    func(context.Context, time.Time) error // waits for a time of that clock
}

func sleepUntil(ctx context.Context, t time.Time) error {
	select {
	case <-time.After(time.Until(t)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func run(ctx context.Context, out io.Writer, set setting) (err error) {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: set.path}).EscapedPath()+"?_pragma=busy_timeout(5000)"+
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return err
	}
	defer db.Close()
	st, err := sqlstore.New(db, sqlstore.SQLite, sqlstore.Config{})
	if err != nil {
		return err
	}
	if err := st.Migrate(ctx); err != nil {
		return err
	}

	// What verifications have to tell comes by way of Run. Here it goes into the account of what
	// happened; in truth apikey.LogEvents puts it into the log.
	lateUses := make(chan apikey.Event, rounds)
	keys, err := apikey.New(st, apikey.Config{
		Prefix: "rotation_test",
		Scopes: []string{"token:rotate"},
		Now:    set.now,
		Observer: func(_ context.Context, e apikey.Event) {
			if e.Kind != apikey.EventLateUse {
				return
			}
			select {
			case lateUses <- e:
			default: // nobody asks any more: an observer that waited would keep Run from its end
			}
		},
	})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- keys.Run(running) }()
	defer func() {
		stop()
		if failed := <-ended; err == nil {
			err = failed
		}
	}()

	guard := bearer.New(keys, bearer.Config{Realm: "rotation"})
	mux := http.NewServeMux()
	mux.Handle("GET /emails", guard.Handler(http.HandlerFunc(emails)))
	mux.Handle("POST /token", guard.Require("token:rotate")(rotate(keys, set.rotation)))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(listener)
	defer server.Close()

	s := story{out: out, set: set, keys: keys, lateUses: lateUses, url: "http://" + listener.Addr().String()}
	return s.tell(ctx)
}
