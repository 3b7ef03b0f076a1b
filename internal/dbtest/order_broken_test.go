package dbtest

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/opengovsg/latchkey/store"
)

// broken are stores that answer like others as long as nobody else is at work.
var broken = map[string]func(store.Store) store.Store{
	"acknowledges a revocation before it writes it": func(st store.Store) store.Store { return &hasty{Store: st} },
	"answers with what it read last":                func(st store.Store) store.Store { return &stale{Store: st} },
	"overwrites whatever came in between":           func(st store.Store) store.Store { return blind{st} },
}

// A hasty store writes a revocation after the next read.
type hasty struct {
	store.Store
	mu   sync.Mutex
	owed []store.Record
}

func (s *hasty) Update(ctx context.Context, rec store.Record) error {
	if rec.RevokedAt.IsZero() {
		return s.Store.Update(ctx, rec)
	}
	kept, err := s.Store.Get(ctx, rec.ID)
	switch {
	case err != nil:
		return err
	case kept.Owner != rec.Owner:
		return store.ErrNotFound
	case kept.Version != rec.Version:
		return store.ErrConflict
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.owed = append(s.owed, rec)
	return nil
}

func (s *hasty) Get(ctx context.Context, id string) (store.Record, error) {
	rec, err := s.Store.Get(ctx, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, late := range s.owed {
		_ = s.Store.Update(context.WithoutCancel(ctx), late) // by now it may even conflict
	}
	s.owed = nil
	return rec, err
}

// A stale store answers with what it knows and then looks whether that is still so.
type stale struct {
	store.Store
	known sync.Map // id to store.Record
}

func (s *stale) Get(ctx context.Context, id string) (store.Record, error) {
	rec, err := s.Store.Get(ctx, id)
	if err != nil {
		return rec, err
	}
	if known, ok := s.known.Swap(id, rec); ok {
		return known.(store.Record), nil
	}
	return rec, nil
}

// A blind store does not look at the version.
type blind struct{ store.Store }

func (s blind) Update(ctx context.Context, rec store.Record) error {
	for {
		kept, err := s.Store.Get(ctx, rec.ID)
		if err != nil {
			return err
		}
		rec.Version = kept.Version
		if err := s.Store.Update(ctx, rec); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
}

// Get lets others come in between, which in memory they hardly ever do.
func (s blind) Get(ctx context.Context, id string) (store.Record, error) {
	rec, err := s.Store.Get(ctx, id)
	runtime.Gosched()
	return rec, err
}
