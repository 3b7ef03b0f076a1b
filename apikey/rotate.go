package apikey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opengovsg/latchkey/store"
)

const (
	defaultGrace = 24 * time.Hour
	maxGrace     = 30 * 24 * time.Hour

	// activateTimeout bounds what a verification waits for the write that records the first use of a
	// new token, and activatePause keeps a database that can't be written from seeing an attempt with
	// every request.
	activateTimeout = 500 * time.Millisecond
	activatePause   = time.Second
	activateTries   = 3
)

// A Rotation says how to replace the token of a key.
type Rotation struct {
	// Grace is how long the old token goes on from the moment the new one is first used, though
	// never longer than it had: 24 hours where zero, at most 30 days.
	Grace time.Duration

	// Immediately ends the old token at once, and with it every client that still uses it. It is for
	// a token that leaked. Grace must be zero.
	Immediately bool

	// ExpiresIn is the life of the key from now, at least a second and at most Config.MaxTTL, which
	// its old token does not outlast. Zero: Config.DefaultTTL, or what is left of Ceiling.ExpiresAt if
	// that is less, or what the key has left if that is more.
	ExpiresIn time.Duration

	// Hint, where not empty, is the Key.Hint that whoever rotates has seen. A key whose token was
	// replaced since is left alone, with ErrConflict: of two who press the button at once, one wins.
	// Without it the second of two rotations cancels the token of the first, so a handler that people
	// press buttons for should refuse a request that names none.
	Hint string

	// Ceiling bounds the rotation to what whoever asks may grant: a key of its owner, with no more
	// scopes, that does not outlive it. Nil: no bound but Config.MaxTTL.
	Ceiling *Ceiling
}

// Rotate makes a new token for the key, which keeps its id, owner, label, scopes and contacts, and
// renews its expiry. The token is shown to its owner now and can't be had again.
//
// Until the new token is first used both work, the old one for as long as it had. That first use
// activates the new token: from then on the old one has Grace left and no more. After that it is
// refused with [ErrSuperseded]. Rotating again before the new token was used cancels it and leaves
// the old one as it is; while an old token is in its grace, only Immediately rotates again.
//
// Rotate fails with an [*ArgumentError] that names the field, with [ErrNotFound] as [Service.Get]
// does, with [ErrForbidden] if the rotation goes beyond its Ceiling, with [ErrNotActive] if the key is
// revoked or expired, with [ErrInGrace] if an old token is still in its grace, with [ErrConflict] if
// somebody else rotated the key at the same time or since Hint was seen, and with
// [ErrUnavailable] otherwise. No token is returned with an error. When the store's answer was lost on the
// way, the old token goes on as before, unless it was to end Immediately: rotate again in either case.
func (s *Service) Rotate(ctx context.Context, ref Ref, r Rotation) (Token, Key, error) {
	if err := s.ready(ctx); err != nil {
		return Token{}, Key{}, err
	}
	if err := s.checkRotation(r); err != nil {
		return Token{}, Key{}, err
	}
	var (
		token string
		seen  *store.Record
	)
	key, err := s.change(ctx, ref, func(rec *store.Record, now time.Time) error {
		if seen != nil && !seen.RotatedAt.Equal(rec.RotatedAt) || r.Hint != "" && r.Hint != rec.Hint {
			return ErrConflict // somebody else has just been shown a token that this one would cancel
		}
		before := *rec
		seen = &before
		if err := s.rotate(rec, r, now); err != nil {
			return err
		}
		_, secret := generate(now)
		token = s.format.join(rec.ID, secret)
		rec.Hint = token[len(token)-hintLen:]
		rec.Scheme, rec.Hash = s.hasher.hash(secret)
		return nil
	})
	if err != nil {
		return Token{}, Key{}, err
	}
	s.observe(ctx, Event{Kind: EventRotated, At: key.rotatedAt.time(), Key: key})
	return newToken(token), key, nil
}

func (s *Service) checkRotation(r Rotation) error {
	switch {
	case r.Grace < 0 || r.Grace > maxGrace:
		return &ArgumentError{"Grace", fmt.Sprintf("must be 0 to %s", span(maxGrace))}
	case r.Immediately && r.Grace != 0:
		return &ArgumentError{"Grace", "must be zero where Immediately is set"}
	case r.ExpiresIn != 0 && (r.ExpiresIn < minTTL || r.ExpiresIn > s.maxTTL):
		return &ArgumentError{"ExpiresIn", fmt.Sprintf("must be %s to %s", span(minTTL), span(s.maxTTL))}
	}
	return nil
}

// rotate makes room in the record for a new secret.
func (s *Service) rotate(rec *store.Record, r Rotation, now time.Time) error {
	if !rec.Active(now) {
		return ErrNotActive
	}
	if !rec.Pending() { // else the secret that nobody used goes, and the one before it stays as it is
		if !rec.PriorExpired(now) && !r.Immediately {
			return ErrInGrace
		}
		if !rec.RotatedAt.IsZero() {
			rec.Alias = "" // that of a token of an earlier system, which is now forgotten
		}
		rec.PriorHint, rec.PriorScheme, rec.PriorHash = rec.Hint, rec.Scheme, rec.Hash
		rec.PriorExpiresAt = rec.ExpiresAt
	}
	rec.RotatedAt = later(rec.RotatedAt.Add(time.Microsecond), now) // no two rotations look alike
	rec.ActivatedAt = time.Time{}
	rec.Grace = cmp.Or(r.Grace, defaultGrace).Truncate(time.Microsecond)
	if r.Immediately {
		rec.Grace = 0
		activate(rec, now)
	}
	end(rec, s.renewed(rec.ExpiresAt, r, now))
	return r.Ceiling.coversToken(rec)
}

// activate begins the grace of the secret before, which never prolongs it. Where the clock is behind the
// one of the instance that rotated the key, the grace begins with the rotation: what that instance's
// clients were promised must not have passed when it begins.
func activate(rec *store.Record, now time.Time) {
	if rec.Grace > 0 {
		now = later(now, rec.RotatedAt)
	}
	rec.ActivatedAt = now
	if end := now.Add(rec.Grace); rec.PriorExpiresAt.IsZero() || end.Before(rec.PriorExpiresAt) {
		rec.PriorExpiresAt = end
	}
}

// renewed returns when a key that is rotated now expires.
func (s *Service) renewed(expires time.Time, r Rotation, now time.Time) time.Time {
	switch {
	case r.ExpiresIn != 0:
		return now.Add(r.ExpiresIn).Truncate(time.Microsecond)
	case expires.IsZero():
		return expires
	}
	renewed := now.Add(s.defaultTTL).Truncate(time.Microsecond)
	if c := r.Ceiling; c != nil && !c.ExpiresAt.IsZero() && renewed.After(c.ExpiresAt) {
		renewed = c.ExpiresAt.UTC().Truncate(time.Microsecond)
	}
	return later(expires, renewed)
}

// shorten makes the record expire sooner, unless expires is zero.
func shorten(rec *store.Record, expires, now time.Time) error {
	if expires.IsZero() {
		return nil
	}
	expires = expires.UTC().Truncate(time.Microsecond)
	switch {
	case !expires.After(now):
		return &ArgumentError{"ExpiresAt", "must lie ahead; revoke a key to end it now"}
	case !rec.ExpiresAt.IsZero() && expires.After(rec.ExpiresAt),
		rec.ExpiresAt.IsZero() && expires.After(now.Add(longestMaxTTL)):
		return &ArgumentError{"ExpiresAt", "must not be later than the key expires already"}
	}
	end(rec, expires)
	return nil
}

// anew is by how much a key must end sooner for people to be reminded anew: less is no news, and a way to
// have them told every hour.
const anew = 24 * time.Hour

// end sets when the record expires, zero for never, and lets nothing outlast that.
func end(rec *store.Record, expires time.Time) {
	before := rec.ExpiresAt
	sooner := !expires.IsZero() && !rec.Expired(expires)
	rec.ExpiresAt = expires
	if !sooner {
		return
	}
	if !rec.PriorExpired(expires) {
		rec.PriorExpiresAt = expires
	}
	if before.IsZero() || before.Sub(expires) >= anew {
		// Whoever was told of the later instant, or is being told, has yet to be told of this one.
		rec.RemindedFor, rec.RemindingUntil = time.Time{}, time.Time{}
	}
}

// activated records that the new token of a key was used for the first time, and returns the record as
// it then is. Where that can't be written the token works all the same: the old one goes on, and the
// next use tries again. One at a time among the keys that share a turn, as for rehashing.
func (s *Service) activated(ctx context.Context, rec store.Record, now time.Time) store.Record {
	turn := &s.activating[rec.ID[idLen-1]%courtesies]
	if !turn.due(now, activatePause) || !turn.busy.CompareAndSwap(false, true) {
		return rec
	}
	defer turn.busy.Store(false)
	// A time of its own, as for rehashing.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), activateTimeout)
	defer cancel()
	used := rec
	for range activateTries {
		next := used
		activate(&next, now.Truncate(time.Microsecond))
		next.UpdatedAt = later(next.UpdatedAt, next.ActivatedAt)
		err := s.update(ctx, next)
		if err == nil {
			next.Version++ // a rehash may follow
			s.queue(Event{Kind: EventActivated, At: next.ActivatedAt, Key: keyOf(&next)})
			return next
		}
		if errors.Is(err, store.ErrConflict) {
			// Something else of the key changed, or somebody else was first, or rotated it again.
			used, err = s.store.Get(ctx, rec.ID)
			if err == nil && (!used.Pending() || !used.RotatedAt.Equal(rec.RotatedAt) || used.Owner != rec.Owner || !used.RevokedAt.IsZero()) {
				return rec
			}
		}
		if errors.Is(err, store.ErrNotFound) {
			return rec // purged meanwhile
		}
		if err != nil {
			if now, err = s.clock(); err == nil { // the wait may have been longer than the pause
				turn.fail(now)
			}
			return rec
		}
	}
	return rec
}
