package apikey

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"reflect"
	"runtime"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// A LegacyScheme knows the tokens of an earlier system, whose keys [Service.LegacyRecord] takes over.
// Package apikey/legacy has some. It must be safe for concurrent use.
type LegacyScheme interface {
	// Name is what records call the scheme: 1 to 32 bytes of a-z, 0-9 and hyphens, beginning with a
	// letter. It must never change.
	Name() string

	// Recognizes reports whether a token is spelled like the earlier system's. It is asked of
	// whatever a client sends, up to 1024 bytes, if that is no token of the service's own format. So
	// it must be cheap, and strict: what it accepts costs a Derive.
	Recognizes(token string) bool

	// Derive returns what the earlier system kept of a token, such as its hash. It may be slow; a key
	// that was used once needs it no more. An error, such as the context's, means that nobody could
	// tell, and never that the token is bad.
	Derive(ctx context.Context, token string) (string, error)
}

const (
	maxLegacyToken = 1024 // bytes

	// legacyWait bounds how long a verification waits for its turn to derive, also where the client
	// would wait for longer: a flood must not become an ever longer queue.
	legacyWait = 5 * time.Second

	// upgradeTimeout bounds what a verification waits for the write that upgrades its key, and
	// upgradePause keeps a database that can't be written from seeing an attempt with every request.
	upgradeTimeout = 500 * time.Millisecond
	upgradePause   = time.Second
	upgradeTries   = 3

	// schemeLegacy, followed by the name of a legacy scheme, is the scheme of a key that was not used
	// since it was taken over. Nothing but a token of that scheme opens it.
	schemeLegacy = "legacy:"
)

var errLegacyBusy = errors.New("too many tokens of earlier systems wait to be derived")

// checkLegacy returns how many derivations may run at once.
func checkLegacy(schemes []LegacyScheme, atOnce int) (int, error) {
	names := make(map[string]bool)
	for _, l := range schemes {
		if v := reflect.ValueOf(l); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
			return 0, &ArgumentError{"Legacy", "must not hold nil"}
		}
		name := l.Name()
		if !validLegacyName(name) {
			return 0, &ArgumentError{"Legacy", "must have names of 1 to 32 bytes of a-z, 0-9 and hyphens, beginning with a letter"}
		}
		if names[name] {
			return 0, &ArgumentError{"Legacy", "must not repeat a name, as " + name + " does"}
		}
		names[name] = true
	}
	if atOnce == 0 {
		atOnce = max(1, runtime.GOMAXPROCS(0)/2)
	}
	if atOnce < 1 || atOnce > 1024 {
		return 0, &ArgumentError{"LegacyAtOnce", "must be 0 to 1024"}
	}
	return atOnce, nil
}

func validLegacyName(name string) bool {
	if name == "" || len(name) > 32 || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

// legacyScheme returns the scheme that recognises a token, or nil.
func (s *Service) legacyScheme(token string) LegacyScheme {
	if len(token) > maxLegacyToken {
		return nil
	}
	for _, l := range s.legacy {
		if l.Recognizes(token) {
			return l
		}
	}
	return nil
}

// verifyLegacy verifies a token of an earlier system. A key that was used before has the alias that is
// quick to derive, and is a key like any other. One that was not is found by what is slow to derive.
func (s *Service) verifyLegacy(ctx context.Context, l LegacyScheme, token string, rec *store.Record) (superseded bool, err error) {
	t := newLegacyToken(l, token)
	found := false
	*rec, found, err = s.aliased(ctx, t.alias)
	if err == nil && !found {
		*rec, found, err = s.derived(ctx, t)
	}
	switch {
	case err != nil:
		return false, s.unverified(err)
	case !found:
		return false, s.unknown("", t.secret, "", "")
	}
	return s.verifyRecord(ctx, rec, t.secret)
}

// A legacyToken is a token of an earlier system and what is quick to derive of it.
type legacyToken struct {
	scheme LegacyScheme
	token  string
	alias  string
	secret string // as long as the secrets of this library's tokens, which is what hashers take
}

func newLegacyToken(l LegacyScheme, token string) legacyToken {
	// Of two computations, so that what the alias tells about the token tells nothing about the
	// secret, which with the pepper opens the key.
	sum := sha256.Sum256([]byte(token))
	return legacyToken{
		scheme: l,
		token:  token,
		alias:  l.Name() + ":" + legacyHex("latchkey legacy alias", l.Name(), token),
		secret: base64.RawURLEncoding.EncodeToString(sum[:]),
	}
}

// importedAlias and importedHash are the alias and the hash of a record that was not used since it was
// taken over, from what the earlier system kept.
func importedAlias(name, kept string) string {
	return name + ":imported:" + legacyHex("latchkey imported alias", name, kept)
}

func importedHash(name, kept string) digest { return legacySum("latchkey imported hash", name, kept) }

// legacySum hashes a text for one purpose, under a key that is public.
func legacySum(purpose, name, text string) (d digest) {
	h := hmac.New(sha256.New, []byte(purpose))
	h.Write([]byte(name + "\x00" + text))
	h.Sum(d[:0])
	return d
}

func legacyHex(purpose, name, text string) string {
	d := legacySum(purpose, name, text)
	return hex.EncodeToString(d[:])
}

// aliased reads the record with the alias, and re-checks it as Verify does.
func (s *Service) aliased(ctx context.Context, alias string) (rec store.Record, found bool, err error) {
	recs, err := s.list(ctx, store.Query{Alias: alias, Limit: 1})
	if err != nil || len(recs) == 0 {
		return store.Record{}, false, err
	}
	if !validID(recs[0].ID) || recs[0].Owner == "" {
		return store.Record{}, false, errWrongRecord
	}
	return recs[0], true, nil
}

// derived finds the record of a token that was not used since its key was taken over, and upgrades it.
// Few do so at once, so that whoever sends such tokens can't take all processors; the others wait.
func (s *Service) derived(ctx context.Context, t legacyToken) (rec store.Record, found bool, err error) {
	if err := s.takeTurn(ctx); err != nil {
		return store.Record{}, false, err
	}
	defer func() { <-s.legacyTurns }()
	// Whoever had the turn before may have come with the same token.
	if rec, found, err = s.aliased(ctx, t.alias); err != nil || found {
		return rec, found, err
	}
	s.stats.derived.Add(1)
	kept, err := t.scheme.Derive(ctx, t.token)
	if err != nil {
		return store.Record{}, false, err
	}
	name := t.scheme.Name()
	rec, found, err = s.aliased(ctx, importedAlias(name, kept))
	switch {
	case err != nil:
		return store.Record{}, false, err
	case !found:
		// Another instance may have upgraded it since it was looked for under its new alias.
		return s.aliased(ctx, t.alias)
	}
	return s.upgraded(ctx, rec, t, importedHash(name, kept))
}

// takeTurn waits until it may derive.
func (s *Service) takeTurn(ctx context.Context) error {
	timer := time.NewTimer(legacyWait)
	defer timer.Stop()
	select {
	case s.legacyTurns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return errLegacyBusy
	}
}

// upgraded gives a record what is quick to derive of its token for an alias and a hash, if it has the
// slow one's, and returns it as it then is. Where that can't be written, the token works all the same,
// and its next use tries again.
func (s *Service) upgraded(ctx context.Context, rec store.Record, t legacyToken, hash digest) (store.Record, bool, error) {
	now, err := s.clock()
	if err != nil {
		return store.Record{}, false, err
	}
	// A time of its own, as for rehashing.
	write, cancel := context.WithTimeout(context.WithoutCancel(ctx), upgradeTimeout)
	defer cancel()
	scheme := schemeLegacy + t.scheme.Name()
	for try := 0; ; try++ {
		next := rec
		switch {
		case rec.Scheme == scheme && hash.equal(rec.Hash):
			next.Scheme, next.Hash = s.hasher.hash(t.secret)
		case rec.PriorScheme == scheme && hash.equal(rec.PriorHash): // rotated before it was ever used
			next.PriorScheme, next.PriorHash = s.hasher.hash(t.secret)
		default:
			return rec, true, nil // which the token does not open, or which somebody else upgraded
		}
		next.Alias = t.alias
		next.UpdatedAt = later(next.UpdatedAt, now.Truncate(time.Microsecond))
		if try == upgradeTries || !s.upgrading.due(now, upgradePause) {
			return next, true, nil
		}
		err := s.update(write, next)
		switch {
		case err == nil:
			next.Version++
			return next, true, nil
		case errors.Is(err, store.ErrNotFound):
			return store.Record{}, false, nil // purged
		case errors.Is(err, store.ErrExists):
			return next, true, nil // taken over twice, under two prefixes
		case !errors.Is(err, store.ErrConflict):
			s.upgrading.fail(now)
			return next, true, nil
		}
		rec, err = s.store.Get(ctx, next.ID)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return store.Record{}, false, nil
		case err != nil:
			return store.Record{}, false, err // what changed may have been a revocation
		case rec.ID != next.ID || rec.Owner != next.Owner || rec.Prefix != next.Prefix:
			return store.Record{}, false, errWrongRecord
		}
	}
}
