package apikey

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
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
// wraps ErrUnknown, ErrExpired, ErrRevoked, ErrSuperseded or ErrCorrupt. Any other error wraps
// [ErrUnavailable]: the store could not answer, a token that may be good needs a pepper that is not
// configured, or the context ended. A client must be told the difference between the two kinds, and
// nothing else.
//
// A token of an earlier system is refused with ErrMalformed unless one of Config.Legacy recognises it, and
// otherwise as any other. Its first use reads the store up to five times and derives what the earlier
// system kept, which is slow, once it has its turn: see Config.LegacyAtOnce.
//
// Otherwise Verify reads the store once, so that a revocation is effective as soon as it is acknowledged,
// in every process. It writes only when the new token of a rotated key, or one of an earlier system, is
// first used, and to rehash a key under a new pepper, once for each, and a failure to do so fails nothing.
// That the key was used is noted in memory; see [Service.Run].
func (s *Service) Verify(ctx context.Context, token string) (key Key, err error) {
	var rec store.Record
	superseded, err := s.verify(ctx, token, &rec)
	if err != nil {
		return Key{}, err
	}
	key.fill(&rec)
	key.superseded = superseded
	return key, nil
}

// verify reads the record that a token opens into rec, which is large, so that every hand it went through
// would be a copy. It reports whether the token is the one before the last rotation.
func (s *Service) verify(ctx context.Context, token string, rec *store.Record) (superseded bool, err error) {
	if err := s.ready(ctx); err != nil {
		return false, err
	}
	id, secret, ok := s.format.parse(token)
	if !ok {
		if l := s.legacyScheme(token); l != nil {
			return s.verifyLegacy(ctx, l, token, rec)
		}
		s.stats.malformed.Add(1)
		return false, ErrMalformed
	}
	*rec, err = s.store.Get(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return false, s.unknown(id, secret, "", "")
	case err != nil:
		return false, s.unverified(err)
	case rec.ID != id || rec.Owner == "":
		return false, s.unverified(errWrongRecord)
	case rec.Prefix != s.format.prefix:
		// Before its scheme is looked at: another environment's pepper is none of ours.
		return false, s.unknown(id, secret, "", "")
	}
	return s.verifyRecord(ctx, rec, secret)
}

// verifyRecord verifies a secret against the record that its token found.
func (s *Service) verifyRecord(ctx context.Context, rec *store.Record, secret string) (superseded bool, err error) {
	id := rec.ID
	d, known := s.hasher.sum(rec.Scheme, secret)
	if !known {
		if strings.HasPrefix(rec.Scheme, schemeLegacy) {
			return false, s.unknown(id, secret, "", "")
		}
		if now, err := s.clock(); err == nil && !rec.Active(now) {
			// Its pepper may have gone, since it opens nothing any more.
			return false, s.unknown(id, secret, "", "")
		}
		return false, s.unverified(noPepper(id, rec.Scheme))
	}
	if len(rec.Hash) != len(d) {
		return false, s.refused(id, ErrCorrupt)
	}
	current := d.equal(rec.Hash)
	switch {
	case !current && rec.PriorHash == "":
		return false, s.unknown(id, secret, rec.Scheme, "")
	case current && !rec.RevokedAt.IsZero():
		return false, s.refused(id, ErrRevoked)
	}
	// Read after the store answered, however long that took: what expired meanwhile is expired.
	now, err := s.clock()
	switch {
	case err != nil:
		return false, s.unverified(err)
	case !current:
		return true, s.verifyPrior(ctx, rec, secret, &d, now)
	case rec.Expired(now):
		return false, s.refused(id, ErrExpired)
	case rec.Pending():
		*rec = s.activated(ctx, *rec, now)
	}
	if rec.Scheme != s.hasher.scheme {
		s.rehash(ctx, *rec, now, func(rec *store.Record) {
			rec.Scheme, rec.Hash = s.hasher.hash(secret)
		})
	}
	return false, s.verified(ctx, rec, now)
}

// verifyPrior verifies a secret that is not the one of the key, and that d hashes under the scheme of
// that one, against the secret before the last rotation.
func (s *Service) verifyPrior(ctx context.Context, rec *store.Record, secret string, d *digest, now time.Time) error {
	if rec.PriorScheme != rec.Scheme {
		prior, known := s.hasher.sum(rec.PriorScheme, secret)
		if !known && (strings.HasPrefix(rec.PriorScheme, schemeLegacy) || rec.PriorExpired(now) || !rec.Active(now)) {
			return s.unknown(rec.ID, secret, rec.Scheme, "")
		}
		if !known {
			return s.unverified(noPepper(rec.ID, rec.PriorScheme))
		}
		d = &prior
	}
	switch {
	case len(rec.PriorHash) != len(d):
		return s.refused(rec.ID, ErrCorrupt)
	case !d.equal(rec.PriorHash):
		return s.unknown(rec.ID, secret, rec.Scheme, rec.PriorScheme)
	case !rec.RevokedAt.IsZero():
		return s.refused(rec.ID, ErrRevoked)
	case rec.Expired(now):
		return s.refused(rec.ID, ErrExpired)
	case rec.PriorExpired(now):
		if s.lateUses.note(priorID(rec), time.Time{}, now) {
			s.queue(Event{Kind: EventLateUse, At: now, Key: keyOf(rec)})
		}
		return s.refused(rec.ID, ErrSuperseded)
	}
	if rec.PriorScheme != s.hasher.scheme {
		s.rehash(ctx, *rec, now, func(rec *store.Record) {
			rec.PriorScheme, rec.PriorHash = s.hasher.hash(secret)
		})
	}
	return s.verified(ctx, rec, now)
}

// verified notes that the token of a record is accepted.
func (s *Service) verified(ctx context.Context, rec *store.Record, now time.Time) error {
	// A store that overlooks its context must not have a handler run for a client that has gone.
	if err := ctx.Err(); err != nil {
		return s.unverified(err)
	}
	s.usage.note(rec.ID, rec.LastUsedAt, now)
	s.stats.verified.add(rec.ID)
	return nil
}

// unverified answers that nobody could tell.
func (s *Service) unverified(err error) error {
	s.stats.unavailable.Add(1)
	if errors.Is(err, ErrUnavailable) {
		return err
	}
	return unavailable(err)
}

func noPepper(id, scheme string) error {
	return fmt.Errorf("key %s is hashed as %q, for which no pepper is configured", id, scheme)
}

func (s *Service) refused(id string, reason error) error {
	s.stats.refused(reason)
	return &RefusedError{id, reason}
}

// unknown refuses a token of which the secret was hashed under the given schemes alone, where not
// empty, after the rest of the work: what a refusal costs must not tell which ids exist.
func (s *Service) unknown(id, secret, hashed, prior string) error {
	s.hasher.spend(secret, hashed, prior)
	return s.refused(id, ErrUnknown)
}

// rehash writes the hash of a secret that has just verified under the scheme of new keys. Comparing
// and swapping keeps it from undoing anything, a revocation above all, that came in between. One at a
// time, so that a database that is slow to write holds up one request and not all of them.
func (s *Service) rehash(ctx context.Context, rec store.Record, now time.Time, hash func(*store.Record)) {
	if !s.rehashing.due(now, rehashPause) || !s.rehashing.busy.CompareAndSwap(false, true) {
		return
	}
	defer s.rehashing.busy.Store(false)
	hash(&rec)
	rec.UpdatedAt = later(rec.UpdatedAt, now.Truncate(time.Microsecond))
	// A time of its own: a client that never waits long must not keep its key from being rehashed,
	// nor the failure from being noticed.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rehashTimeout)
	defer cancel()
	err := s.update(ctx, rec)
	if err != nil && !errors.Is(err, store.ErrConflict) && !errors.Is(err, store.ErrNotFound) {
		s.rehashing.fail(now)
	}
}

// courtesies is how many turns there are for activations, by the end of the id: keys whose rows are
// locked or can't be written hold up few others.
const courtesies = 16

// A courtesy is a write that a verification makes on the side. After a failure it is left alone for a
// while.
type courtesy struct {
	busy   atomic.Bool
	failed atomic.Int64 // Unix microseconds
}

// due reports whether the last failure lies at least the pause away, in either direction: on a clock
// that was set back the pause must not last until it has caught up.
func (c *courtesy) due(now time.Time, pause time.Duration) bool {
	at := c.failed.Load()
	return at == 0 || now.Sub(time.UnixMicro(at)).Abs() >= pause
}

func (c *courtesy) fail(now time.Time) { c.failed.Store(now.UnixMicro()) }
