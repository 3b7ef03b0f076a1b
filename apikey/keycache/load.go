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
	// loadTimeout bounds a load, waiting for its turn included, and how long anybody waits in all.
	loadTimeout = 5 * time.Second

	// joinWithin is how long after its beginning a load is joined: whoever joins a call that came to be
	// stuck is stuck with it, and should have as long again for another try.
	joinWithin = loadTimeout / 2

	// maxFlights is how many loads of one token are under way at most, however long each takes and whether
	// or not its answer is still good for anybody. One key that is slow to read must not take all turns.
	maxFlights = 2
)

var (
	// errStopped is what came of a load that ended neither with a key nor with an error.
	errStopped = unavailable(errors.New("the verification panicked"))

	// errOverdue is what comes of a load that overlooks its deadline, for whoever would wait for it.
	errOverdue = unavailable(context.DeadlineExceeded)
)

const stripes = 64

// A stripe is what is under way for some of the keys. Its lock is held for moments only, and never while
// the store is asked. What is remembered of a key changes under the lock of its stripe.
type stripe struct {
	mu    sync.Mutex
	fence atomic.Uint64 // how often one of the keys was dropped; changed under the lock
	began uint64        // how many flights did
	lanes map[digest]*lane
	_     [32]byte // fills a cache line
}

// stripe chooses by the end of the id, which is random.
func (c *Cache) stripe(id string) *stripe {
	n := len(id)
	return &c.stripes[(int(id[n-2])*31+int(id[n-1]))%stripes]
}

// A lane is what is under way for one token, under the stripe's lock. It is there as long as a flight is.
type lane struct {
	id     string
	newest *flight       // which others may join, or nil
	flying int           // all that have not landed
	latest uint64        // the number of the latest flight of which it is known what came of it
	landed chan struct{} // closed when the next one lands
}

// A flight is a load, and whoever waits for it.
type flight struct {
	id    string
	sum   digest
	known bool   // the token opened a key before
	fence uint64 // of the stripe when it began
	nr    uint64 // it was the stripe's so manieth
	began instant

	ctx    context.Context // of its own: who came first may leave
	cancel context.CancelFunc

	waiting int  // under the stripe's lock
	begun   bool // it has its turn, likewise

	done     chan struct{} // closed when what follows is set
	key      apikey.Key
	err      error
	panicked any
}

// load has the service verify the token, together with whoever waits for just that.
func (c *Cache) load(ctx context.Context, token, id string, sum digest) (key apikey.Key, err error) {
	c.stats.misses.Add(1)
	key, err = c.loaded(ctx, token, id, sum)
	if err != nil && !errors.Is(err, apikey.ErrInvalid) {
		c.stats.unavailable.Add(1)
	}
	return key, err
}

func (c *Cache) loaded(ctx context.Context, token, id string, sum digest) (apikey.Key, error) {
	sh := c.stripe(id)
	for waited, again := false, false; ; {
		b := c.board(ctx, sh, token, id, sum)
		switch {
		case b.err != nil:
			return apikey.Key{}, b.err
		case b.answer != nil:
			return b.answer.key, nil
		case b.full != nil:
			if !waited {
				waited = true
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, loadTimeout)
				defer cancel()
			}
			select {
			case <-b.full:
			case <-ctx.Done():
				return apikey.Key{}, unavailable(ctx.Err())
			}
			continue
		}
		key, err := c.await(ctx, sh, b.flight, b.joined)
		if b.joined && errors.Is(err, apikey.ErrInvalid) {
			if !again && c.elapsed()-b.flight.began.elapsed >= refuseFor {
				again = true
				continue // it was read for longer ago than a refusal is remembered
			}
			c.stats.refusals.Add(1)
		}
		return key, err
	}
}

// A boarding is how somebody gets an answer: from memory, or with a flight, or once another one has landed.
type boarding struct {
	answer *answer
	err    error

	flight *flight
	joined bool // and did not begin it

	full <-chan struct{} // to wait for, and then look again
}

// board finds a flight for a token, or begins one. The lock is given back whatever happens: the clock is the
// application's, and may panic.
func (c *Cache) board(ctx context.Context, sh *stripe, token, id string, sum digest) boarding {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := c.instant() // under the lock, so that nobody finds a flight of the future
	l := sh.lanes[sum]
	if l != nil && l.newest != nil {
		f := l.newest
		if f.ctx.Err() != nil {
			// A store that overlooks its deadline: the call is left to itself, and no other one is made.
			return boarding{err: errOverdue}
		}
		// One that takes longer than an answer may get old, by either clock, is not for who comes now.
		slept := now.wall - f.began.wall
		if now.elapsed-f.began.elapsed < min(c.maxAge, joinWithin) && 0 <= slept && slept < c.maxAge.Microseconds() {
			f.waiting++
			return boarding{flight: f, joined: true}
		}
	}
	// A flight may have landed since this was last looked at.
	if a, err := c.remembered(id, &sum); a != nil || err != nil {
		return boarding{answer: a, err: err}
	}
	if l != nil && l.flying == maxFlights {
		return boarding{full: l.landed}
	}
	if l == nil {
		l = &lane{id: id, landed: make(chan struct{})}
		sh.lanes[sum] = l
	}
	sh.began++
	f := &flight{
		id:      id,
		sum:     sum,
		known:   c.opened.has(&sum) || c.answer(id, &sum) != nil,
		fence:   sh.fence.Load(),
		nr:      sh.began,
		began:   now,
		waiting: 1,
		done:    make(chan struct{}),
	}
	f.ctx, f.cancel = context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
	l.newest = f
	l.flying++
	go c.fly(sh, f, token)
	return boarding{flight: f}
}

// await returns what comes of a flight, for as long as the context lasts.
func (c *Cache) await(ctx context.Context, sh *stripe, f *flight, joined bool) (apikey.Key, error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		sh.leave(f)
	case <-f.ctx.Done():
		select {
		case <-f.done: // it ends its context when it is done
		default: // a store that overlooks its context must not hold up who waits
			return apikey.Key{}, errOverdue
		}
	}
	if err := ctx.Err(); err != nil {
		return apikey.Key{}, unavailable(err)
	}
	if f.panicked != nil && !joined {
		panic(f.panicked) // as it would without a cache
	}
	if f.err == nil && joined {
		if now, err := c.keys.Now(); err == nil {
			c.keys.NoteUse(&f.key, now)
		}
	}
	return f.key, f.err
}

// leave ends a flight that everybody left while it waited for its turn: those who gave up must neither hold
// up those who still wait, nor leave anything behind.
func (sh *stripe) leave(f *flight) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if f.waiting--; f.waiting > 0 || f.begun {
		return
	}
	if l := sh.lanes[f.sum]; l != nil && l.newest == f {
		l.newest = nil
	}
	f.cancel()
}

// begin reports whether anybody still waits.
func (sh *stripe) begin(f *flight) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	f.begun = f.waiting > 0
	return f.begun
}

// fly verifies a token once it has its turn.
func (c *Cache) fly(sh *stripe, f *flight, token string) {
	f.err = errStopped
	defer func() {
		f.panicked = recover()
		c.land(sh, f)
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
	if !sh.begin(f) {
		f.err = unavailable(context.Canceled)
		return
	}
	c.stats.loads.Add(1)
	f.key, f.err = c.keys.Verify(f.ctx, token)
}

// land remembers what came of a flight, unless the key has changed since it began, or one that began later has
// landed before: what it read may be of before.
func (c *Cache) land(sh *stripe, f *flight) {
	sh.mu.Lock()
	l := sh.lanes[f.sum]
	if f.fence == sh.fence.Load() && f.nr > l.latest {
		c.keep(sh, f)
		l.latest = f.nr
	}
	if l.newest == f {
		l.newest = nil
	}
	if l.flying--; l.flying == 0 {
		delete(sh.lanes, f.sum)
	}
	close(l.landed)
	l.landed = make(chan struct{})
	sh.mu.Unlock()
	close(f.done)
	f.cancel()
}
