package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

// These have in common with the errors of the drivers what classify goes by. The errors themselves
// are tested in internal/dbtest.
type (
	stateError  string
	sqliteError int
	mysqlError  struct {
		Number  uint16
		Message string
	}
	wideError struct{ Number uint64 }
)

func (e stateError) Error() string    { return "state" }
func (e stateError) SQLState() string { return string(e) }
func (e sqliteError) Error() string   { return "code" }
func (e sqliteError) Code() int       { return int(e) }
func (e *mysqlError) Error() string   { return e.Message }
func (e wideError) Error() string     { return "wide" }

func TestClassify(t *testing.T) {
	for _, c := range []struct {
		err  error
		want class
	}{
		{nil, unavailable},
		{errors.New("deadlock"), unavailable},
		{stateError("23505"), duplicate},
		{stateError("40001"), conflicting},
		{stateError("40P01"), conflicting},
		{stateError("40003"), lostConnection},
		{stateError("55P03"), busy},
		{stateError("25006"), readOnly},
		{stateError("57P01"), lostConnection},
		{stateError("57P05"), lostConnection},
		{stateError("26000"), forgotten},
		{&mysqlError{Number: 1243}, forgotten},
		{stateError("08006"), lostConnection},
		{stateError("08"), unavailable},
		{stateError("57014"), unavailable},
		{stateError(""), unavailable},
		{&mysqlError{Number: 1062}, duplicate},
		{&mysqlError{Number: 1213}, conflicting},
		{&mysqlError{Number: 1205}, busy},
		{&mysqlError{Number: 1290}, readOnly},
		{&mysqlError{Number: 1792}, readOnly},
		{&mysqlError{Number: 1836}, readOnly},
		{&mysqlError{Number: 1927}, lostConnection},
		{&mysqlError{Number: 1406}, unavailable},
		{wideError{1062}, unavailable},
		{sqliteError(1555), duplicate},
		{sqliteError(2067), duplicate},
		{sqliteError(19), unavailable}, // any other constraint
		{sqliteError(5), busy},
		{sqliteError(261), busy},
		{sqliteError(6), busy},
		{sqliteError(517), conflicting},
		{sqliteError(8), readOnly},
		{sqliteError(1032), readOnly},
		{sqliteError(13), unavailable},
		{driver.ErrBadConn, lostConnection},
		{io.EOF, lostConnection},
		{net.ErrClosed, lostConnection},
		{errors.New("invalid connection"), lostConnection},
		{errors.New("conn closed"), lostConnection},
		{errors.New("an invalid connection string"), unavailable},
		{&net.OpError{Op: "read", Err: errors.New("reset")}, lostConnection},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, unavailable},
		{context.Canceled, ended},
		{context.DeadlineExceeded, ended},
	} {
		require.Equal(t, c.want, classify(c.err), "%T %v", c.err, c.err)
		if c.err != nil {
			require.Equal(t, c.want, classify(fmt.Errorf("wrapped: %w", c.err)), "%T %v", c.err, c.err)
		}
	}
	require.Equal(t, conflicting, classify(errors.Join(io.ErrNoProgress, fmt.Errorf("wrapped: %w", &mysqlError{Number: 1213}))))
	require.Equal(t, ended, classify(fmt.Errorf("%w: %w", stateError("57014"), context.Canceled)), "the context's end comes before what it caused")
}
