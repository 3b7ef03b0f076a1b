package dbtest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"
	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// lostConnections are what drivers return when a connection ends under a call.
var lostConnections = map[string]error{
	"pgx, terminated": &pgconn.PgError{Severity: "FATAL", Code: "57P01"},
	"pgx, closed":     pgconn.ErrConnClosed,
	"pq, terminated":  &pq.Error{Severity: "FATAL", Code: "57P01"},
	"MySQL, killed":   mysql.ErrInvalidConn,
	"reset":           fmt.Errorf("read: %w", &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}),
	"end of file":     io.ErrUnexpectedEOF,
}

// A failing database fails every statement with one error and counts them.
type failing struct {
	err   error
	calls int
}

func (f *failing) Connect(context.Context) (driver.Conn, error) { return f, nil }
func (f *failing) Driver() driver.Driver                        { return nil }
func (f *failing) Prepare(string) (driver.Stmt, error)          { return nil, f.fail() }
func (f *failing) Close() error                                 { return nil }
func (f *failing) Begin() (driver.Tx, error)                    { return f, nil }
func (f *failing) Commit() error                                { return nil }
func (f *failing) Rollback() error                              { return nil }
func (f *failing) fail() error                                  { f.calls++; return f.err }

func (f *failing) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) { return f, nil }

func (f *failing) ExecContext(context.Context, string, []driver.NamedValue) (driver.Result, error) {
	return nil, f.fail()
}

func (f *failing) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return nil, f.fail()
}

// Rows F6, F31 and F34, table C-1: what drivers say, and what comes of it. A write is either repeated,
// or not, or found to be of what is kept.
func TestDriverErrors(t *testing.T) {
	const (
		once  = 1 // not repeated
		twice = 2 // repeated once
		often = 6 // repeated until it is given up
	)
	type class struct {
		reads, writes, purges int
	}
	var (
		fails     = class{once, once, once}
		lost      = class{twice, twice, once}
		conflicts = class{often, often, often}
	)
	state := func(code string) error { return &pgconn.PgError{Code: code, Message: "m", Detail: "canary"} }
	number := func(n uint16) error { return fmt.Errorf("wrapped: %w", &mysql.MySQLError{Number: n, Message: "m"}) }
	type row struct {
		name string
		err  error
		want class
	}
	rows := []row{
		{"unknown", errors.New("unknown"), fails},
		{"refused", &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, fails},
		{"canceled by the server", state("57014"), fails},
		{"pgx, missing table", state("42P01"), fails},
		{"pgx, serialization", state("40001"), conflicts},
		{"pgx, deadlock", state("40P01"), conflicts},
		{"pq, serialization", &pq.Error{Code: pqerror.Code("40001")}, conflicts},
		{"pq, deadlock", &pq.Error{Code: pqerror.Code("40P01")}, conflicts},
		{"pgx, lock not available", state("55P03"), fails},
		{"pgx, read only", state("25006"), fails},
		{"pgx, disk full", state("53100"), fails},
		{"pgx, too many connections", state("53300"), fails},
		{"pgx, connection failure", state("08006"), lost},
		{"pgx, starting", state("57P03"), lost},
		{"pgx, completion unknown", state("40003"), lost},
		{"MySQL, deadlock", number(1213), conflicts},
		{"MariaDB, changed since read", number(1020), conflicts},
		{"MySQL, lock wait", number(1205), fails},
		{"MySQL, read only", number(1290), fails},
		{"MySQL, read only transaction", number(1792), fails},
		{"MySQL, read only mode", number(1836), fails},
		{"MySQL, table full", number(1114), fails},
		{"MySQL, missing table", number(1146), fails},
		{"MySQL, shutdown", number(1053), lost},
		{"MariaDB, killed", number(1927), lost},
		{"joined", errors.Join(errors.New("unknown"), number(1213)), conflicts},
		{"canceled", context.Canceled, fails},
		{"deadline", fmt.Errorf("timeout: %w", context.DeadlineExceeded), fails},
	}
	for name, err := range lostConnections {
		rows = append(rows, row{name, err, lost})
	}
	for _, d := range engines {
		for _, r := range rows {
			t.Run(d.name+" "+r.name, func(t *testing.T) {
				f := &failing{err: r.err}
				db := sql.OpenDB(f)
				defer db.Close()
				st, err := sqlstore.New(db, d.dialect, sqlstore.Config{Unprepared: true})
				require.NoError(t, err)
				requireCalls := func(want int, err error) {
					t.Helper()
					requireOutage(t, err)
					require.ErrorIs(t, err, r.err)
					require.NotContains(t, err.Error(), "canary")
					require.Equal(t, want, f.calls)
					f.calls = 0
				}
				_, err = st.Get(t.Context(), sample(1).ID)
				requireCalls(r.want.reads, err)
				_, err = st.List(t.Context(), store.Query{Limit: 1})
				requireCalls(r.want.reads, err)
				if d.dialect != sqlstore.SQLite { // which prepares and is told of an outage then
					requireCalls(r.want.writes, st.Touch(t.Context(), []store.Use{{ID: "a", At: now}}))
				}
				requireCalls(r.want.writes, st.Create(t.Context(), sample(1), 0))
				requireCalls(r.want.writes, st.Create(t.Context(), sample(1), 1))
				requireCalls(r.want.writes, st.Update(t.Context(), sample(1)))
				if d.dialect == sqlstore.SQLite {
					_, err = st.Purge(t.Context(), now, 1)
					requireCalls(r.want.purges, err)
				}

				tx, err := db.Begin()
				require.NoError(t, err)
				defer tx.Rollback()
				st = d.store(t, tx)
				_, err = st.Get(t.Context(), sample(1).ID)
				requireCalls(once, err)
				requireCalls(once, st.Update(t.Context(), sample(1)))
			})
		}
	}
}
