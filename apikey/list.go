package apikey

import (
	"context"
	"fmt"
	"iter"

	"github.com/opengovsg/latchkey/store"
)

const (
	defaultPageLimit = 50
	maxPageLimit     = 500 // one more is read to see whether a page follows
)

// A Page says which part of an owner's keys to list, newest first.
type Page struct {
	// After is Listing.Next of the page before. Empty: the first page.
	After string

	// Limit is how many keys to list at most: 50 where zero, at most 500.
	Limit int

	// State lists only keys that are in the state now. Empty: keys in any state.
	State State
}

// A Listing is one page of keys.
type Listing struct {
	Keys []Key // newest first

	// Next is Page.After of the page that follows, and empty on the last page.
	Next string
}

// List returns one page of the owner's keys under the service's prefix, newest first. Paging is by
// key, so that a page costs the same however deep it lies, and keys that are issued or purged
// between pages neither repeat nor hide others. Keys issued within one millisecond are in no
// particular order among each other, and always in the same one.
//
// It fails with an [*ArgumentError] that names the field, and with [ErrUnavailable] otherwise.
func (s *Service) List(ctx context.Context, owner string, p Page) (Listing, error) {
	if err := s.ready(ctx); err != nil {
		return Listing{}, err
	}
	if err := checkOwner(owner); err != nil {
		return Listing{}, err
	}
	if p.Limit == 0 {
		p.Limit = defaultPageLimit
	}
	if p.Limit < 0 || p.Limit > maxPageLimit {
		return Listing{}, &ArgumentError{"Limit", fmt.Sprintf("must be 1 to %d", maxPageLimit)}
	}
	// The cursor is data from outside: as a key's id it can name a place in the list and, with the
	// owner always part of the query, nothing else.
	if p.After != "" && !validID(p.After) {
		return Listing{}, &ArgumentError{"After", "must be the Next of a listing"}
	}
	state, err := storeState(p.State)
	if err != nil {
		return Listing{}, err
	}
	q := store.Query{
		Owner: owner,
		State: state,
		After: p.After,
		Limit: p.Limit + 1,
	}
	if state != store.AnyState {
		if q.At, err = s.clockMicro(); err != nil {
			return Listing{}, err
		}
	}
	recs, err := s.list(ctx, q)
	if err != nil {
		return Listing{}, err
	}
	var l Listing
	if len(recs) > p.Limit {
		recs = recs[:p.Limit]
		l.Next = recs[p.Limit-1].ID
	}
	l.Keys = make([]Key, len(recs))
	for i := range recs {
		l.Keys[i] = keyOf(&recs[i])
	}
	return l, nil
}

// All iterates over all of the owner's keys under the service's prefix, newest first, reading a page
// at a time and holding no connection in between. It yields an error once, as List returns it, and
// then ends.
func (s *Service) All(ctx context.Context, owner string) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		for p := (Page{Limit: maxPageLimit}); ; {
			l, err := s.List(ctx, owner, p)
			if err != nil {
				yield(Key{}, err)
				return
			}
			for _, key := range l.Keys {
				if !yield(key, nil) {
					return
				}
			}
			if l.Next == "" {
				return
			}
			p.After = l.Next
		}
	}
}

func storeState(state State) (store.State, error) {
	switch state {
	case "":
		return store.AnyState, nil
	case StateActive:
		return store.Active, nil
	case StateExpired:
		return store.Expired, nil
	case StateRevoked:
		return store.Revoked, nil
	}
	return 0, &ArgumentError{"State", fmt.Sprintf("must be empty, %q, %q or %q", StateActive, StateExpired, StateRevoked)}
}

// list asks the store for records of the service's prefix and re-checks that it was given no others:
// showing somebody else's keys must take more than a mistake in a store.
func (s *Service) list(ctx context.Context, q store.Query) ([]store.Record, error) {
	q.Prefix = s.format.prefix
	recs, err := s.store.List(ctx, q)
	if err != nil {
		return nil, unavailable(err)
	}
	if len(recs) > q.Limit {
		return nil, unavailable(errWrongRecord)
	}
	for i := range recs {
		if !q.Match(&recs[i]) {
			return nil, unavailable(errWrongRecord)
		}
		q.After = recs[i].ID
	}
	return recs, nil
}
