package keycache

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opengovsg/latchkey/apikey"
)

const (
	// loadTimeout bounds a load, waiting for its turn included.
	loadTimeout = 5 * time.Second

	// joinWithin is how long after its beginning a load is joined: whoever joins a call that came to be
	// stuck is stuck with it, and should have as long again for another try.
	joinWithin = loadTimeout / 2
)

// errStopped is what came of a load that ended neither with a key nor with an error.
var errStopped = unavailable(errors.New("the verification panicked"))

const stripes = 64

// A stripe is what is under way for some of the keys. Its lock is held for moments only, and never while
// the store is asked.
type stripe struct {
	mu      sync.Mutex
	fence   atomic.Uint64 // how often one of the keys was dropped; changed under the lock
	flights map[digest]*flight
	_       [40]byte // fills a cache line
}

// stripe chooses by the end of the id, which is random.
func (c *Cache) stripe(id string) *stripe {
	n := len(id)
	return &c.stripes[(int(id[n-2])*31+int(id[n-1]))%stripes]
}

// A flight is a load, and whoever waits for it.
type flight struct {
	id    string
	sum   digest
	known bool          // the token opened a key before
	fence uint64        // of the stripe when it began
	read  time.Duration // when it began, as elapsed counts
	wall  int64         // the same by the service's clock, in Unix microseconds

	ctx    context.Context // of its own: who came first may leave
	cancel context.CancelFunc

	// Under the stripe's lock.
	before  *flight // of the same token and too old to be joined, or nil
	waiting int
	begun   bool // it has its turn

	done     chan struct{} // closed when what follows is set
	key      apikey.Key
	err      error
	panicked any
}

// flying reports whether the flight may still land in time.
func (f *flight) flying() bool {
	select {
	case <-f.done:
		return false
	default:
		return f.ctx.Err() == nil
	}
}

// load has the service verify the token, together with whoever waits for just that.
func (c *Cache) load(ctx context.Context, token, id string, sum digest) (key apikey.Key, err error) {
	key, err = c.loaded(ctx, token, id, sum)
	if err != nil && !errors.Is(err, apikey.ErrInvalid) {
		c.stats.unavailable.Add(1)
	}
	return key, err
}

func (c *Cache) loaded(ctx context.Context, token, id string, sum digest) (apikey.Key, error) {
	sh := c.stripe(id)
	for {
		b := c.board(ctx, sh, token, id, sum)
		switch {
		case b.err != nil:
			return apikey.Key{}, b.err
		case b.answer != nil:
			return b.answer.key, nil
		case b.flight != nil:
			c.stats.misses.Add(1)
			return c.await(ctx, sh, b.flight, b.joined)
		}
		select {
		case <-b.full.done:
		case <-b.full.ctx.Done():
		case <-ctx.Done():
			return apikey.Key{}, unavailable(ctx.Err())
		}
	}
}

// A boarding is how somebody gets an answer: from memory, or with a flight, or after another one.
type boarding struct {
	answer *answer
	err    error // a refusal

	flight *flight
	joined bool // and did not begin it

	full *flight // to wait for, and then look again
}

// board finds a flight for a token, or begins one. The lock is given back whatever happens: the clock is the
// application's, and may panic.
func (c *Cache) board(ctx context.Context, sh *stripe, token, id string, sum digest) boarding {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	f := sh.flights[sum]
	if f != nil {
		// One that takes longer than an answer may get old is not for who comes now; one that overlooks its
		// deadline is left to itself, and nobody waits for it or begins another.
		if c.elapsed()-f.read < min(c.maxAge, joinWithin) || f.ctx.Err() != nil {
			f.waiting++
			return boarding{flight: f, joined: true}
		}
		// Two at a time, or one key that is slow to read would take all turns there are.
		if f.before != nil && f.before.flying() {
			return boarding{full: f.before}
		}
		f.before = nil
	}
	// A flight may have landed since this was last looked at.
	if a, err := c.remembered(id, &sum); a != nil || err != nil {
		return boarding{answer: a, err: err}
	}
	next := c.newFlight(ctx, id, sum)
	next.fence, next.before = sh.fence.Load(), f
	sh.flights[sum] = next
	go c.fly(sh, next, token)
	return boarding{flight: next}
}

func (c *Cache) newFlight(ctx context.Context, id string, sum digest) *flight {
	f := &flight{id: id, sum: sum, read: c.elapsed(), waiting: 1, done: make(chan struct{})}
	f.known = c.opened.has(&sum) || c.answer(id, &sum) != nil
	if now, err := c.keys.Now(); err == nil {
		f.wall = now.UnixMicro()
	}
	f.ctx, f.cancel = context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	return f
}

// await returns what comes of a flight, for as long as the context lasts.
func (c *Cache) await(ctx context.Context, sh *stripe, f *flight, joined bool) (apikey.Key, error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		c.leave(sh, f)
	case <-f.ctx.Done():
		select {
		case <-f.done: // it ends its context when it is done
		default: // a store that overlooks its context must not hold up who waits
			return apikey.Key{}, unavailable(f.ctx.Err())
		}
	}
	if err := ctx.Err(); err != nil {
		return apikey.Key{}, unavailable(err)
	}
	switch {
	case f.panicked != nil && !joined:
		panic(f.panicked) // as it would without a cache
	case errors.Is(f.err, apikey.ErrInvalid) && joined:
		c.stats.refusals.Add(1)
	case f.err == nil && joined:
		if now, err := c.keys.Now(); err == nil {
			c.keys.NoteUse(&f.key, now)
		}
	}
	return f.key, f.err
}

// leave ends a flight that everybody left while it waited for its turn: those who gave up must neither hold
// up those who still wait, nor leave anything behind.
func (c *Cache) leave(sh *stripe, f *flight) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if f.waiting--; f.waiting > 0 || f.begun {
		return
	}
	if sh.flights[f.sum] == f {
		delete(sh.flights, f.sum)
	}
	f.cancel()
}

// fly verifies a token once it has its turn, and remembers what came of it unless the key has changed since
// it began: what it read may be of before.
func (c *Cache) fly(sh *stripe, f *flight, token string) {
	f.err = errStopped
	defer func() {
		f.panicked = recover()
		sh.mu.Lock()
		if f.fence == sh.fence.Load() {
			c.keep(f)
		}
		if sh.flights[f.sum] == f {
			delete(sh.flights, f.sum)
		}
		f.before = nil
		sh.mu.Unlock()
		close(f.done)
		f.cancel()
	}()
	turns := c.turns[0]
	if f.known {
		turns = c.turns[1] // which a flood of other tokens can't take
	}
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
	case <-f.ctx.Done():
		f.err = unavailable(f.ctx.Err())
		return
	}
	if !f.begin(sh) {
		f.err = unavailable(context.Canceled)
		return
	}
	c.stats.loads.Add(1)
	f.key, f.err = c.keys.Verify(f.ctx, token)
}

// begin reports whether anybody still waits.
func (f *flight) begin(sh *stripe) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	f.begun = f.waiting > 0
	return f.begun
}
