package apikey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opengovsg/latchkey/store"
)

const rehashPause = time.Minute

// noHash stands in for the hash of a key that does not exist.
const noHash = store.Hash("no SHA-256 of a secret, 32 bytes")

var (
	errNoContext   = unavailable(errors.New("the context is nil"))
	errWrongRecord = errors.New("the store returned another record than asked for")
)

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
	if err := s.ready(); err != nil {
		return Key{}, err
	}
	if ctx == nil {
		return Key{}, errNoContext
	}
	id, secret, ok := s.format.parse(token)
	if !ok {
		return Key{}, ErrMalformed
	}
	rec, err := s.store.Get(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		// The same work as for a wrong secret: the time an answer takes must not tell which ids
		// exist.
		d, _ := s.hasher.sum(s.hasher.scheme, secret)
		d.equal(noHash)
		return Key{}, &RefusedError{id, ErrUnknown}
	case err != nil:
		return Key{}, unavailable(err)
	case rec.ID != id || rec.Owner == "":
		return Key{}, unavailable(errWrongRecord)
	}

	d, known := s.hasher.sum(rec.Scheme, secret)
	if !known {
		return Key{}, unavailable(fmt.Errorf("key %s is hashed as %q, for which no pepper is configured", id, rec.Scheme))
	}
	if len(rec.Hash) != len(d) {
		return Key{}, &RefusedError{id, ErrCorrupt}
	}
	// The prefix is compared after the hash, so that the time does not tell whose id it is.
	if match := d.equal(rec.Hash); !match || rec.Prefix != s.format.prefix {
		return Key{}, &RefusedError{id, ErrUnknown}
	}
	if !rec.RevokedAt.IsZero() {
		return Key{}, &RefusedError{id, ErrRevoked}
	}
	// Read after the store answered, however long that took: what expired meanwhile is expired.
	now := s.now()
	if rec.Expired(now) {
		return Key{}, &RefusedError{id, ErrExpired}
	}
	if rec.Scheme != s.hasher.scheme {
		s.rehash(ctx, rec, secret, now)
	}
	return keyOf(&rec), nil
}

// rehash writes the hash of a secret that has just verified under the scheme of new keys. Comparing
// and swapping keeps it from undoing anything, a revocation above all, that came in between.
func (s *Service) rehash(ctx context.Context, rec store.Record, secret string, now time.Time) {
	if now.UnixNano() < s.rehashAfter.Load() {
		return
	}
	rec.Scheme, rec.Hash = s.hasher.hash(secret)
	rec.UpdatedAt = later(rec.UpdatedAt, now.UTC().Truncate(time.Microsecond))
	err := s.store.Update(ctx, rec)
	if err != nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) && ctx.Err() == nil {
		s.rehashAfter.Store(now.Add(rehashPause).UnixNano())
	}
}
