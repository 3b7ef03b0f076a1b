package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
)

// A statement is a text that is prepared when first used on a pool and then kept: preparing it each
// time would add 40 % to reading a key.
type statement struct {
	text     string
	prepared atomic.Pointer[sql.Stmt]
}

// on returns the statement prepared on the pool. Callers that come first at once each prepare it
// and one of them wins, so that none waits under a lock for longer than its context allows. An
// error is not kept: the next call tries again.
func (st *statement) on(ctx context.Context, pool *sql.DB) (*sql.Stmt, error) {
	if stmt := st.prepared.Load(); stmt != nil {
		return stmt, nil
	}
	stmt, err := pool.PrepareContext(ctx, st.text)
	if err != nil {
		return nil, err
	}
	if !st.prepared.CompareAndSwap(nil, stmt) {
		stmt.Close()
		return st.prepared.Load(), nil
	}
	return stmt, nil
}

// exec runs a statement and returns how many rows it affected.
func (s *Store) exec(ctx context.Context, st *statement, args ...any) (int64, error) {
	if !s.prepares {
		return affected(s.db.ExecContext(ctx, st.text, args...))
	}
	stmt, err := st.on(ctx, s.pool)
	if err != nil {
		return 0, err
	}
	return affected(stmt.ExecContext(ctx, args...))
}

func affected(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// query runs a statement that returns rows.
func (s *Store) query(ctx context.Context, st *statement, args ...any) (*sql.Rows, error) {
	if !s.prepares {
		return s.db.QueryContext(ctx, st.text, args...)
	}
	stmt, err := st.on(ctx, s.pool)
	if err != nil {
		return nil, err
	}
	return stmt.QueryContext(ctx, args...)
}

// scan runs a statement, reads its first row into dest and reports whether there was one.
func (s *Store) scan(ctx context.Context, st *statement, dest []any, args ...any) (bool, error) {
	var row *sql.Row
	if !s.prepares {
		row = s.db.QueryRowContext(ctx, st.text, args...)
	} else {
		stmt, err := st.on(ctx, s.pool)
		if err != nil {
			return false, err
		}
		row = stmt.QueryRowContext(ctx, args...)
	}
	err := row.Scan(dest...)
	if !errors.Is(err, sql.ErrNoRows) {
		return err == nil, err
	}
	// Some drivers end the rows, without an error, when the context ends. An unfinished search must
	// not pass for one that found nothing.
	return false, ctx.Err()
}

// exists reports whether a statement returns a row.
func (s *Store) exists(ctx context.Context, st *statement, args ...any) (bool, error) {
	var one int
	return s.scan(ctx, st, []any{&one}, args...)
}

// inTx runs f in a transaction of its own where the store is on a pool. Elsewhere f runs in whatever
// the caller has begun, or in nothing: a transaction begun here would swallow what other goroutines
// do on the same connection, and commit or collide with one that the caller began by hand.
func (s *Store) inTx(ctx context.Context, f func(tx DB) error) error {
	if s.pool == nil {
		return f(s.db)
	}
	tx, err := s.pool.BeginTx(ctx, &sql.TxOptions{Isolation: s.dialect.isolation})
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}
