package sqlstore

import (
	"context"
	"database/sql"

	"github.com/opengovsg/latchkey/store"
)

// A Dialect names the kind of a database. Use one of the constants; the zero Dialect is none of
// them and [New] refuses it.
type Dialect string

const (
	// SQLite is SQLite 3.37 or later, through any driver that returns TEXT as a string or as bytes.
	SQLite Dialect = "sqlite"

	// Postgres is PostgreSQL 13 or later, or an engine that speaks as it does, through pgx's stdlib
	// package or lib/pq. The encoding of the database must be UTF8.
	Postgres Dialect = "postgres"

	// MySQL is MySQL 8.0 or MariaDB 10.8, or later, with InnoDB, or an engine that speaks as they do,
	// through go-sql-driver/mysql.
	MySQL Dialect = "mysql"
)

// dialect returns what d stands for, or nil.
func (d Dialect) dialect() *dialect {
	switch d {
	case SQLite:
		return &sqlite
	case Postgres:
		return &postgres
	case MySQL:
		return &mysql
	}
	return nil
}

// A dialect is what one kind of database does in its own way. All the rest is SQL that every one of
// them understands, written with "?" for arguments.
type dialect struct {
	// name is also that of the folder of its migrations.
	name Dialect

	// quote encloses a name.
	quote string

	// numbered says that arguments are written $1, $2 and so on.
	numbered bool

	// by returns what makes a query follow the index with the quoted name, to stand after the name
	// of the table.
	by func(index string) string

	// byID is the same for the primary key, where that takes saying.
	byID string

	// ordered says that a query follows the index of an owner only if it asks for its order.
	ordered bool

	// isolation is that of the transactions the store begins.
	isolation sql.IsolationLevel

	// begin opens the transaction of Migrate. It is empty where changes of a schema commit at once.
	begin string

	// inside is a statement that succeeds inside a transaction and fails outside, where begin does
	// not fail inside one.
	inside string

	// adapt returns a migration as the server at hand understands it. Nil: as it is.
	adapt func(ctx context.Context, tx DB, text string) (string, error)

	// neverMixes says that no text goes to the driver together with arguments; see Store.execOn.
	neverMixes bool

	// sane returns an error if a connection is set up so that the store can't keep its promises. Nil:
	// there is nothing to look at.
	sane func(ctx context.Context, db DB) error

	// hasTable counts the tables with the name that is its argument, quoted where quotesTable.
	hasTable    string
	quotesTable bool

	// create inserts a record, and insert runs it, with whatever else that takes, as one atomic
	// step. It returns ErrExists if the record is kept and ErrLimit if its owner is full, in which
	// case it may be kept as well. lock makes everyone else who creates for the same owner wait.
	create string
	lock   string
	insert func(ctx context.Context, s *Store, rec *store.Record, max int) error

	// takesTurns says that those who write one alias at once may all be in a deadlock with all others.
	takesTurns bool

	// unlessTaken keeps Update from an alias that another record has, where a duplicate that is an
	// error would end the caller's transaction. Its arguments are the alias and the id.
	unlessTaken string

	// widths are those of the columns that a longer value would be cut to fit, where the mode of
	// the server allows that.
	widths func(rec *store.Record) error

	// touch moves the last use of records forward, and apply runs it for some uses, which come
	// sorted by id and one for each id.
	touch string
	apply func(ctx context.Context, s *Store, uses []store.Use) error

	// purge deletes records that expired or were revoked before an instant, and remove runs it, with
	// whatever else that takes, and reports how many it deleted.
	purge  string
	remove func(ctx context.Context, s *Store, before int64, limit int) (int64, error)
}
