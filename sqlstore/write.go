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
UPDATE {table}{by id} SET alias = ?, label = ?, hint = ?, scopes = ?, contacts = ?, metadata = ?, scheme = ?, hash = ?,
updated_at = ?, expires_at = ?, revoked_at = ?, revoked_reason = ?,
rotated_at = ?, activated_at = ?, grace = ?, prior_hint = ?, prior_scheme = ?, prior_hash = ?, prior_expires_at = ?,
reminded_for = ?, reminding_until = ?, version = version + 1
WHERE id = ? AND owner = ? AND version = ?{unless taken}`

// touchChunk is how many uses are written in one transaction, so that a long batch does not keep
// other writers out for as long as it takes.
const touchChunk = 500

// Create implements [store.Store]. Where the answer of the database was lost, it looks whether the
// record is kept before it answers.
func (s *Store) Create(ctx context.Context, rec store.Record, max int) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	if err := s.ready(ctx, &rec); err != nil {
		return fail(ctx, "create", err)
	}
	repeated := false
	err := s.repeat(ctx, mayRepeatLost, func() error {
		err := s.inTurn(ctx, repeated, &rec, func(in *Store) error { return in.createOnce(ctx, &rec, max) })
		if err == store.ErrExists && repeated {
			// Perhaps by the attempt before, whose answer was lost. No one else has this hash.
			err = s.unless(ctx, err, rec.ID, func(kept *store.Record) bool { return *kept == asCreated(&rec) })
		}
		repeated = true
		return err
	})
	return decided(ctx, "create", err)
}

func (s *Store) createOnce(ctx context.Context, rec *store.Record, max int) error {
	err := s.dialect.insert(ctx, s, rec, max)
	if err != store.ErrLimit {
		return err
	}
	kept, err := s.exists(ctx, &s.kept, rec.ID, alias(rec))
	if err != nil {
		return err
	}
	if kept {
		return store.ErrExists
	}
	return store.ErrLimit
}

// Update implements [store.Store]. Where the answer of the database was lost, it looks whether the
// record is as it was to become before it answers.
func (s *Store) Update(ctx context.Context, rec store.Record) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	written := rec
	written.ID, written.Owner, written.Prefix = "", "", "" // at most looked for
	if err := s.ready(ctx, &written); err != nil {
		return fail(ctx, "update", err)
	}
	repeated := false
	err := s.repeat(ctx, mayRepeatLost, func() error {
		err := s.inTurn(ctx, repeated, &rec, func(in *Store) error { return in.updateOnce(ctx, &rec) })
		if err == store.ErrConflict && repeated {
			err = s.unless(ctx, err, rec.ID, func(kept *store.Record) bool { return *kept == asUpdated(&rec, kept) })
		}
		repeated = true
		return err
	})
	return decided(ctx, "update", err)
}

func (s *Store) updateOnce(ctx context.Context, rec *store.Record) error {
	args := []any{
		alias(rec), rec.Label, rec.Hint, rec.Scopes, rec.Contacts, rec.Metadata, rec.Scheme, []byte(rec.Hash),
		rec.UpdatedAt.UnixMicro(), orNever(rec.ExpiresAt), orNever(rec.RevokedAt), rec.RevokedReason,
		orNever(rec.RotatedAt), orNever(rec.ActivatedAt), rec.Grace.Microseconds(),
		rec.PriorHint, rec.PriorScheme, []byte(rec.PriorHash), orNever(rec.PriorExpiresAt),
		orNever(rec.RemindedFor), orNever(rec.RemindingUntil),
		rec.ID, rec.Owner, rec.Version,
	}
	if s.dialect.unlessTaken != "" {
		args = append(args, alias(rec), rec.ID)
	}
	n, err := s.exec(ctx, &s.update, args...)
	if classify(err) == duplicate {
		return store.ErrExists
	}
	if err != nil || n > 0 {
		return err
	}
	var version int64
	owned, err := s.scan(ctx, &s.owned, []any{&version}, rec.ID, rec.Owner)
	switch {
	case err != nil:
		return err
	case !owned:
		return store.ErrNotFound
	case rec.Alias == "" || version != rec.Version:
		return store.ErrConflict
	}
	taken, err := s.exists(ctx, &s.taken, rec.Alias, rec.ID)
	if err != nil {
		return err
	}
	if taken {
		return store.ErrExists
	}
	return store.ErrConflict
}

// ready reports why a write of what rec holds should not reach the database.
func (s *Store) ready(ctx context.Context, rec *store.Record) error {
	if err := ctx.Err(); err != nil || s.dialect.widths == nil {
		return err
	}
	return s.dialect.widths(rec)
}

// unless returns decision, unless the record kept is what the caller meant to write.
func (s *Store) unless(ctx context.Context, decision error, id string, written func(kept *store.Record) bool) error {
	var r row
	found, err := s.scan(ctx, &s.get, r.dest(), id)
	if err != nil {
		return err
	}
	kept := r.record()
	if found && written(&kept) {
		return nil
	}
	return decision
}

// Touch implements [store.Store]. It writes up to 500 uses at a time.
func (s *Store) Touch(ctx context.Context, uses []store.Use) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return fail(ctx, "touch", err)
	}
	for chunk := range slices.Chunk(latest(uses), touchChunk) {
		err := s.repeat(ctx, mayRepeatLost, func() error { return s.dialect.apply(ctx, s, chunk) })
		if err != nil {
			return fail(ctx, "touch", err)
		}
	}
	return nil
}

// latest returns the latest use of each id, in one order for everyone, so that two batches can't
// each hold a row the other one waits for. The zero time and those before it are not later than
// never.
func latest(uses []store.Use) []store.Use {
	uses = slices.DeleteFunc(slices.Clone(uses), func(u store.Use) bool { return !u.At.After(time.Time{}) })
	slices.SortFunc(uses, func(a, b store.Use) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), b.At.Compare(a.At))
	})
	return slices.CompactFunc(uses, func(a, b store.Use) bool { return a.ID == b.ID })
}

// Purge implements [store.Store]. In a transaction of the caller's a result below limit may also
// mean that others purged at the same time.
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
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
