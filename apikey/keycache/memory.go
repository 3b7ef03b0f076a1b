package keycache

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/opengovsg/latchkey/apikey"
)

// A digest is the SHA-256 of a whole token, which stands for it wherever something is remembered: a look
// into memory, or a dump of it, yields no token.
type digest [sha256.Size]byte

func digestOf(token string) digest {
	var in [32 + 71]byte // as long as a token may be; a conversion would allocate
	n := copy(in[:], token)
	return sha256.Sum256(in[:n])
}

func (d *digest) equal(other *digest) bool {
	return subtle.ConstantTimeCompare(d[:], other[:]) == 1
}

// An answer is what a token opened. It never changes.
type answer struct {
	sum  digest
	key  apikey.Key
	read time.Duration // when the store was asked, as elapsed counts
	wall int64         // the same by the service's clock, in Unix microseconds
	ends int64         // the first instant at which the token is refused, likewise
	life time.Duration // how old the answer may get
}

// An entry holds the answers for the tokens of one key, of which a rotation leaves two: the current one's,
// and the one's before. It never changes.
type entry [2]*answer

// answer returns what is remembered of the token, however old, or nil.
func (c *Cache) answer(id string, sum *digest) *answer {
	e, ok := c.kept.GetIfPresent(id)
	if !ok {
		return nil
	}
	for _, a := range e {
		if a != nil && a.sum.equal(sum) {
			return a
		}
	}
	return nil
}

// remembered answers from memory: with what the token opens, with an error if it is refused, and with neither
// where nobody knows.
func (c *Cache) remembered(id string, sum *digest) (*answer, error) {
	if a := c.answer(id, sum); a != nil {
		if now, age, ok := c.fresh(a); ok {
			c.keys.NoteUse(&a.key, now)
			c.stats.hit(id, int(age*ages/c.maxAge))
			return a, nil
		}
	}
	return nil, c.refusal(id, sum)
}

// fresh reports whether an answer may be given now, and tells the time by the service's clock and the
// answer's age.
//
// The age is counted twice. The monotonic clock is the one that nobody can set back; but it stands still
// while a machine sleeps, or is moved to another host, and meanwhile a key may have been revoked.
func (c *Cache) fresh(a *answer) (now time.Time, age time.Duration, ok bool) {
	age = c.elapsed() - a.read
	if age >= a.life {
		return now, age, false
	}
	now, err := c.keys.Now()
	if err != nil {
		return now, age, false
	}
	at := now.UnixMicro()
	slept := at - a.wall
	return now, age, slept >= 0 && slept < a.life.Microseconds() && at < a.ends
}

// keep remembers what came of a flight, in the place of what was remembered of the same one of the key's
// two tokens. The caller holds the stripe's lock and has made sure that nothing has changed meanwhile.
func (c *Cache) keep(sh *stripe, f *flight) {
	if f.err != nil {
		c.refuse(sh, f)
		return
	}
	c.opened.add(&f.sum)
	if handover, ok := f.key.Handover(); ok && handover.Pending() && !f.key.Superseded() {
		return // its first use could not be written, and must be tried again
	}
	a := &answer{
		sum:  f.sum,
		key:  f.key,
		read: f.began.elapsed,
		wall: f.began.wall,
		ends: min(micros(f.key.ExpiresAt), micros(f.key.TokenExpiresAt())),
		life: c.maxAge - c.maxAge/8*time.Duration(f.sum[0])/256,
	}
	a.key.ID = strings.Clone(f.id) // else it might keep alive the text of the token that it is a part of
	e := c.without(f.id, &f.sum)
	if f.key.Superseded() {
		e[1] = a
	} else {
		e[0] = a
	}
	c.kept.Set(a.key.ID, &e)
}

// micros returns an end as Unix microseconds, for which the zero time never comes.
func micros(end time.Time) int64 {
	if end.IsZero() {
		return math.MaxInt64
	}
	return end.UnixMicro()
}

// refuseFor is how long a refusal is remembered at most. It bounds how long a token is refused that was
// presented before the transaction that makes it was committed.
const refuseFor = time.Second

// refusals remember tokens that were refused lately, each at a place that its digest says. A flood of
// others takes the places; it can take no more memory, and no more than the memory of refusals.
type refusals [1 << 12]atomic.Pointer[refusal]

type refusal struct {
	sum   digest
	err   apikey.RefusedError
	read  time.Duration
	fence uint64
}

func (r *refusals) place(sum *digest) *atomic.Pointer[refusal] {
	return &r[(int(sum[1])<<8|int(sum[2]))%len(r)]
}

// refusal returns with what the token was refused, if that was a moment ago and nothing is known to have
// changed since.
func (c *Cache) refusal(id string, sum *digest) error {
	r := c.refusals.place(sum).Load()
	if r == nil || !r.sum.equal(sum) || c.elapsed()-r.read >= min(refuseFor, c.maxAge) || r.fence != c.stripe(id).fence.Load() {
		return nil
	}
	c.stats.refusals.Add(1)
	err := r.err // a copy: whoever gets it may change it
	return &err
}

// refuse remembers the refusal that came of a flight, and nothing where nobody could tell. What was refused is
// not accepted again as of before.
func (c *Cache) refuse(sh *stripe, f *flight) {
	var refused *apikey.RefusedError
	if !errors.As(f.err, &refused) {
		return
	}
	c.opened.remove(&f.sum)
	if refused.Err == apikey.ErrRevoked || refused.Err == apikey.ErrExpired {
		c.kept.Invalidate(f.id) // for its other token as well, of which what was read before is not kept either
		for _, l := range sh.lanes {
			if l.id == f.id {
				l.latest = max(l.latest, f.nr)
			}
		}
	} else if e := c.without(f.id, &f.sum); e != (entry{}) {
		c.kept.Set(strings.Clone(f.id), &e)
	} else {
		c.kept.Invalidate(f.id)
	}
	c.refusals.place(&f.sum).Store(&refusal{
		sum:   f.sum,
		err:   apikey.RefusedError{KeyID: strings.Clone(refused.KeyID), Err: refused.Err},
		read:  f.began.elapsed,
		fence: f.fence,
	})
}

// without returns what is remembered of a key but for one of its tokens.
func (c *Cache) without(id string, sum *digest) (e entry) {
	if old, ok := c.kept.GetIfPresent(id); ok {
		for i, a := range old {
			if a != nil && !a.sum.equal(sum) {
				e[i] = a
			}
		}
	}
	return e
}

// opened remembers tokens that opened a key, by a part of their digests, as long as others don't take their
// places. It decides nothing but whose turn it is, so no change makes it forget: those whose answers were just
// dropped, perhaps all of them at once, must not queue with a flood.
type opened [1 << 16]atomic.Uint64

func (o *opened) place(sum *digest) (place *atomic.Uint64, part uint64) {
	return &o[binary.BigEndian.Uint16(sum[1:])], binary.BigEndian.Uint64(sum[8:])
}

func (o *opened) has(sum *digest) bool {
	place, part := o.place(sum)
	return place.Load() == part
}

func (o *opened) add(sum *digest) {
	place, part := o.place(sum)
	place.Store(part)
}

func (o *opened) remove(sum *digest) {
	place, part := o.place(sum)
	place.CompareAndSwap(part, 0)
}
