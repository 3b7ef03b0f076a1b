package keycache

import (
	"sync/atomic"
	"time"
)

// ages is how finely the ages of answers are counted.
const ages = 8

// Stats counts what a [Cache] did since it was made.
type Stats struct {
	// Hits are tokens that were accepted from memory, and Ages the same by the age of the answer: each
	// counts those of an eighth of Config.MaxAge, from the youngest to the oldest.
	Hits int64
	Ages [8]int64

	// Misses are tokens that the service was asked about, or that waited with others for its answer.
	Misses int64

	// Loads is how often the service was asked: fewer than Misses where several waited for one answer.
	Loads int64

	// Refusals are tokens that were refused from memory, or together with another call's. The service does
	// not count them, nor by which reason.
	Refusals int64

	// Unavailable are calls that nobody could tell the outcome of, those whose context ended among them. The
	// service counts those of them that it was asked for.
	Unavailable int64

	// Evictions are keys that were forgotten for lack of room: raise Config.MaxKeys where they go on.
	Evictions int64

	// Invalidations are keys that were forgotten because they were changed.
	Invalidations int64

	// FailedPolls are polls of Run that the store did not answer.
	FailedPolls int64

	// Keys is about how many keys are remembered now, and MaxAge how old an answer may be.
	Keys   int
	MaxAge time.Duration
}

// Stats returns the counts up to now. It is safe for concurrent use, and cheap enough for a metric that is
// read on demand.
func (c *Cache) Stats() Stats {
	if c == nil || c.keys == nil {
		return Stats{}
	}
	s := Stats{
		Misses:        c.stats.misses.Load(),
		Loads:         c.stats.loads.Load(),
		Refusals:      c.stats.refusals.Load(),
		Unavailable:   c.stats.unavailable.Load(),
		Evictions:     c.stats.evictions.Load(),
		Invalidations: c.stats.invalidations.Load(),
		FailedPolls:   c.stats.failedPolls.Load(),
		Keys:          c.kept.EstimatedSize(),
		MaxAge:        c.maxAge,
	}
	for i := range c.stats.hits {
		for age := range s.Ages {
			n := c.stats.hits[i][age].Load()
			s.Ages[age] += n
			s.Hits += n
		}
	}
	return s
}

type counters struct {
	// By the end of the id, so that cores do not wait for each other's cache lines, of which each
	// row fills one, and then by age.
	hits [16][ages]atomic.Int64

	misses, loads, refusals, unavailable, evictions, invalidations, failedPolls atomic.Int64
}

func (c *counters) hit(id string, age int) { c.hits[id[len(id)-1]%16][age].Add(1) }
