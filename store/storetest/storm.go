package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opengovsg/latchkey/store"
)

var stormRules = []rule{
	{"all-methods-at-once-stay-consistent", func(t *trial) {
		s := &storm{trial: t, kept: make(map[string]*witness)}
		errs := concurrently(8, func(worker int) error {
			rnd := rand.New(rand.NewPCG(1, uint64(worker)))
			for step := range 60 {
				if err := s.step(rnd, 1000*worker+step); err != nil {
					return err
				}
			}
			return nil
		})
		for _, err := range errs {
			t.wants("any method may be called at any time by any number of goroutines", err, nil)
		}
		s.settle()
	}},
}

const (
	stormOwners = 4
	stormCap    = 8
)

// A storm is a mix of all methods, of which every write that was acknowledged is on record.
type storm struct {
	*trial
	mu     sync.Mutex
	kept   map[string]*witness
	ids    []string
	purged int
}

// A witness is what was acknowledged about one record.
type witness struct {
	updates int64
	revoked bool
	over    bool // born expired, so that it may be purged
	used    time.Time
}

// witnessed runs f on the record of id.
func (s *storm) witnessed(id string, f func(*witness)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.kept[id])
}

// any returns the id of one of the newest records, few enough to be met by several at once, or one
// that never is created.
func (s *storm) any(rnd *rand.Rand) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ids) == 0 {
		return id(-2)
	}
	newest := s.ids[max(0, len(s.ids)-6):]
	return newest[rnd.IntN(len(newest))]
}

// step makes one call, and returns an error if it was answered as no store may answer.
func (s *storm) step(rnd *rand.Rand, n int) error {
	ctx := s.Context()
	switch chosen := s.any(rnd); rnd.IntN(6) {
	case 0:
		rec := sample(n)
		rec.Owner = fmt.Sprintf("owner %d", n%stormOwners)
		over := n%3 == 0
		if over {
			rec.ExpiresAt = now.Add(-time.Hour)
		}
		err := s.st.Create(ctx, rec, stormCap)
		if err == nil {
			s.mu.Lock()
			s.kept[rec.ID] = &witness{over: over}
			s.ids = append(s.ids, rec.ID)
			s.mu.Unlock()
		}
		return allow(err, store.ErrLimit)
	case 1:
		rec, err := s.st.Get(ctx, chosen)
		if err == nil && rec.ID != chosen {
			return fmt.Errorf("Get returned the record %q for %q", rec.ID, chosen)
		}
		return allow(err, store.ErrNotFound)
	case 2:
		recs, err := s.st.List(ctx, store.Query{Owner: fmt.Sprintf("owner %d", n%stormOwners), Limit: 20})
		newest := func(a, b store.Record) int { return strings.Compare(b.ID, a.ID) }
		if !slices.IsSortedFunc(recs, newest) || len(recs) > 20 {
			return fmt.Errorf("List returned %d records for a limit of 20, or out of order", len(recs))
		}
		return err
	case 3:
		rec, err := s.st.Get(ctx, chosen)
		if err != nil {
			return allow(err, store.ErrNotFound)
		}
		if n%4 == 0 {
			rec.RevokedAt = now
		}
		rec.Label = fmt.Sprintf("label %d", n)
		if err = s.st.Update(ctx, rec); err == nil {
			s.witnessed(chosen, func(w *witness) {
				w.updates++
				w.revoked = w.revoked || n%4 == 0
			})
		}
		return allow(err, store.ErrConflict, store.ErrNotFound)
	case 4:
		use := store.Use{ID: chosen, At: now.Add(time.Duration(rnd.IntN(1000)) * time.Second)}
		err := s.st.Touch(ctx, []store.Use{use, {ID: id(-1), At: now}})
		if err == nil {
			s.witnessed(chosen, func(w *witness) {
				if w != nil && use.At.After(w.used) {
					w.used = use.At
				}
			})
		}
		return err
	default:
		count, err := s.st.Purge(ctx, now, 2)
		s.mu.Lock()
		s.purged += count
		s.mu.Unlock()
		return err
	}
}

// settle compares what the store keeps after the storm with what it acknowledged during it.
func (s *storm) settle() {
	s.Helper()
	recs := s.all()
	if len(recs) != len(s.ids)-s.purged {
		s.Errorf("no write is lost among others; %d records were created, %d purged, and %d are kept", len(s.ids), s.purged, len(recs))
	}
	kept := make(map[string]bool)
	active := make(map[string]int)
	for _, rec := range recs {
		kept[rec.ID] = true
		s.same("Get and List return the same", s.get(rec.ID), rec)
		if rec.Active(now) {
			active[rec.Owner]++
		}
		w := s.kept[rec.ID]
		if w == nil {
			s.Errorf("only Create creates a record; %q is kept, and its Create was not acknowledged", rec.ID)
			continue
		}
		want := rec
		want.Version, want.LastUsedAt = 1+w.updates, w.used
		s.same("Version counts the updates acknowledged and LastUsedAt is the latest use acknowledged", rec, want)
		if revoked := !rec.RevokedAt.IsZero(); revoked != w.revoked {
			s.Errorf("a revocation that was acknowledged holds, and nothing else revokes; %q is revoked: %v", rec.ID, revoked)
		}
	}
	for id, w := range s.kept {
		if !kept[id] && !w.over {
			s.Errorf("Purge deletes no record that is active or was revoked later; %q is gone", id)
		}
	}
	for owner, n := range active {
		if n > stormCap {
			s.Errorf("concurrent calls of Create never exceed max together; %q has %d active records of %d", owner, n, stormCap)
		}
	}
}

// allow drops err if it is one of the decisions given.
func allow(err error, decisions ...error) error {
	for _, d := range decisions {
		if errors.Is(err, d) {
			return nil
		}
	}
	return err
}
