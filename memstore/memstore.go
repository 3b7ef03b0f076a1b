// Package memstore keeps keys in memory: for tests, for tools, and for services that load their
// keys at start. It is the reference for what a store does; nothing survives the process.
package memstore

import (
	"context"
	"sync"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// shardCount spreads reads over locks, so that verifications on several cores do not meet on one.
const shardCount = 64

// A Store is a [store.Store] in memory. The zero value is an empty store ready for use. It starts no
// goroutine, needs no closing, and must not be copied after first use.
//
// Get takes constant time and allocates nothing. List by Owner or by Alias walks an index. All other
// lists, and Purge, walk every record.
type Store struct {
	shards [shardCount]shard

	// mu orders the writers and guards the indexes. A record changes only with both mu and its
	// shard's lock held, so holding either is enough to read it.
	mu      sync.RWMutex
	all     index
	owners  map[string]*index
	aliases map[string]string
}

var _ store.Store = (*Store)(nil)

type shard struct {
	mu      sync.RWMutex
	entries map[string]*entry
	_       [32]byte // fills a cache line, so that neighbouring locks do not slow each other
}

// An entry is a record, with the hashes behind pointers to strings: package fmt follows pointers to
// structs in places, and never those.
type entry struct {
	rec         store.Record // without its hashes
	hash, prior *string
}

func newEntry(rec store.Record) *entry {
	hash, prior := string(rec.Hash), string(rec.PriorHash)
	rec.Hash, rec.PriorHash = "", ""
	return &entry{rec, &hash, &prior}
}

// copyTo writes the record to where it is wanted: a record is large, and every hand it passes through
// is a copy.
func (e *entry) copyTo(rec *store.Record) {
	*rec = e.rec
	rec.Hash, rec.PriorHash = store.Hash(*e.hash), store.Hash(*e.prior)
}

// shard picks by the end of the id, which is random.
func (s *Store) shard(id string) *shard {
	n := uint(len(id))
	if n >= 2 {
		n = uint(id[n-1])*31 + uint(id[n-2])
	}
	return &s.shards[n%shardCount]
}

// Get implements [store.Store]. It allocates nothing.
func (s *Store) Get(ctx context.Context, id string) (rec store.Record, err error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, err
	}
	sh := s.shard(id)
	sh.mu.RLock()
	e := sh.entries[id]
	sh.mu.RUnlock()
	if e == nil {
		return store.Record{}, store.ErrNotFound
	}
	e.copyTo(&rec) // an entry is never changed, only replaced
	return rec, nil
}

// Create implements [store.Store].
func (s *Store) Create(ctx context.Context, rec store.Record, max int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.kept(rec.ID) != nil {
		return store.ErrExists
	}
	if rec.Alias != "" {
		if _, taken := s.aliases[rec.Alias]; taken {
			return store.ErrExists
		}
	}
	if max > 0 && s.full(rec.Owner, rec.UpdatedAt, max) {
		return store.ErrLimit
	}

	rec.Version = 1
	sh := s.shard(rec.ID)
	sh.mu.Lock()
	if sh.entries == nil {
		sh.entries = make(map[string]*entry)
	}
	sh.entries[rec.ID] = newEntry(rec)
	sh.mu.Unlock()

	s.all.add(rec.ID)
	if s.owners == nil {
		s.owners = make(map[string]*index)
		s.aliases = make(map[string]string)
	}
	if s.owners[rec.Owner] == nil {
		s.owners[rec.Owner] = new(index)
	}
	s.owners[rec.Owner].add(rec.ID)
	if rec.Alias != "" {
		s.aliases[rec.Alias] = rec.ID
	}
	return nil
}

// full reports whether the owner has max active records. The caller holds s.mu.
func (s *Store) full(owner string, at time.Time, max int) bool {
	active := 0
	for id := range s.owners[owner].descend("") {
		if s.kept(id).rec.Active(at) {
			if active++; active >= max {
				return true
			}
		}
	}
	return false
}

// Update implements [store.Store].
func (s *Store) Update(ctx context.Context, rec store.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	e := s.kept(rec.ID)
	if e == nil || e.rec.Owner != rec.Owner {
		return store.ErrNotFound
	}
	kept := &e.rec
	if kept.Version != rec.Version {
		return store.ErrConflict
	}
	if rec.Alias != kept.Alias && !s.move(rec.ID, kept.Alias, rec.Alias) {
		return store.ErrExists
	}
	rec.Prefix, rec.CreatedAt, rec.LastUsedAt = kept.Prefix, kept.CreatedAt, kept.LastUsedAt
	rec.Version++
	s.replace(newEntry(rec))
	return nil
}

// move gives a record another alias, either of which may be empty, and reports false where it is
// taken. The caller holds s.mu.
func (s *Store) move(id, from, to string) bool {
	if to != "" {
		if _, taken := s.aliases[to]; taken {
			return false
		}
		s.aliases[to] = id
	}
	if from != "" {
		delete(s.aliases, from)
	}
	return true
}

// Touch implements [store.Store].
func (s *Store) Touch(ctx context.Context, uses []store.Use) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, use := range uses {
		if e := s.kept(use.ID); e != nil && use.At.After(e.rec.LastUsedAt) {
			touched := *e
			touched.rec.LastUsedAt = use.At
			s.replace(&touched)
		}
	}
	return nil
}

// kept returns the entry with the id, or nil. The caller holds s.mu.
func (s *Store) kept(id string) *entry {
	return s.shard(id).entries[id]
}

// replace puts e in the place of the entry with its id. The caller holds s.mu for writing.
func (s *Store) replace(e *entry) {
	sh := s.shard(e.rec.ID)
	sh.mu.Lock()
	sh.entries[e.rec.ID] = e
	sh.mu.Unlock()
}
