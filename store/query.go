package store

import "time"

// MaxLimit is the largest Limit the service asks for, in List and in Purge.
const MaxLimit = 1000

// A Query selects records. Every field left at its zero value selects all; those set must all hold.
type Query struct {
	// Owner selects the records of one owner, compared byte by byte.
	Owner string

	// Prefix selects the records issued under one token prefix.
	Prefix string

	// Alias selects the one record that has the alias.
	Alias string

	// State selects by state at the instant At. AnyState, the zero value, selects all.
	State State
	At    time.Time

	// ExpiresFrom and ExpiresBefore select records whose ExpiresAt lies in the half-open window
	// from ExpiresFrom, included, to ExpiresBefore, excluded. Either may be left zero. Records that
	// never expire lie in no window.
	ExpiresFrom   time.Time
	ExpiresBefore time.Time

	// PriorExpiresFrom and PriorExpiresBefore do the same with PriorExpiresAt.
	PriorExpiresFrom   time.Time
	PriorExpiresBefore time.Time

	// ChangedSince selects records whose UpdatedAt is at or after it.
	ChangedSince time.Time

	// After selects records whose ID sorts before it: it is the last id of the page before, since
	// a list runs from newest to oldest. It need not be the id of a record that is still kept.
	After string

	// Limit bounds the result. A Limit below 1 selects nothing, so a forgotten one can't ask for
	// a whole table.
	Limit int
}

// A State is one of the states that a record is in at an instant.
type State int

// The states by which a [Query] selects.
const (
	// AnyState selects records in any state.
	AnyState State = iota

	// Active selects records that are neither revoked nor expired.
	Active

	// Expired selects records that are expired and not revoked.
	Expired

	// Revoked selects records that are revoked, whether or not they have expired as well.
	Revoked
)

// Match reports whether q selects rec, leaving Limit aside. It is the definition that
// implementations in other languages, such as SQL, are held to.
func (q *Query) Match(rec *Record) bool {
	switch {
	case q.Owner != "" && rec.Owner != q.Owner,
		q.Prefix != "" && rec.Prefix != q.Prefix,
		q.Alias != "" && rec.Alias != q.Alias,
		q.After != "" && rec.ID >= q.After,
		!q.ChangedSince.IsZero() && rec.UpdatedAt.Before(q.ChangedSince):
		return false
	}
	if !within(rec.ExpiresAt, q.ExpiresFrom, q.ExpiresBefore) ||
		!within(rec.PriorExpiresAt, q.PriorExpiresFrom, q.PriorExpiresBefore) {
		return false
	}
	switch q.State {
	case AnyState:
		return true
	case Active:
		return rec.Active(q.At)
	case Expired:
		return rec.RevokedAt.IsZero() && rec.Expired(q.At)
	case Revoked:
		return !rec.RevokedAt.IsZero()
	}
	// An unknown state is one that a newer service asks of an older store: select nothing rather
	// than everything.
	return false
}

// within reports whether t lies in the half-open window of which either end may be left open. The
// zero time, which is never, lies in no window but the one open at both ends.
func within(t, from, before time.Time) bool {
	if from.IsZero() && before.IsZero() {
		return true
	}
	return !t.IsZero() && !t.Before(from) && (before.IsZero() || t.Before(before))
}
