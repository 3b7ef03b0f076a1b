package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// A peerTable is where a peer keeps its keys: on the same server as ours, through the same driver, with
// the same settings. Statements are prepared, also for peers that do not, which is in their favour.
type peerTable struct {
	engine  engine
	db      *sql.DB
	drop    func() error
	tokens  []string
	read    *sql.Stmt // by find: id, name, owner, scopes, hash, expires_at
	rename  *sql.Stmt
	changes atomic.Int64
}

// A peerRow is what a peer reads for a verification.
type peerRow struct {
	id, name, owner, scopes string
	hash                    []byte
	expires                 int64
}

func (r *peerRow) live() bool { return time.Now().UnixMicro() < r.expires }

// newPeerTable fills a table of keys. The functions say what of a token a row is found by, and what is
// kept of it.
func newPeerTable(ctx context.Context, e engine, find func(token string) string, hash func(token string) []byte) (t *peerTable, err error) {
	t = &peerTable{engine: e}
	if t.db, t.drop, err = e.open(ctx); err != nil {
		return nil, err
	}
	drop := t.drop // there is no table beside an error
	defer func() {
		if err != nil {
			err = errors.Join(err, drop())
		}
	}()
	_, err = t.db.ExecContext(ctx, fmt.Sprintf(`
CREATE TABLE api_keys (
  id %[1]s PRIMARY KEY, found_by %[1]s NOT NULL UNIQUE, name %[1]s NOT NULL, owner %[1]s NOT NULL, scopes %[1]s NOT NULL,
  hash %[2]s NOT NULL, expires_at BIGINT NOT NULL, last_used_at BIGINT
)`, e.text, e.blob))
	if err != nil {
		return nil, err
	}
	if err := t.fill(ctx, find, hash); err != nil {
		return nil, err
	}
	if t.read, err = t.prepare(ctx, "SELECT id, name, owner, scopes, hash, expires_at FROM api_keys WHERE found_by = ?"); err != nil {
		return nil, err
	}
	t.rename, err = t.prepare(ctx, "UPDATE api_keys SET name = ? WHERE found_by = ?")
	return t, err
}

func (t *peerTable) fill(ctx context.Context, find func(token string) string, hash func(token string) []byte) error {
	tx, err := t.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	insert, err := tx.PrepareContext(ctx, t.engine.rebind(
		"INSERT INTO api_keys (id, found_by, name, owner, scopes, hash, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?)"))
	if err != nil {
		return err
	}
	expires := time.Now().Add(24 * time.Hour).UnixMicro()
	t.tokens = make([]string, issued)
	for i := range t.tokens {
		t.tokens[i] = peerToken()
		_, err := insert.ExecContext(ctx, rand.Text(), find(t.tokens[i]), "HR reminders", "user_42", "email:send", hash(t.tokens[i]), expires)
		if err != nil {
			return err
		}
	}
	return tx.Commit()
}

// prepare prepares a statement whose arguments are written as question marks.
func (t *peerTable) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	return t.db.PrepareContext(ctx, t.engine.rebind(query))
}

// rebind writes the arguments of a statement as an engine has them.
func (e engine) rebind(query string) string {
	var b strings.Builder
	for n, part := range strings.SplitAfter(query, "?") {
		if text, more := strings.CutSuffix(part, "?"); more {
			b.WriteString(text + e.placeholder(n+1))
		} else {
			b.WriteString(part)
		}
	}
	return b.String()
}

// get reads the row that something of a token finds.
func (t *peerTable) get(ctx context.Context, foundBy string) (row peerRow, found bool, err error) {
	err = t.read.QueryRowContext(ctx, foundBy).Scan(&row.id, &row.name, &row.owner, &row.scopes, &row.hash, &row.expires)
	if errors.Is(err, sql.ErrNoRows) {
		return row, false, nil
	}
	return row, err == nil, err
}

// change gives a key another name.
func (t *peerTable) change(ctx context.Context, foundBy string) error {
	_, err := t.rename.ExecContext(ctx, fmt.Sprint("HR reminders ", t.changes.Add(1)), foundBy)
	return err
}

// peerToken returns a token as many peers spell it.
func peerToken() string { return "ak_" + rand.Text() + "." + rand.Text() + rand.Text() }
