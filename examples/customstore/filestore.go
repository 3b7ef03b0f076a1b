// Package filestore is an example of a store of one's own: a [store.Store] that keeps keys in one
// file. It is written against package store alone, and package storetest holds it to the contract.
// Nothing in it is fast: the whole file is in memory, and lists and creations walk all of it.
//
// The methods are short. What is hard about a store is this:
//
//   - What was acknowledged must be there after a crash; a revocation that is lost opens a door
//     again. So a write is on the disk before memory changes, and before anybody hears of it.
//   - A write is done or not done. So one write is one line, and a last line without its newline,
//     which was never acknowledged, counts for nothing.
//   - Other damage must not pass for that. A line that was skipped may have been a revocation, so
//     a file with a line that can't be read is not opened.
//   - After a failed write nobody knows how the file ends, and a line added to half a line would be
//     lost with it. So nothing is written any more, and only reads are answered.
//   - Deciding and writing are one step: the cap, the version and what may be purged are looked at
//     under the lock under which the write is made.
//   - The contract holds among processes too. Here a second one is locked out.
//   - A record refuses to be marshalled, because of its hash, which is bytes and no text.
//
// The file is kept at mode 0600. It grows with every write, and what was purged stays in it, until
// it is opened the next time.
package filestore

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// A Store is a [store.Store] in a file. Make one with [Open]. It is safe for concurrent use.
type Store struct {
	mu sync.RWMutex

	recs   map[string]store.Record // what the file says
	path   string
	noSync bool
	lock   *os.File
	file   *os.File // nil when closed
	failed error    // of the write after which nothing can be written any more
}

var _ store.Store = (*Store)(nil)

// Format implements [fmt.Formatter] with the path alone: fmt prints what is inside a struct without
// asking it, hashes too.
func (s *Store) Format(f fmt.State, _ rune) { io.WriteString(f, "filestore "+s.path) }

// ready reports why a call can't be answered. The caller holds s.mu.
func (s *Store) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.file == nil {
		// Memory still has an answer, and whoever opened the file since may know better.
		return fmt.Errorf("filestore: %s: %w", s.path, os.ErrClosed)
	}
	return nil
}

// Create implements [store.Store].
func (s *Store) Create(ctx context.Context, rec store.Record, max int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	if _, taken := s.recs[rec.ID]; taken {
		return store.ErrExists
	}
	if s.taken(rec.Alias) {
		return store.ErrExists
	}
	if max > 0 {
		active := 0
		for _, kept := range s.recs {
			if kept.Owner == rec.Owner && kept.Active(rec.UpdatedAt) {
				active++
			}
		}
		if active >= max {
			return store.ErrLimit
		}
	}
	rec.Version = 1
	return s.write(entry{Put: []row{rowOf(rec)}})
}

// taken reports whether a record has the alias. The caller holds s.mu.
func (s *Store) taken(alias string) bool {
	if alias == "" {
		return false
	}
	for _, kept := range s.recs {
		if kept.Alias == alias {
			return true
		}
	}
	return false
}

// Get implements [store.Store].
func (s *Store) Get(ctx context.Context, id string) (store.Record, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.ready(ctx); err != nil {
		return store.Record{}, err
	}
	rec, ok := s.recs[id]
	if !ok {
		return store.Record{}, store.ErrNotFound
	}
	return rec, nil
}

// List implements [store.Store].
func (s *Store) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	var recs []store.Record
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(s.recs))) {
		if len(recs) >= q.Limit {
			break
		}
		if rec := s.recs[id]; q.Match(&rec) {
			recs = append(recs, rec)
		}
	}
	return recs, nil
}

// Update implements [store.Store].
func (s *Store) Update(ctx context.Context, rec store.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	kept, ok := s.recs[rec.ID]
	if !ok || kept.Owner != rec.Owner {
		return store.ErrNotFound
	}
	if kept.Version != rec.Version {
		return store.ErrConflict
	}
	if rec.Alias != kept.Alias && s.taken(rec.Alias) {
		return store.ErrExists
	}
	rec.Prefix, rec.CreatedAt, rec.LastUsedAt = kept.Prefix, kept.CreatedAt, kept.LastUsedAt
	rec.Version++
	return s.write(entry{Put: []row{rowOf(rec)}})
}

// Touch implements [store.Store].
func (s *Store) Touch(ctx context.Context, uses []store.Use) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return err
	}
	latest := make(map[string]time.Time)
	for _, use := range uses {
		if kept, ok := s.recs[use.ID]; ok && use.At.After(kept.LastUsedAt) && use.At.After(latest[use.ID]) {
			latest[use.ID] = use.At
		}
	}
	var e entry
	for id, at := range latest {
		rec := s.recs[id]
		rec.LastUsedAt = at
		e.Put = append(e.Put, rowOf(rec))
	}
	return s.write(e)
}

// Purge implements [store.Store].
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	past := func(t time.Time) bool { return !t.IsZero() && t.Before(before) }
	var e entry
	for id, rec := range s.recs {
		if len(e.Delete) >= limit {
			break
		}
		if past(rec.ExpiresAt) || past(rec.RevokedAt) {
			e.Delete = append(e.Delete, id)
		}
	}
	if err := s.write(e); err != nil {
		return 0, err
	}
	return len(e.Delete), nil
}
