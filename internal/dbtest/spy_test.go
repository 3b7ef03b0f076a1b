package dbtest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/stretchr/testify/require"
)

// A spy is the driver of MySQL, and records what it is given while on. A store there prepares each
// statement, and a *sql.Stmt can't be put into a wrapper.
type spy struct {
	driver.Connector
	on  bool
	rec *recorder
}

// newSpy returns a pool like that of d, watched by the spy.
func newSpy(t *testing.T, d database) (*sql.DB, *spy) {
	t.Helper()
	cfg, err := mysql.ParseDSN(d.fresh(t))
	require.NoError(t, err)
	connector, err := mysql.NewConnector(cfg)
	require.NoError(t, err)
	s := &spy{Connector: connector, rec: new(recorder)}
	db := sql.OpenDB(s)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db, s
}

func (s *spy) record(text string, args []driver.NamedValue) {
	if !s.on {
		return
	}
	values := make([]any, len(args))
	for i := range args {
		values[i] = args[i].Value
	}
	s.rec.record(text, values)
}

func (s *spy) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := s.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return spyConn{c.(mysqlConn), s}, nil
}

// mysqlConn and mysqlStmt are what database/sql finds out that the driver can do.
type mysqlConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.SessionResetter
	driver.Validator
}

type mysqlStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
	driver.NamedValueChecker
}

type spyConn struct {
	mysqlConn
	spy *spy
}

func (c spyConn) PrepareContext(ctx context.Context, text string) (driver.Stmt, error) {
	stmt, err := c.mysqlConn.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	return spyStmt{stmt.(mysqlStmt), strings.Clone(text), c.spy}, nil
}

type spyStmt struct {
	mysqlStmt
	text string
	spy  *spy
}

func (s spyStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	s.spy.record(s.text, args)
	return s.mysqlStmt.ExecContext(ctx, args)
}

func (s spyStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	s.spy.record(s.text, args)
	return s.mysqlStmt.QueryContext(ctx, args)
}
