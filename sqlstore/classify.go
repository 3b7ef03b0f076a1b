package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"reflect"
	"strings"
)

// A class is what an error of a driver means to a store. There is no driver to import, so errors
// are known by what they have in common with those of the drivers that the package is tested with.
type class int

const (
	// unavailable is whatever is not known: the database could not answer.
	unavailable class = iota

	// duplicate is an insert of what is kept.
	duplicate

	// conflicting is a call that lost against another one and of which nothing was done.
	conflicting

	// busy is a call that has waited for another one for as long as the database was told to.
	busy

	// readOnly is a write to a replica, to a primary that was demoted, or to a file that can't be
	// written.
	readOnly

	// lostConnection is a call whose connection was lost. It may have been done or not.
	lostConnection

	// forgotten is a call of a statement that the server has no longer prepared. Nothing was done.
	forgotten

	// ended is a call whose context ended.
	ended
)

// classify tells what an error of a driver means.
func classify(err error) class {
	if err == nil {
		return unavailable
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return ended
	}
	var state interface{ SQLState() string } // pgx and lib/pq
	if errors.As(err, &state) {
		return ofState(state.SQLState())
	}
	var code interface{ Code() int } // modernc.org/sqlite
	if errors.As(err, &code) {
		return ofSQLite(code.Code())
	}
	if number, ok := mysqlNumber(err); ok {
		return ofMySQL(number)
	}
	if isLost(err) {
		return lostConnection
	}
	return unavailable
}

// ofState classifies an SQLSTATE of PostgreSQL and of what speaks like it.
func ofState(state string) class {
	switch state {
	case "23505": // unique_violation
		return duplicate
	case "40001", "40P01": // serialization_failure, deadlock_detected
		return conflicting
	case "55P03": // lock_not_available
		return busy
	case "25006": // read_only_sql_transaction
		return readOnly
	case "40003", // statement_completion_unknown
		"57P01", "57P02", "57P03", // admin_shutdown, crash_shutdown, cannot_connect_now
		"57P05": // idle_session_timeout
		return lostConnection
	case "26000": // invalid_sql_statement_name
		return forgotten
	}
	if len(state) == 5 && state[:2] == "08" { // connection_exception
		return lostConnection
	}
	return unavailable
}

// ofMySQL classifies an error number of MySQL, MariaDB and what speaks like them.
func ofMySQL(number uint64) class {
	switch number {
	case 1062: // ER_DUP_ENTRY
		return duplicate
	case 1213, // ER_LOCK_DEADLOCK, also of a write set that Galera refuses
		1020, // ER_CHECKREAD of MariaDB with innodb_snapshot_isolation
		9007: // write conflict of TiDB
		return conflicting
	case 1243: // ER_UNKNOWN_STMT_HANDLER
		return forgotten
	case 1205: // ER_LOCK_WAIT_TIMEOUT
		return busy
	case 1290, 1792, 1836: // --read-only, read-only transaction, ER_READ_ONLY_MODE
		return readOnly
	case 1053, // ER_SERVER_SHUTDOWN
		1927: // ER_CONNECTION_KILLED of MariaDB
		return lostConnection
	}
	return unavailable
}

// ofSQLite classifies a result code of SQLite, of which the low byte is the kind.
func ofSQLite(code int) class {
	switch {
	case code == 1555 || code == 2067: // SQLITE_CONSTRAINT_PRIMARYKEY, …_UNIQUE
		return duplicate
	case code == 517: // SQLITE_BUSY_SNAPSHOT, which waits for nobody
		return conflicting
	case code&0xff == 5 || code&0xff == 6: // SQLITE_BUSY, SQLITE_LOCKED
		return busy
	case code&0xff == 8: // SQLITE_READONLY
		return readOnly
	}
	return unavailable
}

// mysqlNumber finds the number of a MySQLError, a struct with this field, in the tree of an error.
func mysqlNumber(err error) (uint64, bool) {
	if v := reflect.Indirect(reflect.ValueOf(err)); v.Kind() == reflect.Struct {
		if number := v.FieldByName("Number"); number.IsValid() && number.Kind() == reflect.Uint16 {
			return number.Uint(), true
		}
	}
	switch err := err.(type) {
	case interface{ Unwrap() error }:
		if inner := err.Unwrap(); inner != nil {
			return mysqlNumber(inner)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range err.Unwrap() {
			if number, ok := mysqlNumber(inner); ok {
				return number, true
			}
		}
	}
	return 0, false
}

// isLost reports whether an error is one of the many ways in which a connection ends. One that could
// not be opened is not among them: to try again at once would come as little further.
func isLost(err error) bool {
	for _, lost := range []error{driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, lost) {
			return true
		}
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Op != "dial"
	}
	for err != nil {
		switch err.Error() {
		case "invalid connection", // mysql.ErrInvalidConn, which is a mere text
			"conn closed": // pgconn.ErrConnClosed, in place of why a COMMIT had no answer
			return true
		}
		err = errors.Unwrap(err)
	}
	return false
}

// quotesSettings reports whether the text of an error may quote the data source name, with whatever
// password or key is in it. Some drivers read that when they first connect.
func quotesSettings(err error) bool {
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		if reflect.Indirect(reflect.ValueOf(inner)).Type().Name() == "ParseConfigError" { // of pgx
			return true
		}
	}
	// The statements of this package have no syntax error, so one in SQLite is in a pragma.
	var code interface{ Code() int }
	return errors.As(err, &code) && code.Code() == 1 && !strings.Contains(err.Error(), "no such ")
}
