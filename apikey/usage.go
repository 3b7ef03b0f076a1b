package apikey

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opengovsg/latchkey/store"
)

const (
	defaultLastUsedEvery = time.Minute
	minLastUsedEvery     = time.Second
	maxLastUsedEvery     = 24 * time.Hour

	// usesPerTouch is how many uses go to the store in one batch.
	usesPerTouch = 500

	usageShards = 16
	maxUses     = 1 << 17 // of about a hundred bytes each
)

// usage remembers when keys were used until that is written. It is bounded: where the store can't take
// what is remembered, the oldest goes first.
type usage struct {
	every   time.Duration
	dropped atomic.Int64
	shards  [usageShards]usageShard
}

type usageShard struct {
	mu sync.Mutex
	// Arrays and integers hold no pointers: nothing here keeps a request's token alive, and there is
	// nothing for the garbage collector to look through.
	uses   map[usedID]int64 // Unix microseconds
	order  []usedID         // the keys as they were noted, in a ring once there is no more room
	oldest int              // where in order the one first noted is
	_      [16]byte         // fills a cache line
}

type usedID [idLen]byte

// note remembers a use of the key, unless one was recorded or remembered within the granularity, and
// reports whether it did.
func (u *usage) note(id string, recorded, now time.Time) bool {
	if now.Sub(recorded) < u.every {
		return false
	}
	var key usedID
	copy(key[:], id)
	at := now.UnixMicro()
	sh := &u.shards[key[idLen-1]%usageShards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	noted, ok := sh.uses[key]
	if ok && at-noted < u.every.Microseconds() {
		return false
	}
	if !ok {
		if sh.uses == nil {
			sh.uses = make(map[usedID]int64)
		}
		if len(sh.order) < maxUses/usageShards {
			sh.order = append(sh.order, key)
		} else {
			delete(sh.uses, sh.order[sh.oldest])
			sh.order[sh.oldest] = key
			sh.oldest = (sh.oldest + 1) % len(sh.order)
			u.dropped.Add(1)
		}
	}
	sh.uses[key] = at
	return true
}

// take returns what is remembered and forgets it.
func (u *usage) take() []store.Use {
	var uses []store.Use
	for i := range u.shards {
		sh := &u.shards[i]
		sh.mu.Lock()
		for _, key := range sh.noted() {
			uses = append(uses, store.Use{ID: string(key[:]), At: time.UnixMicro(sh.uses[key]).UTC()})
		}
		sh.uses, sh.order, sh.oldest = nil, nil, 0
		sh.mu.Unlock()
	}
	return uses
}

// restore remembers again what could not be written, as older than what was noted meanwhile, and as far
// as there is room.
func (u *usage) restore(uses []store.Use) {
	var shards [usageShards][]store.Use
	for _, use := range uses {
		n := use.ID[idLen-1] % usageShards
		shards[n] = append(shards[n], use)
	}
	for i, older := range shards {
		u.shards[i].restore(older, &u.dropped)
	}
}

func (sh *usageShard) restore(older []store.Use, dropped *atomic.Int64) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	older = slices.DeleteFunc(older, func(use store.Use) bool {
		_, ok := sh.uses[usedID([]byte(use.ID))]
		return ok
	})
	if over := len(older) + len(sh.order) - maxUses/usageShards; over > 0 {
		older = older[over:]
		dropped.Add(int64(over))
	}
	if sh.uses == nil {
		sh.uses = make(map[usedID]int64, len(older))
	}
	order := make([]usedID, 0, len(older)+len(sh.order))
	for _, use := range older {
		key := usedID([]byte(use.ID))
		sh.uses[key] = use.At.UnixMicro()
		order = append(order, key)
	}
	sh.order, sh.oldest = append(order, sh.noted()...), 0
}

// noted returns the keys from the first noted to the last.
func (sh *usageShard) noted() []usedID {
	return slices.Concat(sh.order[sh.oldest:], sh.order[:sh.oldest])
}

// Flush writes to the store when keys were last used, in batches, and returns once that is done. What
// could not be written is remembered and goes with the next Flush. It fails with [ErrUnavailable].
//
// [Service.Run] calls it. It is for programs that end without Run, and for tests.
func (s *Service) Flush(ctx context.Context) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	uses := s.usage.take()
	for len(uses) > 0 {
		n := min(len(uses), usesPerTouch)
		if err := s.store.Touch(ctx, uses[:n]); err != nil {
			s.usage.restore(uses)
			return unavailable(err)
		}
		uses = uses[n:]
	}
	return nil
}
