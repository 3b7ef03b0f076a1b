package sqlstore

import (
	"context"

	"github.com/opengovsg/latchkey/store"
)

var sqlite = dialect{
	name:  SQLite,
	quote: `"`,

	// Left to itself, SQLite would rather walk the whole table in the order of the ids than sort the
	// few rows that an index on a time finds. Naming the index settles it, whatever the statistics.
	by: func(index string) string { return " INDEXED BY " + index },

	// A transaction that begins by reading can't become a writer once another connection has
	// written: it fails with SQLITE_BUSY_SNAPSHOT, without waiting for the busy timeout.
	begin: "BEGIN IMMEDIATE",

	hasTable: "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = ?",

	// SQLite has one writer at a time and a statement that writes is a writer from its start, so
	// nothing comes between counting and inserting. See countActive for how it counts.
	create: `
INSERT INTO {table} ({columns})
SELECT {arguments}
WHERE ? <= 0 OR (
  SELECT COUNT(*) FROM (SELECT 1 FROM {table}{by active} WHERE owner = ? AND revoked_at IS NULL AND expires_at > ? LIMIT ?)
) + (
  SELECT COUNT(*) FROM (SELECT 1 FROM {table}{by active} WHERE owner = ? AND revoked_at IS NULL AND expires_at IS NULL LIMIT ?)
) < ?
ON CONFLICT DO NOTHING`,
	insert: insertSQLite,

	touch: "UPDATE {table} SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at < ?)",
	apply: touchSQLite,

	// As in create, nothing comes between choosing the rows and deleting them, so the condition need
	// not be asked twice. Each side of the union ends at the limit, so that a call costs the same
	// however much there is to purge.
	purge: `
DELETE FROM {table}
WHERE id IN (
  SELECT id FROM (SELECT id FROM {table}{by expires} WHERE expires_at < ? LIMIT ?)
  UNION
  SELECT id FROM (SELECT id FROM {table}{by revoked} WHERE revoked_at < ? LIMIT ?)
  LIMIT ?
)`,
	remove: removeSQLite,
}

func insertSQLite(ctx context.Context, s *Store, rec *store.Record, max int) error {
	args := append(values(rec), max, rec.Owner, rec.UpdatedAt.UnixMicro(), max, rec.Owner, max, max)
	n, err := s.exec(ctx, &s.create, args...)
	switch {
	case err != nil || n > 0:
		return err
	case max > 0:
		return store.ErrLimit
	}
	// Without a cap only a record that was kept can be in the way, though it may be gone by now.
	return store.ErrExists
}

// touchSQLite prepares anew, once for all the uses, because a statement of the pool would be
// prepared on the connection of the transaction all the same.
func touchSQLite(ctx context.Context, s *Store, uses []store.Use) error {
	return s.inTx(ctx, func(tx DB) error {
		st, err := tx.PrepareContext(ctx, s.touch.text)
		if err != nil {
			return err
		}
		defer st.Close()
		for _, use := range uses {
			at := use.At.UnixMicro()
			if _, err := st.ExecContext(ctx, at, use.ID, at); err != nil {
				return err
			}
		}
		return nil
	})
}

func removeSQLite(ctx context.Context, s *Store, before int64, limit int) (n int64, err error) {
	err = s.repeat(ctx, neverRepeatLost, func() (err error) {
		n, err = s.exec(ctx, &s.purge, before, limit, before, limit, limit)
		return err
	})
	return n, err
}
