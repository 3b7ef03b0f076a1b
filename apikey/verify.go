package apikey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opengovsg/latchkey/store"
)

const (
	// rehashTimeout bounds what a verification waits for the write that rehashes its key, and
	// rehashPause keeps a database that can't be written from seeing an attempt with every request.
	rehashTimeout = 100 * time.Millisecond
	rehashPause   = time.Minute
)

var errWrongRecord = errors.New("the store returned another record than asked for")

// Verify returns the key that the token opens.
//
// A token that is not good is refused with an error that wraps [ErrInvalid]: ErrMalformed at once,
// without hashing or asking the store, and otherwise a [*RefusedError] that names the key's id and
// wraps ErrUnknown, ErrExpired, ErrRevoked or ErrCorrupt. Any other error wraps [ErrUnavailable]:
// the store could not answer, the record needs a pepper that is not configured, or the context
// ended. A client must be told the difference between the two kinds, and nothing else.
//
// Verify reads the store once, so that a revocation is effective as soon as it is acknowledged, in
// every process. It writes only to rehash a key under a new pepper, once for each key, and a failure
// to do so fails nothing.
func (s *Service) Verify(ctx context.Context, token string) (Key, error) {
	if err := s.ready(ctx); err != nil {
		return Key{}, err
	}
	id, secret, ok := s.format.parse(token)
	if !ok {
		return Key{}, ErrMalformed
	}
	rec, err := s.store.Get(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return s.unknown(id, secret, "")
	case err != nil:
		return Key{}, unavailable(err)
	case rec.ID != id || rec.Owner == "":
		return Key{}, unavailable(errWrongRecord)
	case rec.Prefix != s.format.prefix:
		// Before its scheme is looked at: another environment's pepper is none of ours.
		return s.unknown(id, secret, "")
	}

	d, known := s.hasher.sum(rec.Scheme, secret)
	if !known {
		return Key{}, unavailable(fmt.Errorf("key %s is hashed as %q, for which no pepper is configured", id, rec.Scheme))
	}
	if len(rec.Hash) != len(d) {
		return Key{}, &RefusedError{id, ErrCorrupt}
	}
	if !d.equal(rec.Hash) {
		return s.unknown(id, secret, rec.Scheme)
	}
	if !rec.RevokedAt.IsZero() {
		return Key{}, &RefusedError{id, ErrRevoked}
	}
	// Read after the store answered, however long that took: what expired meanwhile is expired.
	now, err := s.clock()
	if err != nil {
		return Key{}, err
	}
	if rec.Expired(now) {
		return Key{}, &RefusedError{id, ErrExpired}
	}
	if rec.Scheme != s.hasher.scheme {
		s.rehash(ctx, rec, secret, now)
	}
	// A store that overlooks its context must not have a handler run for a client that has gone.
	if err := ctx.Err(); err != nil {
		return Key{}, unavailable(err)
	}
	return keyOf(&rec), nil
}

// unknown refuses a token of which the secret was hashed under the given scheme alone, or not at all,
// after the rest of the work: what a refusal costs must not tell which ids exist.
func (s *Service) unknown(id, secret, hashed string) (Key, error) {
	s.hasher.spend(secret, hashed)
	return Key{}, &RefusedError{id, ErrUnknown}
}

// rehash writes the hash of a secret that has just verified under the scheme of new keys. Comparing
// and swapping keeps it from undoing anything, a revocation above all, that came in between. One at a
// time, so that a database that is slow to write holds up one request and not all of them.
func (s *Service) rehash(ctx context.Context, rec store.Record, secret string, now time.Time) {
	if now.UnixNano() < s.rehashing.after.Load() || !s.rehashing.busy.CompareAndSwap(false, true) {
		return
	}
	defer s.rehashing.busy.Store(false)
	rec.Scheme, rec.Hash = s.hasher.hash(secret)
	rec.UpdatedAt = later(rec.UpdatedAt, now.Truncate(time.Microsecond))
	// A time of its own: a client that never waits long must not keep its key from being rehashed,
	// nor the failure from being noticed.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rehashTimeout)
	defer cancel()
	err := s.store.Update(ctx, rec)
	if err != nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) {
		s.rehashing.after.Store(now.Add(rehashPause).UnixNano())
	}
}
