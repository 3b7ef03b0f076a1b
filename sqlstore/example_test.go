package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/sqlstore"
)

func ExampleNew() {
	// With a driver, such as: import _ "modernc.org/sqlite"
	db, err := sql.Open("sqlite", "file:keys.db?_pragma=busy_timeout(5000)"+
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()

	st, err := sqlstore.New(db, sqlstore.SQLite, sqlstore.Config{})
	if err != nil {
		log.Fatal(err)
	}
	if err := st.Migrate(context.Background()); err != nil {
		log.Fatal(err)
	}

	keys, err := apikey.New(st, apikey.Config{Prefix: "acme_live"})
	if err != nil {
		log.Fatal(err)
	}
	_ = keys // issue, verify, …
}

// createUser creates a user together with its first key, or neither.
func createUser(ctx context.Context, db *sql.DB, st *sqlstore.Store, keys *apikey.Service, id, name string) (apikey.Token, error) {
	tx, err := db.BeginTx(ctx, nil) // SQLite; elsewhere &sql.TxOptions{Isolation: sql.LevelReadCommitted}
	if err != nil {
		return apikey.Token{}, err
	}
	defer tx.Rollback() // of no effect once committed

	if _, err := tx.ExecContext(ctx, "INSERT INTO users (id, name) VALUES (?, ?)", id, name); err != nil {
		return apikey.Token{}, err
	}
	token, _, err := keys.WithStore(st.WithTx(tx)).Issue(ctx, apikey.Request{Owner: id, Label: "first key"})
	if err != nil {
		return apikey.Token{}, err
	}
	// Nobody may see the token before this: until then there is no such key.
	if err := tx.Commit(); err != nil {
		return apikey.Token{}, err
	}
	return token, nil
}

// A key can be issued inside a transaction of the application's own.
func ExampleStore_WithTx() {
	var (
		db   *sql.DB         // opened at start
		st   *sqlstore.Store // made at start, on db
		keys *apikey.Service // made at start, on st
	)
	token, err := createUser(context.Background(), db, st, keys, "user_42", "Siti")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.Reveal())
}
