// Command quickstart walks one API key through its whole life on a SQLite file: issue it, call a
// protected handler over HTTP with it and without, list it, revoke it, and call again.
//
//	go run ./examples/quickstart             # the walk, on keys.db
//	go run ./examples/quickstart -serve      # the same, and then keep serving
//	go run ./examples/quickstart -db PATH    # on another file
//
// It exits with 0 if every step went as it says, and with 1 otherwise.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	_ "modernc.org/sqlite"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/sqlstore"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	path := flags.String("db", "keys.db", "the SQLite `file` that keeps the keys")
	serve := flags.Bool("serve", false, "keep serving when the walk is done")
	addr := flags.String("addr", "127.0.0.1:0", "the `address` to serve on")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	}

	// 1. A database of yours, and a store in it.
	uriPath := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(*path)
	db, err := sql.Open("sqlite", "file:"+uriPath+"?_pragma=busy_timeout(5000)"+
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

	// 2. A service that issues and verifies keys. The counter only serves to show what reads.
	reads := &counter{Store: st}
	keys, err := apikey.New(reads, apikey.Config{
		Prefix: "quickstart_test",
		Scopes: []string{"email:send", "email:read"},
	})
	if err != nil {
		return err
	}

	// 3. A guard in front of any http.Handler.
	guard := bearer.New(keys, bearer.Config{Realm: "quickstart"})
	mux := http.NewServeMux()
	mux.Handle("GET /whoami", guard.Handler(http.HandlerFunc(whoami)))
	mux.Handle("POST /emails", guard.Require("email:send")(http.HandlerFunc(whoami)))
	mux.Handle("GET /emails", guard.Require("email:read")(http.HandlerFunc(whoami)))

	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer server.Close()

	w := walk{out: out, keys: keys, reads: reads, url: "http://" + listener.Addr().String(), db: *path}
	if err := w.walk(ctx); err != nil {
		return err
	}
	if !*serve {
		return nil
	}
	if err := w.invite(ctx); err != nil {
		return err
	}
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
		return server.Shutdown(context.WithoutCancel(ctx))
	}
}

// whoami is an ordinary handler: the guard has put the key into the context.
func whoami(w http.ResponseWriter, r *http.Request) {
	key, _ := apikey.FromContext(r.Context())
	fmt.Fprintf(w, "hello %s, your key is %q\n", key.Owner, key.Label)
}
