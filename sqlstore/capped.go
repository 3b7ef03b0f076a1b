package sqlstore

import (
	"context"

	"github.com/opengovsg/latchkey/store"
)

const insertRecord = "INSERT INTO {table} ({columns}) VALUES ({arguments})"

// countActive counts the active records of an owner up to a limit: those that expire and those that
// never do, which lie side by side in an index of their own, each side ended at the limit. However many
// of an owner's keys are dead, none of them is passed. The order asked for is one that no other index
// gives, and BETWEEN with two bounds that are one keeps it from being taken for no order at all.
const countActive = `
SELECT (SELECT COUNT(*) FROM (
  SELECT 1 FROM {table}{by active}
  WHERE owner BETWEEN ? AND ? AND revoked_at IS NULL AND expires_at > ? ORDER BY owner, expires_at LIMIT ?
) AS expiring) + (SELECT COUNT(*) FROM (
  SELECT 1 FROM {table}{by active}
  WHERE owner BETWEEN ? AND ? AND revoked_at IS NULL AND expires_at IS NULL ORDER BY owner LIMIT ?
) AS everlasting)`

// takeTurn waits for everyone else who creates a record for the owner under a cap, to the end of
// their transactions, and makes everyone who comes later wait for this one. It returns ErrLimit if
// the owner is full.
//
// Under READ COMMITTED the count sees whatever those transactions committed. A cap checked by
// counting alone lets concurrent creates through on both PostgreSQL and MySQL, and one checked in
// the statement that inserts does so on PostgreSQL.
func (s *Store) takeTurn(ctx context.Context, tx DB, rec *store.Record, max int) error {
	if _, err := s.execOn(ctx, tx, s.lock, rec.Owner); err != nil {
		return err
	}
	var n int
	err := s.scanOn(ctx, tx, s.count, []any{&n}, rec.Owner, rec.Owner, rec.UpdatedAt.UnixMicro(), max, rec.Owner, rec.Owner, max)
	if err == nil && n >= max {
		err = store.ErrLimit
	}
	return err
}
