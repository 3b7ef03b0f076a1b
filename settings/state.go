package settings

import (
	"context"
	"time"

	"github.com/opengovsg/latchkey/apikey"
)

// The states of a key as people see them. An active key is rotating while it has a new token.
const (
	stateActive   = "active"
	statePending  = "pending"  // the new token was not used yet
	stateRotating = "rotating" // the new token is in use, and the old one still works
	stateExpired  = "expired"
	stateRevoked  = "revoked"
)

func stateOf(key apikey.Key, now time.Time) string {
	switch key.State(now) {
	case apikey.StateRevoked:
		return stateRevoked
	case apikey.StateExpired:
		return stateExpired
	}
	h, rotated := key.Handover()
	switch {
	case rotated && h.Pending():
		return statePending
	case rotated && priorWorks(h, now):
		return stateRotating
	}
	return stateActive
}

// priorWorks reports whether the token before still opens an active key.
func priorWorks(h apikey.Handover, now time.Time) bool {
	return h.PriorExpiresAt.IsZero() || now.Before(h.PriorExpiresAt)
}

// unhinted refuses a rotation by somebody who has seen a key without a hint, as some keys of earlier
// systems are, if it has one by now: then it was rotated since. Of two who press the button within the same
// milliseconds the later one is shown the token that counts.
func (s *Settings) unhinted(ctx context.Context, ref apikey.Ref) error {
	key, err := s.keys.Get(ctx, ref)
	if err == nil && key.Hint != "" {
		return apikey.ErrConflict
	}
	return err
}

// maxPasses bounds how many pages of revoked keys are passed over for one page of others. An owner who
// keeps making and deleting keys gets shorter pages then, and not an answer that takes ever longer.
const maxPasses = 10

// list returns a page of the owner's keys: of those in the state, or of all but the revoked ones
// where no state is given, since whoever deletes a key expects it gone.
func (s *Settings) list(ctx context.Context, owner string, p apikey.Page) (apikey.Listing, error) {
	if p.State != "" {
		return s.keys.List(ctx, owner, p)
	}
	var found apikey.Listing
	limit := p.Limit
	for range maxPasses {
		l, err := s.keys.List(ctx, owner, p)
		if err != nil {
			return apikey.Listing{}, err
		}
		for _, key := range l.Keys {
			if !key.RevokedAt.IsZero() {
				continue
			}
			if len(found.Keys) == limit {
				found.Next = found.Keys[limit-1].ID
				return found, nil
			}
			found.Keys = append(found.Keys, key)
		}
		found.Next = l.Next
		if l.Next == "" {
			return found, nil
		}
		p.After, p.Limit = l.Next, maxLimit
	}
	return found, nil
}
