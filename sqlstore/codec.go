package sqlstore

import (
	"database/sql"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// columns are the fields of a record, in the order of values and of row.dest.
const columns = "id, owner, prefix, alias, label, hint, scopes, contacts, metadata, scheme, hash, " +
	"created_at, updated_at, expires_at, revoked_at, revoked_reason, last_used_at, " +
	"rotated_at, activated_at, grace, prior_hint, prior_scheme, prior_hash, prior_expires_at, " +
	"reminded_for, reminding_until, version"

// values returns the arguments that insert a record as its first version. The hash goes as bytes
// and all other text as strings, in every statement: SQLite finds no string equal to bytes.
func values(rec *store.Record) []any {
	return []any{
		rec.ID,
		rec.Owner,
		rec.Prefix,
		alias(rec),
		rec.Label,
		rec.Hint,
		rec.Scopes,
		rec.Contacts,
		rec.Metadata,
		rec.Scheme,
		[]byte(rec.Hash),
		rec.CreatedAt.UnixMicro(),
		rec.UpdatedAt.UnixMicro(),
		orNever(rec.ExpiresAt),
		orNever(rec.RevokedAt),
		rec.RevokedReason,
		orNever(rec.LastUsedAt),
		orNever(rec.RotatedAt),
		orNever(rec.ActivatedAt),
		rec.Grace.Microseconds(),
		rec.PriorHint,
		rec.PriorScheme,
		[]byte(rec.PriorHash),
		orNever(rec.PriorExpiresAt),
		orNever(rec.RemindedFor),
		orNever(rec.RemindingUntil),
		int64(1),
	}
}

// alias returns the alias, or NULL for none: NULLs do not collide in a unique index.
func alias(rec *store.Record) sql.NullString {
	return sql.NullString{String: rec.Alias, Valid: rec.Alias != ""}
}

// orNever returns a time as the column holds it, NULL for never. CreatedAt and UpdatedAt are not
// such times: their zero value is an instant like any other, and their columns are never NULL.
func orNever(t time.Time) sql.NullInt64 {
	if t.IsZero() {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: t.UnixMicro(), Valid: true}
}

// A row is one row as it is scanned.
type row struct {
	rec                          store.Record
	alias                        sql.NullString
	createdAt, updatedAt, grace  int64
	expiresAt, revokedAt, usedAt sql.NullInt64
	rotatedAt, activatedAt       sql.NullInt64
	priorExpiresAt               sql.NullInt64
	remindedFor, remindingUntil  sql.NullInt64
}

// dest returns where to scan the columns to.
func (r *row) dest() []any {
	return []any{
		&r.rec.ID,
		&r.rec.Owner,
		&r.rec.Prefix,
		&r.alias,
		&r.rec.Label,
		&r.rec.Hint,
		&r.rec.Scopes,
		&r.rec.Contacts,
		&r.rec.Metadata,
		&r.rec.Scheme,
		(*string)(&r.rec.Hash),
		&r.createdAt,
		&r.updatedAt,
		&r.expiresAt,
		&r.revokedAt,
		&r.rec.RevokedReason,
		&r.usedAt,
		&r.rotatedAt,
		&r.activatedAt,
		&r.grace,
		&r.rec.PriorHint,
		&r.rec.PriorScheme,
		(*string)(&r.rec.PriorHash),
		&r.priorExpiresAt,
		&r.remindedFor,
		&r.remindingUntil,
		&r.rec.Version,
	}
}

// record returns the record last scanned. A later scan does not change it.
func (r *row) record() store.Record {
	rec := r.rec
	rec.Alias = r.alias.String
	rec.CreatedAt = instant(r.createdAt)
	rec.UpdatedAt = instant(r.updatedAt)
	rec.ExpiresAt = instantOrNever(r.expiresAt)
	rec.RevokedAt = instantOrNever(r.revokedAt)
	rec.LastUsedAt = instantOrNever(r.usedAt)
	rec.RotatedAt = instantOrNever(r.rotatedAt)
	rec.ActivatedAt = instantOrNever(r.activatedAt)
	rec.Grace = time.Duration(r.grace) * time.Microsecond
	rec.PriorExpiresAt = instantOrNever(r.priorExpiresAt)
	rec.RemindedFor = instantOrNever(r.remindedFor)
	rec.RemindingUntil = instantOrNever(r.remindingUntil)
	return rec
}

func instant(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

func instantOrNever(micros sql.NullInt64) time.Time {
	if !micros.Valid {
		return time.Time{}
	}
	t := instant(micros.Int64)
	if t.IsZero() {
		// Only NULL means never. A row whose expiry was spoilt into the zero time, as some tools
		// and databases turn what they can't represent into, would otherwise become a key that
		// opens for ever. One microsecond later it is long past.
		t = t.Add(time.Microsecond)
	}
	return t
}

// asCreated returns a record as it is read back once Create has kept it.
func asCreated(rec *store.Record) store.Record {
	kept := *rec
	kept.CreatedAt = instant(rec.CreatedAt.UnixMicro())
	kept.UpdatedAt = instant(rec.UpdatedAt.UnixMicro())
	for _, at := range []*time.Time{
		&kept.ExpiresAt, &kept.RevokedAt, &kept.LastUsedAt, &kept.RotatedAt, &kept.ActivatedAt,
		&kept.PriorExpiresAt, &kept.RemindedFor, &kept.RemindingUntil,
	} {
		*at = instantOrNever(orNever(*at))
	}
	kept.Grace = kept.Grace.Truncate(time.Microsecond)
	kept.Version = 1
	return kept
}

// asUpdated returns the record that Update makes of what is kept under the id of rec.
func asUpdated(rec, kept *store.Record) store.Record {
	updated := asCreated(rec)
	updated.Prefix, updated.CreatedAt, updated.LastUsedAt = kept.Prefix, kept.CreatedAt, kept.LastUsedAt
	updated.Version = rec.Version + 1
	return updated
}
