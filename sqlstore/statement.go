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

// forget makes the next call prepare the statement anew where a server says that it has none by that
// name, as after a DISCARD ALL on one of the pool's connections.
func (st *statement) forget(stmt *sql.Stmt, err error) error {
	if classify(err) == forgotten && st.prepared.CompareAndSwap(stmt, nil) {
		stmt.Close()
	}
	return err
}

// execOn, queryOn and scanOn run a text that is not prepared ahead.
//
// Where a dialect never mixes, text and arguments do not go to the driver together. It might put the
// one into the other itself: go-sql-driver does with interpolateParams, and escapes for UTF-8. To a
// server that reads the statement as GBK, and several others, the backslash before a quote is then half
// of a character, and a label ends the string it is in and goes on as SQL.
func (s *Store) execOn(ctx context.Context, db DB, text string, args ...any) (sql.Result, error) {
	if !s.dialect.neverMixes {
		return db.ExecContext(ctx, text, args...)
	}
	stmt, err := db.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	defer stmt.Close()
	return stmt.ExecContext(ctx, args...)
}

// queryOn returns rows and what to call once they are closed.
func (s *Store) queryOn(ctx context.Context, db DB, text string, args ...any) (*sql.Rows, func(), error) {
	if !s.dialect.neverMixes {
		rows, err := db.QueryContext(ctx, text, args...)
		return rows, func() {}, err
	}
	stmt, err := db.PrepareContext(ctx, text)
	if err != nil {
		return nil, nil, err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		stmt.Close()
		return nil, nil, err
	}
	return rows, func() { stmt.Close() }, nil
}

// scanOn reads the first row into dest, or returns sql.ErrNoRows.
func (s *Store) scanOn(ctx context.Context, db DB, text string, dest []any, args ...any) error {
	if !s.dialect.neverMixes {
		return db.QueryRowContext(ctx, text, args...).Scan(dest...)
	}
	stmt, err := db.PrepareContext(ctx, text)
	if err != nil {
		return err
	}
	defer stmt.Close()
	return stmt.QueryRowContext(ctx, args...).Scan(dest...)
}

// exec runs a statement and returns how many rows it affected.
func (s *Store) exec(ctx context.Context, st *statement, args ...any) (int64, error) {
	if !s.prepares {
		return affected(s.execOn(ctx, s.db, st.text, args...))
	}
	stmt, err := st.on(ctx, s.pool)
	if err != nil {
		return 0, err
	}
	n, err := affected(stmt.ExecContext(ctx, args...))
	return n, st.forget(stmt, err)
}

func affected(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// query runs a statement that returns rows, and returns as well what to call once they are closed.
func (s *Store) query(ctx context.Context, st *statement, args ...any) (*sql.Rows, func(), error) {
	if !s.prepares {
		return s.queryOn(ctx, s.db, st.text, args...)
	}
	stmt, err := st.on(ctx, s.pool)
	if err != nil {
		return nil, nil, err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	return rows, func() {}, st.forget(stmt, err)
}

// scan runs a statement, reads its first row into dest and reports whether there was one.
func (s *Store) scan(ctx context.Context, st *statement, dest []any, args ...any) (bool, error) {
	var err error
	if !s.prepares {
		err = s.scanOn(ctx, s.db, st.text, dest, args...)
	} else {
		stmt, failed := st.on(ctx, s.pool)
		if failed != nil {
			return false, failed
		}
		err = st.forget(stmt, stmt.QueryRowContext(ctx, args...).Scan(dest...))
	}
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
