package servicetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// spoiltRotations are what a hand in the database could do to a key whose old token has ended, so as to
// bring that token back.
var spoiltRotations = map[string]func(rec *store.Record){
	"no end":                 func(rec *store.Record) { rec.PriorExpiresAt = time.Time{} },
	"no end and no rotation": func(rec *store.Record) { rec.PriorExpiresAt, rec.RotatedAt = time.Time{}, time.Time{} },
	"no end, never any rotation": func(rec *store.Record) {
		rec.PriorExpiresAt, rec.RotatedAt, rec.ActivatedAt = time.Time{}, time.Time{}, time.Time{}
	},
	"an end far ahead":      func(rec *store.Record) { rec.PriorExpiresAt = start.AddDate(50, 0, 0) },
	"a negative grace":      func(rec *store.Record) { rec.PriorExpiresAt, rec.Grace = start.AddDate(50, 0, 0), -1<<63 },
	"the same secret twice": func(rec *store.Record) { rec.Hash = rec.PriorHash; rec.Scheme = "none" },
}

var tamperedTests = []test{
	{"F41 no half of a rotation brings an old token back", func(t *testing.T, st store.Store) {
		for name, spoil := range spoiltRotations {
			c := newClock()
			s := newService(t, st, config(c))
			older, key := issue(t, s, request())
			newer, _ := rotate(t, s, key, apikey.Rotation{Grace: time.Hour})
			open(t, s, newer)
			c.Add(2 * time.Hour)
			requireRefused(t, s, older, apikey.ErrSuperseded)
			tamper(t, st, key.ID, spoil)
			_, err := s.Verify(t.Context(), older)
			require.Error(t, err, name)
		}
	}},
	{"what an old token may grant ends with it", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		r := request()
		r.Scopes = []string{"sms:send"}
		older, key := issue(t, s, r)
		newer, _ := rotate(t, s, key, apikey.Rotation{Grace: time.Hour})
		open(t, s, newer)
		k := open(t, s, older)
		require.True(t, k.Superseded())
		_, child := issue(t, s, apikey.Request{Owner: owner, Label: "child", Ceiling: k.Ceiling()})
		require.Equal(t, start.Add(time.Hour), child.ExpiresAt)
	}},
	{"a key that is rotated while Expiring walks is yielded once", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		for range 3 {
			r := request()
			r.ExpiresIn = 10 * day
			issue(t, s, r)
		}
		tokens := 0
		for key, err := range s.Expiring(t.Context(), start, start.Add(14*day)) {
			require.NoError(t, err)
			newer, _ := rotate(t, s, key, apikey.Rotation{Hint: key.Hint})
			open(t, s, newer)
			tokens++
		}
		require.Equal(t, 3, tokens)
	}},
	{"a grace is whole on a clock that is behind", func(t *testing.T, st store.Store) {
		ahead, behind := newClock(), newClock()
		behind.Add(-5 * time.Minute)
		a, b := newService(t, st, config(ahead)), newService(t, st, config(behind))
		older, key := issue(t, a, request())
		newer, _ := rotate(t, a, key, apikey.Rotation{Grace: 5 * time.Minute})
		open(t, b, newer)
		open(t, a, older)
		ahead.Add(5 * time.Minute)
		requireRefused(t, a, older, apikey.ErrSuperseded)
	}},
	{"an end that moves by less than a day is no news", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		_, key := issue(t, s, request())
		remind(t, s, key, due)
		for i := range 3 {
			_, err := s.Update(t.Context(), ref(key), apikey.Changes{ExpiresAt: key.ExpiresAt.Add(-time.Duration(i+1) * time.Hour)})
			require.NoError(t, err)
			requireNoReminder(t, s, key, due)
		}
		_, err := s.Update(t.Context(), ref(key), apikey.Changes{ExpiresAt: key.ExpiresAt.Add(-30 * time.Hour)})
		require.NoError(t, err)
		remind(t, s, key, due)
	}},
	{"a lease that a clock gave far ahead keeps nobody from being reminded", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		_, key := issue(t, s, request())
		tamper(t, st, key.ID, func(rec *store.Record) { rec.RemindingUntil = start.Add(47 * time.Hour) })
		requireNoReminder(t, s, key, due)
		tamper(t, st, key.ID, func(rec *store.Record) { rec.RemindingUntil = start.AddDate(1, 0, 0) })
		remind(t, s, key, due)
	}},
	{"one row that can't be written keeps few others from being activated", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		_, stuck := issue(t, s, request())
		first, _ := rotate(t, s, stuck, apikey.Rotation{})
		broken := s.WithStore(rowBroken{st, stuck.ID})
		activated := 0
		for range 20 {
			open(t, broken, first)
			_, key := issue(t, s, request())
			newer, _ := rotate(t, s, key, apikey.Rotation{})
			open(t, broken, newer)
			if !handover(t, s, key).Pending() {
				activated++
			}
		}
		require.Greater(t, activated, 10)
		require.True(t, handover(t, s, stuck).Pending())
	}},
}

// rowBroken is a store in which one record can't be written.
type rowBroken struct {
	store.Store
	id string
}

func (s rowBroken) Update(ctx context.Context, rec store.Record) error {
	if rec.ID == s.id {
		return errors.New("locked")
	}
	return s.Store.Update(ctx, rec)
}
