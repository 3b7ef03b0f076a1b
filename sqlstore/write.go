package sqlstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// updateRecord leaves alone what Update must not change.
const updateRecord = `
UPDATE {table} SET label = ?, hint = ?, scopes = ?, contacts = ?, metadata = ?, scheme = ?, hash = ?,
updated_at = ?, expires_at = ?, revoked_at = ?, revoked_reason = ?, version = version + 1
WHERE id = ? AND owner = ? AND version = ?`

// touchChunk is how many uses are written in one transaction, so that a long batch does not keep
// other writers out for as long as it takes.
const touchChunk = 500

// Create implements [store.Store].
func (s *Store) Create(ctx context.Context, rec store.Record, max int) error {
	if err := ctx.Err(); err != nil {
		return fail(ctx, "create", err)
	}
	created, err := s.dialect.insert(ctx, s, &rec, max)
	if err != nil {
		return fail(ctx, "create", err)
	}
	if created {
		return nil
	}
	kept, err := s.exists(ctx, &s.kept, rec.ID, alias(&rec))
	if err != nil {
		return fail(ctx, "create", err)
	}
	// Without a cap only a record that was kept can be in the way, though it may be gone by now.
	if kept || max <= 0 {
		return store.ErrExists
	}
	return store.ErrLimit
}

// Update implements [store.Store].
func (s *Store) Update(ctx context.Context, rec store.Record) error {
	if err := ctx.Err(); err != nil {
		return fail(ctx, "update", err)
	}
	n, err := s.exec(ctx, &s.update,
		rec.Label, rec.Hint, rec.Scopes, rec.Contacts, rec.Metadata, rec.Scheme, []byte(rec.Hash),
		rec.UpdatedAt.UnixMicro(), orNever(rec.ExpiresAt), orNever(rec.RevokedAt), rec.RevokedReason,
		rec.ID, rec.Owner, rec.Version)
	if err != nil {
		return fail(ctx, "update", err)
	}
	if n > 0 {
		return nil
	}
	owned, err := s.exists(ctx, &s.owned, rec.ID, rec.Owner)
	if err != nil {
		return fail(ctx, "update", err)
	}
	if owned {
		return store.ErrConflict
	}
	return store.ErrNotFound
}

// Touch implements [store.Store]. On a *sql.DB it writes in transactions of up to 500 uses.
func (s *Store) Touch(ctx context.Context, uses []store.Use) error {
	if err := ctx.Err(); err != nil {
		return fail(ctx, "touch", err)
	}
	// The column holds NULL for never and NULL is earlier than any time, but the zero time and
	// those before it are not later than never.
	later := slices.DeleteFunc(slices.Clone(uses), func(u store.Use) bool { return !u.At.After(time.Time{}) })
	// One order for everyone, so that two batches can't each hold a row the other one waits for.
	slices.SortFunc(later, func(a, b store.Use) int { return cmp.Compare(a.ID, b.ID) })
	for chunk := range slices.Chunk(later, touchChunk) {
		err := s.inTx(ctx, func(tx DB) error { return s.dialect.apply(ctx, s, tx, chunk) })
		if err != nil {
			return fail(ctx, "touch", err)
		}
	}
	return nil
}

// Purge implements [store.Store].
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, fail(ctx, "purge", err)
	}
	if limit < 1 {
		return 0, nil // a negative LIMIT is none at all to SQLite
	}
	n, err := s.dialect.remove(ctx, s, before.UnixMicro(), limit)
	if err != nil {
		return 0, fail(ctx, "purge", err)
	}
	return int(n), nil
}
