// Package store is the contract between latchkey and whatever keeps its keys.
//
// A [Record] is what is kept, a [Query] selects records, and a [Store] keeps them. The comment on
// Store is the specification; package storetest holds any implementation to it, one subtest a rule.
// Two implementations come with latchkey: memstore and sqlstore.
//
// Applications hold a Store only to hand it to apikey.New. Everything an application reads or
// changes goes through apikey, which validates before it writes and re-checks what it reads.
package store

import (
	"context"
	"errors"
	"time"
)

// The decisions a store makes. Any other error means that the store could not answer.
var (
	// ErrNotFound says that no record has the id, or none of that owner.
	ErrNotFound = errors.New("latchkey: no such key")

	// ErrExists says that a record with the same id, or the same non-empty alias, is already kept.
	ErrExists = errors.New("latchkey: the key exists already")

	// ErrLimit says that the owner already has as many active records as Create was told to allow.
	ErrLimit = errors.New("latchkey: the owner has as many active keys as allowed")

	// ErrConflict says that the record changed since the version named by the caller was read.
	ErrConflict = errors.New("latchkey: the key changed meanwhile")
)

// A Store keeps records. It is the only thing to implement to put keys elsewhere.
//
// These rules hold for every method of every implementation.
//
//   - Methods are safe for concurrent use by any number of goroutines and processes.
//   - Given and returned values share no memory that a later call could change.
//   - Times are UTC with microsecond precision and the zero time means never. They come back as
//     they were given, and compare equal with ==.
//   - Strings are valid UTF-8 without NUL and compare byte by byte: no case folding, no trimming,
//     no Unicode normalisation. Hashes are arbitrary bytes. The service validates before any call.
//   - A context that has ended before the call leaves the store unchanged, and the error returned
//     satisfies errors.Is with the context's own error. A context that ends during a write leaves
//     the write either done or not done, never half done.
//   - Get sees every write that was acknowledged before it began, in whatever process, and so does
//     List, at least for the writes of its own process. A store that lost what it reads from, such
//     as a closed database, fails; it does not answer from memory.
//   - A method fails with one of the errors above, as its comment says, or the store could not
//     answer: every other error is taken for an outage and never for a refusal. An error never
//     comes with a record.
//   - No error text holds a hash, a password or a connection string.
//
// A record is active at an instant if it is not revoked and not expired at that instant; see
// [Record.Active].
type Store interface {
	// Create keeps rec with Version 1, whatever rec.Version says. It returns ErrExists if rec.ID,
	// or rec.Alias where not empty, is already kept, and never overwrites.
	//
	// If max is greater than zero and rec.Owner already has max records that are active at
	// rec.UpdatedAt, Create returns ErrLimit, or ErrExists where that holds as well. Counting and
	// keeping are one atomic step: concurrent calls never exceed max together. Records of every
	// prefix count.
	Create(ctx context.Context, rec Record, max int) error

	// Get returns the record with the id, or ErrNotFound. Get on a memory store allocates nothing.
	Get(ctx context.Context, id string) (Record, error)

	// List returns the records that q selects, newest first, which is descending by ID, and at most
	// q.Limit of them. No match is an empty result, not an error.
	List(ctx context.Context, q Query) ([]Record, error)

	// Update replaces the record that has rec's ID and Owner if its Version is still rec.Version,
	// and adds one to the Version kept. It returns ErrNotFound if no record has that ID and Owner,
	// ErrConflict if the Version differs, and otherwise ErrExists if rec.Alias is not empty and
	// another record has it. It changes nothing then, and never creates a record.
	//
	// ID, Owner, Prefix, CreatedAt and LastUsedAt stay as they are kept, whatever rec says.
	Update(ctx context.Context, rec Record) error

	// Touch sets LastUsedAt of each record named to the given time if that is later than the one
	// kept. It changes no other field, Version and UpdatedAt included, ignores ids that are not
	// kept, and takes uses in any order, also several of one id. All of them are applied as one
	// batch; on an error any part of it may have been applied, and it may be repeated as a whole.
	Touch(ctx context.Context, uses []Use) error

	// Purge deletes at most limit records that expired or were revoked before the given time,
	// strictly, and returns how many it deleted. Whether a record may go is decided in the same
	// atomic step that deletes it: one that was meanwhile changed so that it may stay, stays. A
	// result below limit means that nothing was left to delete.
	Purge(ctx context.Context, before time.Time, limit int) (int, error)
}

// A Use tells when a key was last used.
type Use struct {
	ID string
	At time.Time
}
