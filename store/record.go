package store

import "time"

// A Record is one key as a store keeps it: what the application may see of it, plus the hash of its
// secret and a version. It holds only strings, integers and times, so that a copy shares no memory
// and every field is one column.
//
// A field that an implementation does not know would be lost without a trace, so every
// implementation is held to a round trip of all of them by storetest.
type Record struct {
	// ID is public, unique, 20 characters of lower-case Crockford base 32 and sorts by creation.
	ID string

	// Owner is the application's name for whoever holds the key: 1 to 255 bytes.
	Owner string

	// Prefix is the token prefix the key was issued under: 1 to 32 bytes.
	Prefix string

	// Alias finds the record of a key that an earlier system issued by what that system's token
	// lets one derive. Empty for all others; unique where not empty. At most 255 bytes.
	Alias string

	// Label is the name people gave the key: 1 to 255 characters.
	Label string

	// Hint is the end of the token, to tell keys apart on a screen: at most 8 bytes.
	Hint string

	// Scopes are what the key may do, separated by single spaces (RFC 6749 section 3.3).
	Scopes string

	// Contacts is a JSON array of the e-mail addresses to tell about the key, or empty.
	Contacts string

	// Metadata is a JSON object of the application's own strings, or empty.
	Metadata string

	// Scheme names how Hash was computed, such as "sha256" or "hmac-sha256:c6b3a147".
	Scheme string

	// Hash is the hash of the secret: raw bytes, 32 of them for latchkey's own schemes.
	Hash Hash

	// CreatedAt is when the key was issued.
	CreatedAt time.Time

	// UpdatedAt is when the record was last written by Create or Update.
	UpdatedAt time.Time

	// ExpiresAt is the first instant at which the key no longer opens anything; zero means never.
	ExpiresAt time.Time

	// RevokedAt is when the key was revoked; zero means never.
	RevokedAt time.Time

	// RevokedReason is what was said when the key was revoked: at most 255 characters.
	RevokedReason string

	// LastUsedAt is when the key was last seen in use; zero means never. Only Touch changes it.
	LastUsedAt time.Time

	// RotatedAt is when a rotation made the secret of Hash; zero if it is the one the key was issued
	// with.
	RotatedAt time.Time

	// ActivatedAt is when the secret that a rotation made was first used, which began the Grace of the
	// one before; zero until then.
	ActivatedAt time.Time

	// Grace is how long the secret before is to go on from ActivatedAt: whole microseconds.
	Grace time.Duration

	// PriorHint, PriorScheme and PriorHash are Hint, Scheme and Hash of the secret before the last
	// rotation, and empty if there was none.
	PriorHint   string
	PriorScheme string
	PriorHash   Hash

	// PriorExpiresAt is the first instant at which the secret before opens nothing; zero means never.
	PriorExpiresAt time.Time

	// RemindedFor is the latest instant for which people were reminded of the key, and
	// RemindingUntil how long one instance alone may go on reminding them; zero means never.
	RemindedFor    time.Time
	RemindingUntil time.Time

	// Version counts the writes of the record, from 1.
	Version int64
}

// Pending reports whether a rotation made a secret that nobody has used yet.
func (r *Record) Pending() bool {
	return !r.RotatedAt.IsZero() && r.ActivatedAt.IsZero()
}

// PriorExpired reports whether at the given time the secret before the last rotation opens nothing,
// or there is none.
//
// A secret that was given no Grace is over whatever the time: it may have leaked, and its end must not
// wait for the slowest clock.
func (r *Record) PriorExpired(at time.Time) bool {
	return r.PriorHash == "" || r.Grace == 0 && !r.ActivatedAt.IsZero() ||
		!r.PriorExpiresAt.IsZero() && !at.Before(r.PriorExpiresAt)
}

// Active reports whether the record is neither revoked nor expired at the given time.
//
// A record with any RevokedAt is revoked, also one that lies ahead of now: revoking is done by
// instances whose clocks differ, and a revocation must not wait for the slowest of them.
func (r *Record) Active(at time.Time) bool {
	return r.RevokedAt.IsZero() && !r.Expired(at)
}

// Expired reports whether the record's life is over at the given time, revoked or not.
func (r *Record) Expired(at time.Time) bool {
	return !r.ExpiresAt.IsZero() && !at.Before(r.ExpiresAt)
}
