package memstore

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// An index is a set of ids in ascending order. A new id is nearly always the last one.
type index struct{ ids []string }

func (x *index) add(id string) {
	if n := len(x.ids); n == 0 || x.ids[n-1] < id {
		x.ids = append(x.ids, id)
		return
	}
	at, _ := slices.BinarySearch(x.ids, id)
	x.ids = slices.Insert(x.ids, at, id)
}

// descend yields the ids below the given one from the highest down, all of them if it is empty.
func (x *index) descend(below string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if x == nil {
			return
		}
		n := len(x.ids)
		if below != "" {
			n, _ = slices.BinarySearch(x.ids, below)
		}
		for _, id := range slices.Backward(x.ids[:n]) {
			if !yield(id) {
				return
			}
		}
	}
}

// List implements [store.Store].
func (s *Store) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if q.Limit < 1 {
		return nil, nil
	}
	ids := &s.all
	switch {
	case q.Alias != "":
		ids = new(index)
		if id, ok := s.aliases[q.Alias]; ok {
			ids.add(id)
		}
	case q.Owner != "":
		ids = s.owners[q.Owner]
	}
	var recs []store.Record
	for id := range ids.descend(q.After) {
		e := s.kept(id)
		if !q.Match(&e.rec) {
			continue
		}
		recs = append(recs, store.Record{})
		if e.copyTo(&recs[len(recs)-1]); len(recs) == q.Limit {
			break
		}
	}
	return recs, nil
}

// Purge implements [store.Store].
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	gone := make(map[string]*store.Record)
	for _, id := range s.all.ids {
		if len(gone) >= limit {
			break
		}
		if rec := &s.kept(id).rec; past(rec.ExpiresAt, before) || past(rec.RevokedAt, before) {
			gone[id] = rec
		}
	}
	isGone := func(id string) bool { return gone[id] != nil }
	owners := make(map[string]bool)
	for id, rec := range gone {
		sh := s.shard(id)
		sh.mu.Lock()
		delete(sh.entries, id)
		sh.mu.Unlock()
		if rec.Alias != "" {
			delete(s.aliases, rec.Alias)
		}
		owners[rec.Owner] = true
	}
	if len(gone) > 0 {
		s.all.ids = slices.DeleteFunc(s.all.ids, isGone)
	}
	for owner := range owners {
		x := s.owners[owner]
		if x.ids = slices.DeleteFunc(x.ids, isGone); len(x.ids) == 0 {
			delete(s.owners, owner)
		}
	}
	return len(gone), nil
}

// past reports whether t is a time, not never, before the given one.
func past(t, before time.Time) bool {
	return !t.IsZero() && t.Before(before)
}
