// Package keycache remembers for a short while which tokens opened a key, so that most requests are
// answered without reading the store.
//
//	cache, err := keycache.New(keys, keycache.Config{MaxAge: 10 * time.Second})
//	go cache.Run(ctx)
//	guard := bearer.New(cache, bearer.Config{Realm: "acme"})
//
// A [Cache] is an [apikey.Verifier] in front of an [apikey.Service]. What it costs is that a revocation, and
// every other change of a key, takes effect later:
//
//   - In this process at once. Once a call of the service that changes a key, or was to, has returned, whether
//     it succeeded or not, no verification that begins then is answered as of before, not even by a read that
//     was under way. Of the keys of RevokeAll that is so once it has succeeded.
//   - In other processes within Config.MaxAge, always, counted from when the store was asked.
//   - With [Cache.Run], usually within a poll, as far as the clocks of the processes agree to half a minute.
//   - A change that a transaction of the application's makes, through [apikey.Service.WithStore], counts as one
//     in another process. [Cache.Forget], after the commit, has it take effect at once.
//
// What was remembered can only accept, and only the very token that was verified. Any other one is looked
// for in the store, so a token that was just issued or rotated opens its key everywhere at once. Nothing
// remembered outlasts the expiry of its token, or an outage of the store by more than MaxAge.
//
// A token that was refused is refused again for a second without a look, so that one client with a bad
// token can't keep a database busy. A token that is presented before the transaction that makes it is
// committed may be refused for that second.
package keycache

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/opengovsg/latchkey/apikey"
)

const (
	defaultMaxAge = 10 * time.Second
	minMaxAge     = 100 * time.Millisecond
	maxMaxAge     = 5 * time.Minute

	defaultMaxKeys = 100_000
	mostMaxKeys    = 10_000_000

	defaultLoadsAtOnce = 64
	mostLoadsAtOnce    = 10_000

	defaultPollEvery = time.Second
	minPollEvery     = 50 * time.Millisecond
)

// Config says what a [Cache] may remember. The zero value is the safe setting.
type Config struct {
	// MaxAge is how old an answer may be, counted from when the store was asked: 10 seconds where zero,
	// otherwise 100 milliseconds to 5 minutes. It is how long a key that another process revoked may go
	// on opening at most. Each answer is kept for up to an eighth less, so that not all are renewed at once.
	MaxAge time.Duration

	// MaxKeys is how many keys are remembered: 100 000 where zero, at most 10 000 000. A key takes
	// about a kilobyte, and up to 50 where its contacts and metadata are as large as they may be.
	// Where there are more, those that are used least go first. Only tokens that opened a key are
	// remembered there, so no flood of others drives them out.
	MaxKeys int

	// LoadsAtOnce is how many tokens are looked for in the store at once: 64 where zero, at most
	// 10 000, of each of them twice at the most. As many again are for tokens that opened a key before. Others
	// wait, at most for 5 seconds, and then nobody could tell: [apikey.ErrUnavailable].
	LoadsAtOnce int

	// PollEvery is how often Run asks for what other processes changed: every second, or MaxAge if that
	// is less, where zero; otherwise 50 milliseconds to MaxAge.
	PollEvery time.Duration
}

// A Cache verifies tokens as its [apikey.Service] does, from memory where it can. Make one with [New]; the
// zero Cache answers every call with [apikey.ErrUnavailable]. It is safe for concurrent use and starts
// nothing that outlasts a call by more than 5 seconds; [Cache.Run] is for the application to place.
type Cache struct {
	keys      *apikey.Service
	format    apikey.Format
	maxAge    time.Duration
	pollEvery time.Duration
	made      time.Time // what elapsed counts from

	kept     *otter.Cache[string, *entry] // by the id of the key
	opened   *opened
	refusals *refusals
	stripes  [stripes]stripe
	turns    [2]chan struct{} // to load a token that opened no key before, and one that did
	stats    counters
}

var _ apikey.Verifier = (*Cache)(nil)

// New returns a cache in front of the service, which tells it of changes from then on. The error, if any,
// is an [*apikey.ArgumentError] that names the field, "Keys" included.
func New(keys *apikey.Service, c Config) (*Cache, error) {
	if keys == nil || keys.Format().Prefix() == "" {
		return nil, &apikey.ArgumentError{Field: "Keys", Problem: "must be made by apikey.New"}
	}
	if c.MaxAge == 0 {
		c.MaxAge = defaultMaxAge
	}
	if c.MaxAge < minMaxAge || c.MaxAge > maxMaxAge {
		return nil, &apikey.ArgumentError{Field: "MaxAge", Problem: fmt.Sprintf("must be %s to %s", minMaxAge, maxMaxAge)}
	}
	if c.MaxKeys == 0 {
		c.MaxKeys = defaultMaxKeys
	}
	if c.MaxKeys < 1 || c.MaxKeys > mostMaxKeys {
		return nil, &apikey.ArgumentError{Field: "MaxKeys", Problem: fmt.Sprintf("must be 1 to %d", mostMaxKeys)}
	}
	if c.LoadsAtOnce == 0 {
		c.LoadsAtOnce = defaultLoadsAtOnce
	}
	if c.LoadsAtOnce < 1 || c.LoadsAtOnce > mostLoadsAtOnce {
		return nil, &apikey.ArgumentError{Field: "LoadsAtOnce", Problem: fmt.Sprintf("must be 1 to %d", mostLoadsAtOnce)}
	}
	if c.PollEvery == 0 {
		c.PollEvery = min(defaultPollEvery, c.MaxAge)
	}
	if c.PollEvery < minPollEvery || c.PollEvery > c.MaxAge {
		return nil, &apikey.ArgumentError{Field: "PollEvery", Problem: fmt.Sprintf("must be %s to MaxAge, which is %s", minPollEvery, c.MaxAge)}
	}
	cache := &Cache{
		keys:      keys,
		format:    keys.Format(),
		maxAge:    c.MaxAge,
		pollEvery: c.PollEvery,
		made:      time.Now(),
		opened:    new(opened),
		refusals:  new(refusals),
	}
	var err error
	cache.kept, err = otter.New(&otter.Options[string, *entry]{
		MaximumSize: c.MaxKeys,
		OnAtomicDeletion: func(e otter.DeletionEvent[string, *entry]) {
			if e.WasEvicted() {
				cache.stats.evictions.Add(1)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	for i := range cache.stripes {
		cache.stripes[i].lanes = make(map[digest]*lane)
	}
	for i := range cache.turns {
		cache.turns[i] = make(chan struct{}, c.LoadsAtOnce)
	}
	keys.Watch(cache.drop)
	return cache, nil
}

var (
	errNotMade   = unavailable(errors.New("the cache was not made by New"))
	errNoContext = unavailable(errors.New("the context is nil"))
)

func unavailable(err error) error { return fmt.Errorf("%w: %w", apikey.ErrUnavailable, err) }

// ready reports what no call can work with.
func (c *Cache) ready(ctx context.Context) error {
	switch {
	case c == nil || c.keys == nil:
		return errNotMade
	case ctx == nil:
		return errNoContext
	}
	return nil
}

// Verify returns the key that the token opens, and the errors that [apikey.Service.Verify] does. The key is
// as the store told it at most Config.MaxAge ago; [apikey.Key.LastUsedAt], which uses do not change at once
// anyway, is as of then as well.
//
// A token that is remembered is accepted without asking the store, and its use is noted and counted as any
// other. One that is not is verified by the service, once for all who present it at the same time: in a
// context of its own that outlasts the one who came first, for at most 5 seconds. A panic of the store
// is that caller's, and the others get [apikey.ErrUnavailable].
//
// What is no token of the service's format, such as one of an earlier system, is left to the service.
func (c *Cache) Verify(ctx context.Context, token string) (apikey.Key, error) {
	if err := c.ready(ctx); err != nil {
		return apikey.Key{}, err
	}
	id, err := c.format.Parse(token)
	if err != nil {
		return c.keys.Verify(ctx, token)
	}
	// A handler must not run for a client that has gone, whoever would answer.
	if err := ctx.Err(); err != nil {
		c.stats.unavailable.Add(1)
		return apikey.Key{}, unavailable(err)
	}
	sum := digestOf(token)
	a, err := c.remembered(id, &sum)
	switch {
	case err != nil:
		return apikey.Key{}, err
	case a != nil:
		return a.key, nil
	}
	return c.load(ctx, token, id, sum)
}

// elapsed is the time that the ages of answers are counted by, which no setting of a clock changes.
func (c *Cache) elapsed() time.Duration { return time.Since(c.made) }

// An instant is one as both clocks have it.
type instant struct {
	elapsed time.Duration
	wall    int64 // by the service's clock, in Unix microseconds, and 0 where it can't tell
}

func (c *Cache) instant() instant {
	i := instant{elapsed: c.elapsed()}
	if now, err := c.keys.Now(); err == nil {
		i.wall = now.UnixMicro()
	}
	return i
}
