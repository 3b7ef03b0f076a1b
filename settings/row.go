package settings

import (
	"time"

	"github.com/opengovsg/latchkey/apikey"
)

// shownContacts is how many contacts the list names of each key.
const shownContacts = 2

// A row is a key as the page shows it.
type row struct {
	ID       string
	Label    string
	Hint     string // empty for some keys of earlier systems
	Contacts []string
	State    string // one of the states, which the stylesheet knows by the same name
	Status   string // the same for people

	Created, LastUsed, Expires, Revoked, PriorEnds moment

	Prior     bool   // whether the key before the last rotation still works
	PriorHint string // empty as Hint may be
	Soon      bool   // whether it wants looking at
}

// A moment is a time as the page tells it. The zero moment is none.
type moment struct {
	Machine string // for <time>
	Date    string
	Words   string // how far it is from now
}

// soon is how far ahead of its end a key is marked.
const soon = 28 * day

func (s *Settings) row(key apikey.Key) row {
	now := s.config.Now()
	r := row{
		ID:       key.ID,
		Label:    key.Label,
		Hint:     key.Hint,
		Contacts: key.Contacts(),
		State:    stateOf(key, now),
		Created:  s.past(key.CreatedAt, now),
		LastUsed: s.past(key.LastUsedAt(), now),
		Expires:  s.moment(key.ExpiresAt, now),
		Revoked:  s.past(key.RevokedAt, now),
		Soon:     !key.ExpiresAt.IsZero() && now.Before(key.ExpiresAt) && key.ExpiresAt.Sub(now) <= soon,
	}
	r.Status = map[string]string{
		stateActive:   "Active",
		statePending:  "New key unused",
		stateRotating: "Changing over",
		stateExpired:  "Expired",
		stateRevoked:  "Deleted",
	}[r.State]
	if h, ok := key.Handover(); ok && (r.State == statePending || r.State == stateRotating) && priorWorks(h, now) {
		r.Prior, r.PriorHint = true, h.PriorHint
		r.PriorEnds = s.moment(h.PriorExpiresAt, now)
	}
	return r
}

// FewContacts are those that the list names.
func (r row) FewContacts() []string { return r.Contacts[:min(len(r.Contacts), shownContacts)] }

// MoreContacts is how many it does not.
func (r row) MoreContacts() int { return max(len(r.Contacts)-shownContacts, 0) }

// Live reports whether the key opens anything.
func (r row) Live() bool { return r.State != stateExpired && r.State != stateRevoked }

// past tells of what has happened, and therefore not ahead of now: the instance that noted it may have a
// clock that is ahead of this one's.
func (s *Settings) past(t, now time.Time) moment {
	m := s.moment(t, now)
	if !t.IsZero() {
		m.Words = relative(min(t.Sub(now), -1))
	}
	return m
}

func (s *Settings) moment(t, now time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	return moment{
		Machine: t.UTC().Format(time.RFC3339),
		Date:    s.date(t),
		Words:   relative(t.Sub(now)),
	}
}

func (s *Settings) date(t time.Time) string { return t.In(s.config.Location).Format("2 Jan 2006") }
