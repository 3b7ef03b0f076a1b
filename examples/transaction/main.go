// Command transaction creates a user of an application together with the user's first key, in one
// transaction on a SQLite file: once it commits, and there are both, and once it rolls back, and
// there is neither.
//
//	go run ./examples/transaction
//
// It exits with 0 if every step went as it says, and with 1 otherwise.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/sqlstore"
)

func main() {
	if err := inTempFolder(); err != nil {
		fmt.Fprintln(os.Stderr, "transaction:", err)
		os.Exit(1)
	}
}

func inTempFolder() error {
	dir, err := os.MkdirTemp("", "latchkey")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return run(context.Background(), filepath.Join(dir, "app.db"), os.Stdout)
}

func run(ctx context.Context, path string, out io.Writer) error {
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_pragma=busy_timeout(5000)"+
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "CREATE TABLE users (id TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT"); err != nil {
		return err
	}
	st, err := sqlstore.New(db, sqlstore.SQLite, sqlstore.Config{})
	if err != nil {
		return err
	}
	if err := st.Migrate(ctx); err != nil {
		return err
	}
	keys, err := apikey.New(st, apikey.Config{Prefix: "transaction_test"})
	if err != nil {
		return err
	}
	a := app{db, st, keys}

	fmt.Fprintln(out, "Siti signs up, and the transaction commits.")
	token, err := a.signUp(ctx, "user_1", "Siti", (*sql.Tx).Commit)
	if err != nil {
		return err
	}
	if err := a.expect(ctx, out, token, "user_1", true); err != nil {
		return err
	}

	fmt.Fprintln(out, "Adam signs up, and the transaction rolls back.")
	token, err = a.signUp(ctx, "user_2", "Adam", (*sql.Tx).Rollback)
	if err != nil {
		return err
	}
	return a.expect(ctx, out, token, "user_2", false)
}

// An app is an application with users of its own, each of whom has a key.
type app struct {
	db    *sql.DB
	store *sqlstore.Store
	keys  *apikey.Service
}

// signUp creates a user and the user's first key in one transaction, and ends it. The token is not
// to be shown to anybody before the transaction has committed.
func (a *app) signUp(ctx context.Context, id, name string, end func(*sql.Tx) error) (apikey.Token, error) {
	tx, err := a.db.BeginTx(ctx, nil) // SQLite; elsewhere &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	if err != nil {
		return apikey.Token{}, err
	}
	defer tx.Rollback() // of no effect once the transaction has ended
	if _, err := tx.ExecContext(ctx, "INSERT INTO users (id, name) VALUES (?, ?)", id, name); err != nil {
		return apikey.Token{}, err
	}
	token, _, err := a.keys.WithStore(a.store.WithTx(tx)).Issue(ctx, apikey.Request{Owner: id, Label: "first key"})
	if err != nil {
		return apikey.Token{}, err
	}
	if err := end(tx); err != nil {
		return apikey.Token{}, err
	}
	return token, nil
}

// expect looks for the user and tries the token, and fails unless both are there or neither is.
func (a *app) expect(ctx context.Context, out io.Writer, token apikey.Token, id string, there bool) error {
	var users int
	if err := a.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM users WHERE id = ?", id).Scan(&users); err != nil {
		return err
	}
	fmt.Fprintf(out, "  users with the id %s: %d\n", id, users)

	key, err := a.keys.Verify(ctx, token.Reveal())
	switch {
	case err == nil:
		fmt.Fprintf(out, "  the key verifies: it is %q of %s\n", key.Label, key.Owner)
	case errors.Is(err, apikey.ErrUnknown):
		fmt.Fprintln(out, "  the key is unknown")
	default:
		return err
	}
	if (users == 1) != there || (err == nil) != there {
		return fmt.Errorf("want the user and the key to be there: %v", there)
	}
	return nil
}
