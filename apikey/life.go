package apikey

import (
	"context"
	"iter"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// Expiring iterates over the active keys of all owners under the service's prefix for which
// [Key.EndsAt] lies in the half-open window of time, each once, in no order that can be relied on. It
// is for operators and for reminders. It reads a page at a time and holds no connection in between; an
// error, which wraps [ErrUnavailable], is yielded once, and ends it.
func (s *Service) Expiring(ctx context.Context, from, before time.Time) iter.Seq2[Key, error] {
	from, before = storable(from), storable(before)
	return s.active(ctx, func(now time.Time, yield func(Key, error) bool) {
		if !from.Before(before) {
			return
		}
		for i, q := range []store.Query{
			// First, since a key that is rotated while it is looked at moves from the other one to this.
			{PriorExpiresFrom: from, PriorExpiresBefore: before},
			{ExpiresFrom: from, ExpiresBefore: before},
		} {
			for key, err := range s.walk(ctx, q, now) {
				// A key ends by what one of the queries asks for, and is left to that one.
				if byPrior := !key.EndsAt(now).Equal(key.ExpiresAt); err == nil && byPrior != (i == 0) {
					continue
				}
				if !yield(key, err) || err != nil {
					return
				}
			}
		}
	})
}

// storable returns what is nearest to t of the times that a key can expire at.
func storable(t time.Time) time.Time {
	earliest, latest := time.Unix(0, 0), time.Unix(lastSecond, 0).Add(longestMaxTTL)
	switch {
	case t.Before(earliest):
		t = earliest
	case t.After(latest):
		t = latest
	}
	return t.UTC().Truncate(time.Microsecond)
}

// Idle iterates over the active keys of all owners under the service's prefix that were issued before
// the given time and not used since, newest first. It reads every active key, a page at a time; an
// error, which wraps [ErrUnavailable], is yielded once, and ends it.
//
// A key's last use is as late in the store as [Service.Run] or [Service.Flush] writes it.
func (s *Service) Idle(ctx context.Context, since time.Time) iter.Seq2[Key, error] {
	return s.active(ctx, func(now time.Time, yield func(Key, error) bool) {
		for key, err := range s.walk(ctx, store.Query{}, now) {
			if err == nil && (!key.CreatedAt.Before(since) || !key.LastUsedAt().Before(since)) {
				continue
			}
			if !yield(key, err) {
				return
			}
		}
	})
}

// active hands the time to a walk through the active keys, or yields why there is none.
func (s *Service) active(ctx context.Context, walk func(now time.Time, yield func(Key, error) bool)) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		err := s.ready(ctx)
		var now time.Time
		if err == nil {
			now, err = s.clockMicro()
		}
		if err != nil {
			yield(Key{}, err)
			return
		}
		walk(now, yield)
	}
}

// walk iterates over the keys that are active now and that q selects, newest first.
func (s *Service) walk(ctx context.Context, q store.Query, now time.Time) iter.Seq2[Key, error] {
	q.State, q.At = store.Active, now
	return func(yield func(Key, error) bool) {
		for rec, err := range s.records(ctx, q) {
			if err != nil {
				yield(Key{}, err)
				return
			}
			if !yield(keyOf(rec), nil) {
				return
			}
		}
	}
}

// records iterates over the records that q selects, newest first, a page at a time.
func (s *Service) records(ctx context.Context, q store.Query) iter.Seq2[*store.Record, error] {
	q.Limit = store.MaxLimit
	return func(yield func(*store.Record, error) bool) {
		for {
			recs, err := s.list(ctx, q)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range recs {
				if !yield(&recs[i], nil) {
					return
				}
			}
			if len(recs) < q.Limit {
				return
			}
			q.After = recs[len(recs)-1].ID
		}
	}
}

// Counts are numbers of keys.
type Counts struct {
	Active  int // of which Pending and InGrace are a part
	Pending int // rotated, with a new token that nobody has used yet
	InGrace int // rotated, with an old token that still works
	Expired int
	Revoked int

	// Legacy are the keys that a token of an earlier system still opens, a part of Active. At zero, of
	// all keys, its scheme may be taken away from Config.Legacy.
	Legacy int

	// Schemes are the numbers of tokens that still work, of which a key may have two, by how they are
	// hashed: "sha256", "hmac-sha256:" and the [Pepper.ID] of a pepper, or "legacy:" and the name of a
	// legacy scheme for one that was not used since its key was taken over. A pepper that no scheme
	// names may go.
	Schemes map[string]int
}

// Count returns the numbers of the owner's keys under the service's prefix. It reads all of them. It
// fails with an [*ArgumentError] that names the field, and with [ErrUnavailable] otherwise.
func (s *Service) Count(ctx context.Context, owner string) (Counts, error) {
	if err := s.ready(ctx); err != nil {
		return Counts{}, err
	}
	if err := checkOwner(owner); err != nil {
		return Counts{}, err
	}
	return s.count(ctx, store.Query{Owner: owner})
}

// CountAll returns the numbers of all keys under the service's prefix. It reads every record, a
// thousand at a time, so it is for operators and not for requests. It fails with [ErrUnavailable].
func (s *Service) CountAll(ctx context.Context) (Counts, error) {
	if err := s.ready(ctx); err != nil {
		return Counts{}, err
	}
	return s.count(ctx, store.Query{})
}

func (s *Service) count(ctx context.Context, q store.Query) (Counts, error) {
	now, err := s.clockMicro()
	if err != nil {
		return Counts{}, err
	}
	c := Counts{Schemes: make(map[string]int)}
	for rec, err := range s.records(ctx, q) {
		switch {
		case err != nil:
			return Counts{}, err
		case !rec.RevokedAt.IsZero():
			c.Revoked++
			continue
		case rec.Expired(now):
			c.Expired++
			continue
		case rec.Pending():
			c.Pending++
		case !rec.PriorExpired(now):
			c.InGrace++
		}
		c.Active++
		if rec.Alias != "" && (rec.RotatedAt.IsZero() || !rec.PriorExpired(now)) {
			c.Legacy++
		}
		c.Schemes[rec.Scheme]++
		if !rec.PriorExpired(now) {
			c.Schemes[rec.PriorScheme]++
		}
	}
	return c, nil
}
