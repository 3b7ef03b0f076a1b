package sqlstore

import (
	"context"

	"github.com/opengovsg/latchkey/store"
)

// A Dialect names the kind of a database. Use one of the constants; the zero Dialect is none of
// them and [New] refuses it.
type Dialect string

// SQLite is SQLite 3.37 or later, through any driver that returns TEXT as a string or as bytes.
const SQLite Dialect = "sqlite"

// dialect returns what d stands for, or nil.
func (d Dialect) dialect() *dialect {
	switch d {
	case SQLite:
		return &sqlite
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

	// by returns what makes a query follow the index with the quoted name, to stand after the name
	// of the table.
	by func(index string) string

	// begin opens the transaction of Migrate and keeps out everyone else who migrates.
	begin string

	// hasTable counts the tables with the name that is its argument.
	hasTable string

	// create inserts a record unless it is kept or its owner is full, as one atomic step, and
	// insert runs it, with whatever else that takes, and reports whether there is a new row.
	create string
	insert func(ctx context.Context, s *Store, rec *store.Record, max int) (bool, error)

	// touch moves the last use of one record forward, and apply runs it for each of the uses,
	// which come sorted by id, on a transaction.
	touch string
	apply func(ctx context.Context, s *Store, tx DB, uses []store.Use) error

	// purge deletes records that expired or were revoked before an instant, choosing and deleting
	// them in one atomic step, and remove runs it and reports how many it deleted.
	purge  string
	remove func(ctx context.Context, s *Store, before int64, limit int) (int64, error)
}
