package apikey

import "sync/atomic"

// Stats counts what a [Service] did since it was made. The counts are those of this process.
type Stats struct {
	Verified int64 // tokens that opened a key

	// Tokens that were refused, by reason.
	Malformed  int64
	Unknown    int64
	Expired    int64
	Revoked    int64
	Superseded int64
	Corrupt    int64

	Unavailable int64 // verifications that nobody could tell the outcome of

	// Derived are the slow derivations that tokens of earlier systems took, whatever came of them.
	Derived int64

	// UsesDropped are uses of keys that were forgotten because the store could not take them in time.
	UsesDropped int64

	// EventsLost are events that the observer did not get, because Run does not run or is behind, or
	// at which it panicked.
	EventsLost int64
}

// Stats returns the counts up to now. It is safe for concurrent use, and cheap enough for a metric
// that is read on demand.
func (s *Service) Stats() Stats {
	if s == nil || s.stats == nil {
		return Stats{}
	}
	c := s.stats
	return Stats{
		Verified:    c.verified.sum(),
		Malformed:   c.malformed.Load(),
		Unknown:     c.unknown.Load(),
		Expired:     c.expired.Load(),
		Revoked:     c.revoked.Load(),
		Superseded:  c.superseded.Load(),
		Corrupt:     c.corrupt.Load(),
		Unavailable: c.unavailable.Load(),
		Derived:     c.derived.Load(),
		UsesDropped: s.usage.dropped.Load(),
		EventsLost:  c.eventsLost.Load(),
	}
}

type counters struct {
	verified striped

	malformed, unknown, expired, revoked, superseded, corrupt atomic.Int64

	unavailable, derived, eventsLost atomic.Int64
}

func (c *counters) refused(reason error) {
	switch reason {
	case ErrUnknown:
		c.unknown.Add(1)
	case ErrExpired:
		c.expired.Add(1)
	case ErrRevoked:
		c.revoked.Add(1)
	case ErrSuperseded:
		c.superseded.Add(1)
	case ErrCorrupt:
		c.corrupt.Add(1)
	}
}

// A striped counter spreads what every request counts over several cache lines, so that cores do not
// wait for each other.
type striped [16]struct {
	n atomic.Int64
	_ [56]byte
}

// add counts one, on a line chosen by the end of an id, which is random.
func (c *striped) add(id string) { c[id[len(id)-1]%16].n.Add(1) }

func (c *striped) sum() (n int64) {
	for i := range c {
		n += c[i].n.Load()
	}
	return n
}
