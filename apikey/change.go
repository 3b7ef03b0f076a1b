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
	rec, others, err := s.find(ctx, ref)
	if others {
		return store.Record{}, ErrNotFound
	}
	return rec, err
}

// find reads the record that a reference names, and reports whether it is one of others: of another owner or
// under another prefix.
func (s *Service) find(ctx context.Context, ref Ref) (rec store.Record, others bool, err error) {
	if err := s.ready(ctx); err != nil {
		return store.Record{}, false, err
	}
	if !ref.anyOwner {
		if err := checkOwner(ref.Owner); err != nil {
			return store.Record{}, false, err
		}
	}
	if !validID(ref.ID) {
		return store.Record{}, false, ErrNotFound
	}
	rec, err = s.store.Get(ctx, ref.ID)
	switch {
	case err != nil:
		return store.Record{}, false, fromStore(err)
	case rec.ID != ref.ID || rec.Owner == "":
		return store.Record{}, false, unavailable(errWrongRecord)
	}
	return rec, rec.Prefix != s.format.prefix || !ref.anyOwner && rec.Owner != ref.Owner, nil
}

// change applies a change to a record, again if it changed in between, and returns the key as kept. Watchers
// are told whatever comes of it, unless the key is somebody else's.
func (s *Service) change(ctx context.Context, ref Ref, apply func(*store.Record, time.Time) error) (Key, error) {
	if err := s.ready(ctx); err != nil {
		return Key{}, err
	}
	now, err := s.clockMicro()
	if err != nil {
		return Key{}, err
	}
	tell := validID(ref.ID)
	defer func() {
		// Also where there is nothing to write. Whoever revokes a key that another process has revoked
		// expects it to be refused from here on, and a cache may not have heard of that yet.
		if tell {
			s.watchers.tell(ref.ID)
		}
	}()
	for range maxSwaps {
		rec, others, err := s.find(ctx, ref)
		switch {
		case others:
			tell = false // nobody makes a cache forget somebody else's key
			return Key{}, ErrNotFound
		case err != nil:
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
