package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"time"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/internal/bench/scratch"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// The servers that are measured.
const (
	bare     = "bare handler"
	memory   = "guard, keys in memory"
	postgres = "guard, keys in PostgreSQL"
	cached   = "guard, keys in PostgreSQL, with keycache"

	keyCount = 1000
	owner    = "user_42"
)

// A greeting is what a server says once it serves.
type greeting struct {
	Addr    string // of the handler that is measured
	Control string // of what changes keys
	Keys    []issued
}

// An issued key is named by its place and opened by its token.
type issued struct{ ID, Token string }

// serve is the process of a server. It ends when its input does, and so with the process that started it.
func serve(name string, in io.Reader, out io.Writer) error {
	signal.Ignore(os.Interrupt) // which a terminal sends to all: the schema is to be dropped
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	st, closeStore, err := openStore(ctx, name)
	if err != nil {
		return err
	}
	defer closeStore()
	keys, err := apikey.New(st, apikey.Config{
		Prefix: "bench_live", Scopes: []string{"email:send"}, MaxPerOwner: 1_000_000,
	})
	if err != nil {
		return err
	}
	g := greeting{}
	for range keyCount {
		k, err := issue(ctx, keys)
		if err != nil {
			return err
		}
		g.Keys = append(g.Keys, k)
	}
	ended := make(chan error, 2)
	go func() { ended <- keys.Run(ctx) }()
	verifier, runCache, err := verifierOf(name, keys)
	if err != nil {
		return err
	}
	go func() { ended <- runCache(ctx) }()

	handler := http.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "sent\n")
	}))
	if name != bare {
		handler = bearer.New(verifier, bearer.Config{}).Require("email:send")(handler)
	}
	for addr, h := range map[*string]http.Handler{&g.Addr: handler, &g.Control: control(keys)} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
		defer server.Close()
		go server.Serve(listener)
		*addr = "http://" + listener.Addr().String()
	}
	if err := json.NewEncoder(out).Encode(g); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	cancel()
	return errors.Join(err, <-ended, <-ended)
}

func openStore(ctx context.Context, name string) (store.Store, func() error, error) {
	if name == bare || name == memory {
		return new(memstore.Store), func() error { return nil }, nil
	}
	dsn, drop, err := scratch.Postgres(ctx)
	if err != nil {
		return nil, nil, err
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return nil, nil, errors.Join(err, drop())
	}
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	closeAll := func() error { return errors.Join(db.Close(), drop()) }
	st, err := sqlstore.New(db, sqlstore.Postgres, sqlstore.Config{})
	if err == nil {
		err = st.Migrate(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(err, closeAll())
	}
	return st, closeAll, nil
}

func issue(ctx context.Context, keys *apikey.Service) (issued, error) {
	token, key, err := keys.Issue(ctx, apikey.Request{Owner: owner, Label: "HR reminders", Scopes: []string{"email:send"}})
	return issued{key.ID, token.Reveal()}, err
}

// control changes keys: POST /issue, /revoke?id= and /rotate?id=, which ends the old token at once.
func control(keys *apikey.Service) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, k issued, err error) {
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		json.NewEncoder(w).Encode(k)
	}
	mux.HandleFunc("POST /issue", func(w http.ResponseWriter, r *http.Request) {
		k, err := issue(r.Context(), keys)
		answer(w, k, err)
	})
	mux.HandleFunc("POST /revoke", func(w http.ResponseWriter, r *http.Request) {
		key, err := keys.Revoke(r.Context(), apikey.AnyOwner(r.FormValue("id")), "left the team")
		answer(w, issued{key.ID, ""}, err)
	})
	mux.HandleFunc("POST /rotate", func(w http.ResponseWriter, r *http.Request) {
		token, key, err := keys.Rotate(r.Context(), apikey.AnyOwner(r.FormValue("id")), apikey.Rotation{Immediately: true})
		answer(w, issued{key.ID, token.Reveal()}, err)
	})
	return mux
}

// A server is a process that serves.
type server struct {
	name string
	greeting
	tokens *tokens
	cmd    *exec.Cmd
	stdin  io.Closer
}

// start starts a server of the given name as a process of this program.
func start(ctx context.Context, name string) (*server, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "serve", name)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	cmd.Cancel, cmd.WaitDelay = stdin.Close, 10*time.Second
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{name: name, cmd: cmd, stdin: stdin}
	line, err := bufio.NewReaderSize(stdout, 1<<20).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &s.greeting)
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("the server did not start: %w", err)
	}
	s.tokens = newTokens(s.Keys)
	return s, nil
}

func (s *server) stop() error { return errors.Join(s.stdin.Close(), s.cmd.Wait()) }
