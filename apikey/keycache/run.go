package keycache

import (
	"context"
	"maps"
	"time"
)

const (
	// overlap is how much further than to the last poll each one looks back. It makes up for clocks that
	// differ, and for writes that are seen some time after the instant that they are marked with.
	overlap = 30 * time.Second

	// pollTimeout keeps a store that hangs until its context ends from stopping polls for good.
	pollTimeout = 5 * time.Second

	// maxChanges is how many new changes a poll takes. Where there are more, nothing is remembered any longer.
	maxChanges = 20_000

	// maxChangesSeen is how many it reads in all, most of which the polls before have seen.
	maxChangesSeen = 10 * maxChanges
)

// Forget drops what is remembered of the key with that id, or of all keys if it is empty, as a change in
// this process does. It is for changes that the service does not see happen: once a transaction of the
// application's is committed, or when the database itself tells of one.
func (c *Cache) Forget(id string) {
	if c.ready(context.Background()) == nil {
		c.drop(id)
	}
}

// drop forgets a key, or all of them, and keeps what is being read from being remembered and from whoever
// comes from now on.
func (c *Cache) drop(id string) {
	switch {
	case id == "":
		c.dropAll()
	case len(id) >= 2: // else it is no id
		sh := c.stripe(id)
		sh.mu.Lock()
		defer sh.mu.Unlock()
		sh.fence.Add(1)
		for _, l := range sh.lanes {
			if l.id == id {
				l.newest = nil
			}
		}
		if _, held := c.kept.Invalidate(id); held {
			c.stats.invalidations.Add(1)
		}
	}
}

// dropAll holds all the locks, or what is remembered meanwhile could carry over what was remembered of another
// token of its key before.
func (c *Cache) dropAll() {
	for i := range c.stripes {
		sh := &c.stripes[i]
		sh.mu.Lock()
		defer sh.mu.Unlock()
		sh.fence.Add(1)
		for _, l := range sh.lanes {
			l.newest = nil
		}
	}
	c.stats.invalidations.Add(int64(c.kept.EstimatedSize()))
	c.kept.InvalidateAll()
}

// Run asks the store, every Config.PollEvery, which keys were changed, by whatever process, and forgets
// them. It returns nil when ctx ends. A poll that fails is made up for by the next one, and counted in
// [Stats]; until then changes in other processes take effect within Config.MaxAge, as without Run.
// Start it once, beside the server:
//
//	go cache.Run(ctx)
//
// Run fails only where the Cache was not made by [New], or ctx is nil, with [apikey.ErrUnavailable].
func (c *Cache) Run(ctx context.Context) error {
	if err := c.ready(ctx); err != nil {
		return err
	}
	ticker := time.NewTicker(c.pollEvery)
	defer ticker.Stop()
	var seen map[string]int64
	last := c.instant()
	last.elapsed -= c.maxAge // for what was remembered before
	last.wall -= c.maxAge.Microseconds()
	for ctx.Err() == nil {
		began := c.instant()
		// By the clock that says more, as with answers: a suspended machine's monotonic clock stands still
		// while keys are revoked. What changed before the oldest answer was read is in it.
		slept := time.Duration(max(0, min(began.wall-last.wall, c.maxAge.Microseconds()))) * time.Microsecond
		within := min(max(began.elapsed-last.elapsed, slept), c.maxAge) + overlap
		now, err := c.poll(ctx, within, seen)
		switch {
		case err == nil:
			seen, last = now, began
		case ctx.Err() == nil:
			c.stats.failedPolls.Add(1)
			if len(seen) >= maxChangesSeen || seen == nil {
				seen = now
			} else {
				maps.Copy(seen, now) // what it came to see was forgotten, and need not be again
			}
		}
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	return nil
}

// poll forgets the keys that were changed within that time, but for changes seen before, and returns the
// changes that it saw, also on an error: the versions by id. The time alone would not tell what is new, since
// a clock that is behind marks a change with the time of the one before.
func (c *Cache) poll(ctx context.Context, within time.Duration, seen map[string]int64) (map[string]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	now, changes := make(map[string]int64, len(seen)), 0
	for change, err := range c.keys.Changed(ctx, within) {
		if err != nil {
			return now, err
		}
		isNew := seen[change.ID] != change.Version
		if isNew {
			changes++
		}
		if changes > maxChanges || len(now) == maxChangesSeen {
			c.drop("") // and no more is read, of what may be a million
			return now, nil
		}
		now[change.ID] = change.Version
		if isNew {
			c.drop(change.ID)
		}
	}
	return now, nil
}
