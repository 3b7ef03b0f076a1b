package apikey

import (
	"context"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// An EventKind says what happened to a key.
type EventKind string

// The kinds of events.
const (
	// EventIssued: the key was issued.
	EventIssued EventKind = "issued"

	// EventUpdated: the key's label, contacts, metadata, scopes or expiry changed.
	EventUpdated EventKind = "updated"

	// EventRotated: a new token was made for the key.
	EventRotated EventKind = "rotated"

	// EventActivated: the new token was used for the first time, and the grace of the old one began.
	EventActivated EventKind = "activated"

	// EventLateUse: the old token was presented after its grace and refused. Somebody still uses it.
	// It is told at most once a minute for each old token in each process; Stats.Superseded counts them all.
	EventLateUse EventKind = "late use"

	// EventRevoked: the key was revoked. Key.RevokedReason says why.
	EventRevoked EventKind = "revoked"

	// EventReminded: people were told that the key expires.
	EventReminded EventKind = "reminded"
)

// An Event is something that happened to a key. It holds no secret: it is safe to log.
type Event struct {
	Kind EventKind
	At   time.Time // by the service's clock
	Key  Key       // as it was right after
}

// lateUseEvery is how often a key's late uses are told of at most. A client that was forgotten goes on
// asking, as often as it always did.
const lateUseEvery = time.Minute

// priorID names the old token of a key as an id names a key: by the end of the id, and by its hint.
func priorID(rec *store.Record) string {
	var b [idLen]byte
	copy(b[:], rec.ID[idLen-15:])
	copy(b[15:], rec.PriorHint)
	return string(b[:])
}

// queuedEvents is how many events of verifications wait for Run at most.
const queuedEvents = 256

// observe hands an event to the observer, whose panic must not change what was decided.
func (s *Service) observe(ctx context.Context, e Event) {
	if s.observer == nil {
		return
	}
	defer func() {
		if recover() != nil {
			s.stats.eventsLost.Add(1)
		}
	}()
	s.observer(ctx, e)
}

// queue leaves an event of a verification to Run, so that no request waits for an observer.
func (s *Service) queue(e Event) {
	if s.observer == nil {
		return
	}
	select {
	case s.events <- e:
	default:
		s.stats.eventsLost.Add(1)
	}
}
