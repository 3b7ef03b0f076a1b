package apikey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// maxDraws bounds how often a taken id is drawn again. With 50 random bits a millisecond, a second
// draw means a broken source of randomness or a clock that stands still.
const maxDraws = 3

// A Request says what key to issue. Owner and Label are required.
type Request struct {
	// Owner is the application's name for whoever holds the key, such as a user's or a team's id:
	// 1 to 255 bytes of UTF-8 without control characters, compared byte by byte.
	Owner string

	// Label is the name people know the key by: 1 to 255 characters on one line, not blank.
	Label string

	// Scopes are what the key may do: at most 64, each resource:action or resource:*, all of them
	// among Config.Scopes. None: the key identifies its owner and no more.
	Scopes []string

	// Contacts are the e-mail addresses to tell about the key: at most 50.
	Contacts []string

	// Metadata are the application's own strings: at most 64 entries, of keys up to 64 bytes and
	// values up to 1024, and 32 KiB as JSON in all.
	Metadata map[string]string

	// ExpiresIn is the life of the key, at least a second and at most Config.MaxTTL. Zero:
	// Config.DefaultTTL, or what is left of Ceiling.ExpiresAt if that is less.
	ExpiresIn time.Duration

	// NeverExpires asks for a key that lives until it is revoked. It takes
	// Config.AllowNeverExpires as well.
	NeverExpires bool

	// Ceiling bounds what may be granted to what the issuer may grant. Nil: the application itself
	// issues the key, within its configuration.
	Ceiling *Ceiling
}

// Issue makes a key and returns its token, which is shown to its owner now and can't be had again.
//
// It fails with an [*ArgumentError] that names the field, with [ErrForbidden] if the request goes
// beyond Config.Scopes or its Ceiling, with [ErrLimit] if the owner already has
// Config.MaxPerOwner active keys, and with [ErrUnavailable] otherwise. When the store's answer was
// lost on the way, a key that nobody knows the token of may be left behind; it shows in the list.
func (s *Service) Issue(ctx context.Context, r Request) (Token, Key, error) {
	if err := s.ready(ctx); err != nil {
		return Token{}, Key{}, err
	}
	rec, err := s.record(r)
	if err != nil {
		return Token{}, Key{}, err
	}
	for range maxDraws {
		id, secret := generate(rec.CreatedAt)
		token := s.format.join(id, secret)
		rec.ID = id
		rec.Hint = token[len(token)-hintLen:]
		rec.Scheme, rec.Hash = s.hasher.hash(secret)
		switch err = s.create(ctx, rec); {
		case err == nil:
			key := keyOf(&rec)
			s.observe(ctx, Event{Kind: EventIssued, At: rec.CreatedAt, Key: key})
			return newToken(token), key, nil
		case !errors.Is(err, store.ErrExists):
			return Token{}, Key{}, fromStore(err)
		}
	}
	return Token{}, Key{}, unavailable(fmt.Errorf("drew %d ids that are taken: %w", maxDraws, err))
}

// record checks a request and returns the record of its key, but for what is drawn at random.
func (s *Service) record(r Request) (store.Record, error) {
	for _, err := range []error{
		checkOwner(r.Owner),
		checkLabel(r.Label),
		checkScopes(r.Scopes),
		checkContacts(r.Contacts),
		checkMetadata(r.Metadata),
		s.permits(r.Scopes, r.Ceiling),
	} {
		if err != nil {
			return store.Record{}, err
		}
	}
	now, err := s.clockMicro()
	if err != nil {
		return store.Record{}, err
	}
	expires, err := s.expiry(r, now)
	if err != nil {
		return store.Record{}, err
	}
	rec := store.Record{
		Owner:     r.Owner,
		Prefix:    s.format.prefix,
		Label:     r.Label,
		Scopes:    joinScopes(r.Scopes),
		Contacts:  encode(r.Contacts),
		Metadata:  encode(r.Metadata),
		CreatedAt: now,
		UpdatedAt: now,
		ExpiresAt: expires,
		Version:   1,
	}
	return rec, r.Ceiling.covers(&rec, true)
}

// expiry returns when the requested key expires, zero for never.
func (s *Service) expiry(r Request, now time.Time) (time.Time, error) {
	if r.NeverExpires {
		switch {
		case !s.allowNever:
			return time.Time{}, &ArgumentError{"NeverExpires", "must not be set unless Config.AllowNeverExpires is"}
		case r.ExpiresIn != 0:
			return time.Time{}, &ArgumentError{"ExpiresIn", "must be zero where NeverExpires is set"}
		}
		return time.Time{}, nil
	}
	ttl := r.ExpiresIn
	if ttl == 0 {
		ttl = s.defaultTTL
	}
	if ttl < minTTL || ttl > s.maxTTL {
		return time.Time{}, &ArgumentError{"ExpiresIn", fmt.Sprintf("must be %s to %s", span(minTTL), span(s.maxTTL))}
	}
	expires := now.Add(ttl).Truncate(time.Microsecond)
	if r.Ceiling == nil || r.Ceiling.ExpiresAt.IsZero() {
		return expires, nil
	}
	latest := r.Ceiling.ExpiresAt.UTC().Truncate(time.Microsecond)
	if !latest.After(now) {
		return time.Time{}, fmt.Errorf("%w: the issuer has expired", ErrForbidden)
	}
	if r.ExpiresIn == 0 && expires.After(latest) {
		return latest, nil
	}
	return expires, nil // which the ceiling may not cover
}
