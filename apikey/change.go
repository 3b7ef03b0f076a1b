package apikey

import (
	"context"
	"errors"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// maxSwaps bounds how often a change is tried again on a record that others keep changing. Each
// failed try is somebody else's success.
const maxSwaps = 100

// errUnchanged tells change to leave the record as it is.
var errUnchanged = errors.New("unchanged")

// load reads the record of a key for its owner.
func (s *Service) load(ctx context.Context, ref Ref) (store.Record, error) {
	if err := s.ready(ctx); err != nil {
		return store.Record{}, err
	}
	if !ref.anyOwner {
		if err := checkOwner(ref.Owner); err != nil {
			return store.Record{}, err
		}
	}
	if !validID(ref.ID) {
		return store.Record{}, ErrNotFound
	}
	rec, err := s.store.Get(ctx, ref.ID)
	switch {
	case err != nil:
		return store.Record{}, fromStore(err)
	case rec.ID != ref.ID || rec.Owner == "":
		return store.Record{}, unavailable(errWrongRecord)
	case rec.Prefix != s.format.prefix, !ref.anyOwner && rec.Owner != ref.Owner:
		return store.Record{}, ErrNotFound
	}
	return rec, nil
}

// change applies a change to a record, again if it changed in between, and returns the key as kept. Watchers
// are told whatever comes of it.
func (s *Service) change(ctx context.Context, ref Ref, apply func(*store.Record, time.Time) error) (Key, error) {
	if err := s.ready(ctx); err != nil {
		return Key{}, err
	}
	now, err := s.clockMicro()
	if err != nil {
		return Key{}, err
	}
	if validID(ref.ID) {
		// Also where there is nothing to write. Whoever revokes a key that another process has revoked
		// expects it to be refused from here on, and a cache may not have heard of that yet.
		defer s.watchers.tell(ref.ID)
	}
	for range maxSwaps {
		rec, err := s.load(ctx, ref)
		if err != nil {
			return Key{}, err
		}
		switch err := apply(&rec, now); {
		case err == errUnchanged:
			return keyOf(&rec), nil
		case err != nil:
			return Key{}, err
		}
		rec.UpdatedAt = later(rec.UpdatedAt, now)
		err = s.store.Update(ctx, rec)
		if err == nil {
			return keyOf(&rec), nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return Key{}, fromStore(err)
		}
	}
	return Key{}, ErrConflict
}

// later keeps UpdatedAt from going back when instances whose clocks differ write in turn: whoever
// asks for what changed since would miss a change.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
