package keycache

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opengovsg/latchkey/apikey"
)

// loadTimeout bounds a load, waiting for its turn included.
const loadTimeout = 5 * time.Second

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
	known bool          // the token opened the key a short while ago
	fence uint64        // of the stripe when it began
	read  time.Duration // when it began, as elapsed counts
	wall  int64         // the same by the service's clock, in Unix microseconds

	ctx     context.Context // of its own: who came first may leave
	cancel  context.CancelFunc
	waiting int // under the stripe's lock

	done     chan struct{} // closed when what follows is set
	key      apikey.Key
	err      error
	panicked any
}

// load has the service verify the token, together with whoever waits for just that.
func (c *Cache) load(ctx context.Context, token, id string, sum digest) (apikey.Key, error) {
	sh := c.stripe(id)
	sh.mu.Lock()
	f := sh.flights[sum]
	// One that takes longer than an answer may get old is not for who comes now; one that overlooks its
	// deadline is left to itself, and nobody waits for it or begins another.
	join := f != nil && (c.elapsed()-f.read < c.maxAge || f.ctx.Err() != nil)
	if !join {
		// A flight may have landed since this was last looked at.
		a := c.answer(id, &sum)
		if a != nil {
			if now, age, ok := c.fresh(a); ok {
				sh.mu.Unlock()
				c.keys.NoteUse(&a.key, now)
				c.stats.hit(id, int(age*ages/c.maxAge))
				return a.key, nil
			}
		}
		if err := c.refusal(id, &sum); err != nil {
			sh.mu.Unlock()
			return apikey.Key{}, err
		}
		f = c.newFlight(ctx, id, sum, a != nil)
		f.fence = sh.fence.Load()
		sh.flights[sum] = f
		go c.fly(sh, f, token)
	}
	f.waiting++
	sh.mu.Unlock()
	c.stats.misses.Add(1)
	return c.await(ctx, sh, f, join)
}

func (c *Cache) newFlight(ctx context.Context, id string, sum digest, known bool) *flight {
	f := &flight{id: id, sum: sum, known: known, read: c.elapsed(), done: make(chan struct{})}
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
		sh.mu.Lock()
		f.waiting--
		sh.mu.Unlock()
	case <-f.ctx.Done():
		select {
		case <-f.done: // it ends its context when it is done
		default: // a store that overlooks its context must not hold up who waits
			return c.unavailable(f.ctx.Err())
		}
	}
	if err := ctx.Err(); err != nil {
		return c.unavailable(err)
	}
	switch {
	case f.panicked != nil && !joined:
		panic(f.panicked) // as it would without a cache
	case f.err != nil && joined && !errors.Is(f.err, apikey.ErrInvalid):
		c.stats.unavailable.Add(1)
	case f.err == nil && joined:
		if now, err := c.keys.Now(); err == nil {
			c.keys.NoteUse(&f.key, now)
		}
	}
	return f.key, f.err
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
	if c.abandoned(sh, f) {
		f.err = unavailable(context.Canceled)
		return
	}
	c.stats.loads.Add(1)
	f.key, f.err = c.keys.Verify(f.ctx, token)
}

// abandoned reports whether everybody left while the flight waited for its turn, and then keeps anybody
// else from joining: those who gave up must not hold up those who still wait.
func (c *Cache) abandoned(sh *stripe, f *flight) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if f.waiting > 0 {
		return false
	}
	if sh.flights[f.sum] == f {
		delete(sh.flights, f.sum)
	}
	return true
}
