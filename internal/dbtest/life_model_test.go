package dbtest

import (
	"time"

	"github.com/opengovsg/latchkey/apikey"
)

// A keyLife is all there is to know of a key: what the section "The life of a key" of docs/design.md says,
// as a program that keeps nothing.
type keyLife struct {
	label           string
	current, before string   // the tokens
	dead            []string // those that a rotation has left behind
	expires         time.Time
	pending         bool
	grace           time.Duration
	ends            time.Time // of the token before; zero for never
	over            bool      // it was ended on every clock
	revoked         string    // why
	reminded        time.Time
}

const (
	lifeDefault = 180 * 24 * time.Hour
	lifeMax     = 366 * 24 * time.Hour
)

func (l *keyLife) expired(now time.Time) bool { return !l.expires.IsZero() && !now.Before(l.expires) }

func (l *keyLife) active(now time.Time) bool { return l.revoked == "" && !l.expired(now) }

// ended reports whether the token before opens nothing, or there is none.
func (l *keyLife) ended(now time.Time) bool {
	return l.before == "" || l.over || !l.ends.IsZero() && !now.Before(l.ends)
}

// verify tells what becomes of a token, and whether it is the one before.
func (l *keyLife) verify(token string, now time.Time) (superseded bool, reason error) {
	switch {
	case token != l.current && token != l.before:
		return false, apikey.ErrUnknown
	case l.revoked != "":
		return false, apikey.ErrRevoked
	case l.expired(now):
		return false, apikey.ErrExpired
	case token == l.current:
		return false, nil
	case l.ended(now):
		return false, apikey.ErrSuperseded
	}
	return true, nil
}

// use is a verification that is written.
func (l *keyLife) use(token string, now time.Time) (superseded bool, reason error) {
	superseded, reason = l.verify(token, now)
	if reason == nil && !superseded && l.pending {
		l.pending = false
		l.over = l.grace == 0
		if end := now.Add(l.grace); l.ends.IsZero() || end.Before(l.ends) {
			l.ends = end
		}
	}
	return superseded, reason
}

// mayRotate tells what a rotation fails with.
func (l *keyLife) mayRotate(r apikey.Rotation, now time.Time) error {
	switch {
	case r.Hint != "" && r.Hint != hintOf(l.current):
		return apikey.ErrConflict
	case !l.active(now):
		return apikey.ErrNotActive
	case !l.pending && !l.ended(now) && !r.Immediately:
		return apikey.ErrInGrace
	}
	return nil
}

func (l *keyLife) rotate(r apikey.Rotation, token string, now time.Time) {
	if l.pending {
		l.dead = append(l.dead, l.current)
	} else {
		if l.before != "" {
			l.dead = append(l.dead, l.before)
		}
		l.before, l.ends, l.over = l.current, l.expires, false
	}
	l.current, l.pending, l.grace = token, true, r.Grace
	if r.Grace == 0 {
		l.grace = 24 * time.Hour
	}
	switch renewed := now.Add(lifeDefault); {
	case r.ExpiresIn != 0:
		l.end(now.Add(r.ExpiresIn))
	case !l.expires.IsZero() && renewed.After(l.expires):
		l.expires = renewed
	}
	if r.Immediately {
		l.grace = 0
		l.pending, l.over = false, true
		if l.ends.IsZero() || now.Before(l.ends) {
			l.ends = now
		}
	}
}

// end makes the key expire at an instant.
func (l *keyLife) end(at time.Time) {
	if l.expires.IsZero() || at.Before(l.expires) {
		l.reminded = time.Time{}
		if !l.ended(at) {
			l.ends = at
		}
	}
	l.expires = at
}

// mayEnd tells what an update that has the key expire at an instant fails with.
func (l *keyLife) mayEnd(at, now time.Time) error {
	switch {
	case !l.active(now):
		return apikey.ErrNotActive
	case !at.After(now), !l.expires.IsZero() && at.After(l.expires):
		return apikey.ErrInvalidArgument
	}
	return nil
}

func (l *keyLife) remind(due, now time.Time) bool {
	if !l.active(now) || !l.reminded.Before(due) {
		return false
	}
	l.reminded = due
	return true
}

func hintOf(token string) string { return token[len(token)-5:] }
