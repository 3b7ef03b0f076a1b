package sqlstore

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"io"
	"slices"
	"sync"
	"testing"
)

// A fake is a database of one connection that does what a test tells it to, and logs what it is
// asked: "open", "prepare", "close", and the texts it runs.
type fake struct {
	dsn string

	mixed   bool // whether a text ever came together with arguments
	mu      sync.Mutex
	log     []string
	prepare func(query string) error
	exec    func(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error)
	query   func(ctx context.Context, query string) (driver.Rows, error)
}

// pool returns a pool of one connection to f.
func (f *fake) pool(t *testing.T) *sql.DB {
	db := sql.OpenDB(f)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func (f *fake) logged(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, what)
}

// since returns what was logged since it was last asked.
func (f *fake) since() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	log := slices.Clone(f.log)
	f.log = nil
	return log
}

func (f *fake) Connect(context.Context) (driver.Conn, error) {
	f.logged("open")
	return fakeConn{f}, nil
}

func (f *fake) Driver() driver.Driver { return nil }

type fakeConn struct{ *fake }

func (c fakeConn) Close() error { return nil }

func (c fakeConn) Prepare(query string) (driver.Stmt, error) {
	c.logged("prepare")
	if c.prepare != nil {
		if err := c.prepare(query); err != nil {
			return nil, err
		}
	}
	return fakeStmt{c.fake, query}, nil
}

func (c fakeConn) Begin() (driver.Tx, error) { c.logged("begin"); return c, nil }

// BeginTx takes any isolation.
func (c fakeConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) { return c.Begin() }

func (c fakeConn) Commit() error   { c.logged("commit"); return nil }
func (c fakeConn) Rollback() error { c.logged("rollback"); return nil }

// ExecContext and QueryContext are called with a text and arguments together.
func (c fakeConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.mixed = c.mixed || len(args) > 0
	return c.execute(ctx, query, args)
}

func (c fakeConn) execute(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.logged(query)
	if c.exec == nil {
		return driver.RowsAffected(1), nil
	}
	return c.exec(ctx, query, args)
}

func (c fakeConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.mixed = c.mixed || len(args) > 0
	return c.ask(ctx, query)
}

func (c fakeConn) ask(ctx context.Context, query string) (driver.Rows, error) {
	c.logged(query)
	if c.query == nil {
		return &fakeRows{}, nil
	}
	return c.query(ctx, query)
}

type fakeStmt struct {
	*fake
	text string
}

func (s fakeStmt) Close() error                               { s.logged("close"); return nil }
func (s fakeStmt) NumInput() int                              { return -1 }
func (s fakeStmt) Exec([]driver.Value) (driver.Result, error) { panic("not called") }
func (s fakeStmt) Query([]driver.Value) (driver.Rows, error)  { panic("not called") }

func (s fakeStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return fakeConn{s.fake}.execute(ctx, s.text, args)
}

func (s fakeStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return fakeConn{s.fake}.ask(ctx, s.text)
}

// fakeRows are rows of records with these ids, and then an error, io.EOF if it is nil. If spoilt,
// they hold NULL where no column can.
type fakeRows struct {
	ids    []string
	err    error
	spoilt bool
}

func (r *fakeRows) Columns() []string { return make([]string, numColumns) }
func (r *fakeRows) Close() error      { return nil }

func (r *fakeRows) Next(dest []driver.Value) error {
	if len(r.ids) == 0 {
		if r.err == nil {
			return io.EOF
		}
		return r.err
	}
	for i := range dest {
		if !r.spoilt {
			dest[i] = int64(0) // which also reads as text
		}
	}
	dest[0] = r.ids[0]
	r.ids = r.ids[1:]
	return nil
}
