package apikey

import (
	"context"
	"errors"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// A Ref names a key and whose it is. A key of somebody else is not found.
type Ref struct {
	Owner string
	ID    string

	anyOwner bool
}

// AnyOwner names a key whoever owns it, for operators: nothing that an owner sends should ever come
// this way.
func AnyOwner(id string) Ref { return Ref{ID: id, anyOwner: true} }

// Get returns the key. It fails with [ErrNotFound] if there is none, or none of that owner, with an
// [*ArgumentError] if the Ref names no owner, and with [ErrUnavailable] otherwise.
func (s *Service) Get(ctx context.Context, ref Ref) (Key, error) {
	rec, err := s.load(ctx, ref)
	if err != nil {
		return Key{}, err
	}
	return keyOf(&rec), nil
}

// Changes say what to change of a key. A field at its zero value changes nothing; an empty slice or
// map that is not nil clears.
type Changes struct {
	Label    *string
	Contacts []string
	Metadata map[string]string

	// Scopes replaces what the key may do, within Config.Scopes and the Ceiling.
	Scopes []string

	// ExpiresAt makes the key expire sooner than it would. It must lie ahead.
	ExpiresAt time.Time

	// Ceiling bounds the change to what whoever asks may grant: a key of its owner, and scopes only
	// to a key that lives no longer than it may grant. Nil: Config.Scopes alone bounds it.
	Ceiling *Ceiling
}

// Update changes what the fields of c name, and returns the key as it is now. Changes to other
// fields that come at the same time are kept.
//
// It fails with an [*ArgumentError] that names the field, with [ErrNotFound] as [Service.Get] does,
// with [ErrForbidden] if the change goes beyond what may be granted, with [ErrNotActive] if the key is
// revoked or expired, with [ErrConflict] if others keep changing it, and with [ErrUnavailable]
// otherwise.
func (s *Service) Update(ctx context.Context, ref Ref, c Changes) (Key, error) {
	if err := s.ready(ctx); err != nil {
		return Key{}, err
	}
	if err := s.check(c); err != nil {
		return Key{}, err
	}
	var at time.Time
	key, err := s.change(ctx, ref, func(rec *store.Record, now time.Time) error {
		at = now
		if !rec.Active(now) {
			return ErrNotActive
		}
		if c.Label != nil {
			rec.Label = *c.Label
		}
		if c.Contacts != nil {
			rec.Contacts = encode(c.Contacts)
		}
		if c.Metadata != nil {
			rec.Metadata = encode(c.Metadata)
		}
		if c.Scopes != nil {
			rec.Scopes = joinScopes(c.Scopes)
		}
		if err := shorten(rec, c.ExpiresAt, now); err != nil {
			return err
		}
		return c.Ceiling.covers(rec, len(c.Scopes) > 0)
	})
	if err == nil {
		s.observe(ctx, Event{Kind: EventUpdated, At: at, Key: key})
	}
	return key, err
}

func (s *Service) check(c Changes) error {
	if c.Label != nil {
		if err := checkLabel(*c.Label); err != nil {
			return err
		}
	}
	for _, err := range []error{
		checkScopes(c.Scopes),
		checkContacts(c.Contacts),
		checkMetadata(c.Metadata),
		s.permits(c.Scopes, c.Ceiling),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// Revoke ends the key for good, as of now, and returns it. The reason, at most 255 characters, is
// kept with it. A key that is revoked already stays as it is, with the time and the reason of the
// first time; revoking an expired key is allowed, since clocks differ.
//
// Once Revoke has returned without an error, no verification that begins anywhere accepts the key,
// other than from a cache, which states its own bound. It fails with an [*ArgumentError], with
// [ErrNotFound] as [Service.Get] does, and with [ErrUnavailable] otherwise.
func (s *Service) Revoke(ctx context.Context, ref Ref, reason string) (Key, error) {
	key, _, err := s.revoke(ctx, ref, reason)
	return key, err
}

// revoke reports as well whether it was this call that revoked the key.
func (s *Service) revoke(ctx context.Context, ref Ref, reason string) (key Key, revoked bool, err error) {
	if err := checkLine("Reason", reason, maxReasonLen); err != nil {
		return Key{}, false, err
	}
	key, err = s.change(ctx, ref, func(rec *store.Record, now time.Time) error {
		if revoked = rec.RevokedAt.IsZero(); !revoked {
			return errUnchanged
		}
		rec.RevokedAt = now
		rec.RevokedReason = reason
		return nil
	})
	if revoked = revoked && err == nil; revoked {
		s.observe(ctx, Event{Kind: EventRevoked, At: key.RevokedAt, Key: key})
	}
	return key, revoked, err
}

// RevokeAll revokes every key the owner has under the service's prefix and returns how many it
// revoked. It works in steps and may be called again after an error, when the count tells how far
// it came. It ends when a look finds nothing left to revoke, so it also catches what is issued
// while it runs; stop issuing to the owner first.
func (s *Service) RevokeAll(ctx context.Context, owner, reason string) (int, error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	if err := checkOwner(owner); err != nil {
		return 0, err
	}
	if err := checkLine("Reason", reason, maxReasonLen); err != nil {
		return 0, err
	}
	revoked := 0
	for {
		n, err := s.revokeListed(ctx, owner, reason)
		revoked += n
		if err != nil {
			return revoked, err
		}
		if n == 0 {
			return revoked, s.tellRevoked(ctx, owner)
		}
	}
}

// tellRevoked tells watchers of the owner's keys that were revoked lately, by whatever process: a cache may
// not have heard of those that were no longer there to be revoked. No cache keeps a key for as long as an hour.
func (s *Service) tellRevoked(ctx context.Context, owner string) error {
	if !s.watchers.any() {
		return nil
	}
	now, err := s.clockMicro()
	if err != nil {
		return err
	}
	q := store.Query{Owner: owner, State: store.Revoked, ChangedSince: storable(now.Add(-time.Hour)), Limit: store.MaxLimit}
	for {
		recs, err := s.list(ctx, q)
		if err != nil || len(recs) == 0 {
			return err
		}
		for _, rec := range recs {
			s.watchers.tell(rec.ID)
		}
		q.After = recs[len(recs)-1].ID
	}
}

// revokeListed revokes what one walk through the owner's keys finds.
func (s *Service) revokeListed(ctx context.Context, owner, reason string) (int, error) {
	revoked := 0
	q := store.Query{
		Owner: owner,
		State: store.Active,
		// As of long ago, when nothing had expired: an instance whose clock is behind may still
		// accept what this one holds for expired.
		At:    time.UnixMicro(0).UTC(),
		Limit: store.MaxLimit,
	}
	for {
		recs, err := s.list(ctx, q)
		if err != nil || len(recs) == 0 {
			return revoked, err
		}
		for _, rec := range recs {
			_, ended, err := s.revoke(ctx, Ref{Owner: owner, ID: rec.ID}, reason)
			if ended {
				revoked++
			}
			if err != nil && !errors.Is(err, ErrNotFound) { // which it is when purged meanwhile
				return revoked, err
			}
		}
		q.After = recs[len(recs)-1].ID
	}
}

// Purge deletes the keys of the service's store, of any prefix and owner, that expired or were
// revoked before the given time, which must not lie ahead, and returns how many. It works in steps
// and may be called again after an error. Keep dead keys for as long as somebody may ask what
// happened to them: a purged key's token is refused as unknown.
func (s *Service) Purge(ctx context.Context, before time.Time) (int, error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	now, err := s.clockMicro()
	if err != nil {
		return 0, err
	}
	before = before.UTC().Truncate(time.Microsecond)
	if before.After(now) || before.Unix() < 0 {
		// A store would delete what is still active now and expired by then; and a time far enough
		// back no longer fits a column, where it could come out anywhere.
		return 0, &ArgumentError{"before", "must lie between 1970 and now"}
	}
	defer s.watchers.tell("")
	for purged := 0; ; {
		n, err := s.store.Purge(ctx, before, store.MaxLimit)
		purged += n
		if err != nil {
			return purged, unavailable(err)
		}
		if n < store.MaxLimit {
			return purged, nil
		}
	}
}
