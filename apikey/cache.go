package apikey

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// What follows is for a cache in front of a Service, such as that of package keycache: to hear of changes
// in this process and in others, and to answer as Verify does.

// Watch has changed called with the id of a key whenever a call of the service, or of one that WithStore
// made of it, has written the key or was to write it, before that call returns: also where it failed, since
// the store may have done what it was asked all the same, and where there was nothing left to write, since
// another process may have done it. An empty id stands for any keys, which Purge deletes.
// What a transaction of the application's writes it hears of before the commit, and not then.
//
// It is called for as long as the service exists, by several goroutines at once. It must be quick, must not
// panic and must not call the service.
func (s *Service) Watch(changed func(id string)) {
	if s == nil || s.watchers == nil {
		return
	}
	s.watchers.mu.Lock()
	defer s.watchers.mu.Unlock()
	s.watchers.all = append(s.watchers.all, changed)
}

type watchers struct {
	mu  sync.RWMutex
	all []func(id string) // only ever appended to
}

func (w *watchers) any() bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return len(w.all) > 0
}

func (w *watchers) tell(id string) {
	w.mu.RLock()
	all := w.all
	w.mu.RUnlock()
	for _, changed := range all {
		changed(id)
	}
}

// create, update and change are all the ways in which the service writes single records. Watchers are told
// before anybody can know what came of it, also if the store panics.
func (s *Service) create(ctx context.Context, rec store.Record) error {
	defer s.watchers.tell(rec.ID)
	return s.store.Create(ctx, rec, s.maxPerOwner)
}

func (s *Service) update(ctx context.Context, rec store.Record) error {
	defer s.watchers.tell(rec.ID)
	return s.store.Update(ctx, rec)
}

// Now returns the time by Config.Now, in UTC, by which keys expire. It fails with [ErrUnavailable] where
// that tells a time before 1970 or after 9000.
func (s *Service) Now() (time.Time, error) {
	if s == nil || s.now == nil {
		return time.Time{}, errNotMade
	}
	return s.clock()
}

// NoteUse notes and counts that the token of a key, which Verify has returned before, was accepted again at
// that time, as Verify does itself. It writes nothing; see [Service.Run].
func (s *Service) NoteUse(key *Key, at time.Time) {
	if s == nil || s.usage == nil || len(key.ID) != idLen {
		return
	}
	s.usage.note(key.ID, key.LastUsedAt(), at)
	s.stats.verified.add(key.ID)
}

// A Change names a key and counts how often it was written.
type Change struct {
	ID      string
	Version int64 // from 1, for what Issue wrote
}

// Changed iterates over the keys under the service's prefix that were written within that time before now,
// newest key first, each once. What is purged is left out, and so is the noting of uses. It reads a page at
// a time; an error, which wraps [ErrUnavailable], is yielded once, and ends it.
//
// Each instance writes its own time, when a change began. So whoever asks again and again should look back
// further than to the last time, by as much as clocks may differ and a write may take, and tell by Version
// what is new: a change that comes after another keeps its time where the second clock is behind.
func (s *Service) Changed(ctx context.Context, within time.Duration) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		err := s.ready(ctx)
		var now time.Time
		if err == nil {
			now, err = s.clock()
		}
		if err != nil {
			yield(Change{}, err)
			return
		}
		for rec, err := range s.records(ctx, store.Query{ChangedSince: storable(now.Add(-within))}) {
			if err != nil {
				yield(Change{}, err)
				return
			}
			if !yield(Change{rec.ID, rec.Version}, nil) {
				return
			}
		}
	}
}
