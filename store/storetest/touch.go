package storetest

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/opengovsg/latchkey/store"
)

var touchRules = []rule{
	{"touch-applies-a-batch-of-500", func(t *trial) {
		recs := samples(520)
		t.create(recs...)
		var uses []store.Use
		for i := range recs[:500] {
			recs[i].LastUsedAt = now.Add(time.Duration(i) * time.Microsecond)
			uses = append(uses, store.Use{ID: recs[i].ID, At: recs[i].LastUsedAt})
		}
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(uses), func(i, j int) { uses[i], uses[j] = uses[j], uses[i] })
		t.touch(uses...)
		got := t.all()
		want := newestFirst(recs)
		t.sameIDs("Touch creates and deletes nothing", got, want)
		for i := range min(len(got), len(want)) {
			t.same("Touch sets LastUsedAt of each record named to its own time, and of no other", got[i], want[i])
		}
	}},
	{"touch-moves-only-forward", func(t *trial) {
		rec := sample(1)
		t.create(rec)
		for _, at := range []time.Time{now, now.Add(-time.Microsecond), now, {}, now.Add(time.Microsecond), now, now.AddDate(-10, 0, 0)} {
			t.touch(store.Use{ID: rec.ID, At: at})
			if at.After(rec.LastUsedAt) {
				rec.LastUsedAt = at
			}
			t.same("Touch sets LastUsedAt only to a time that is later than the one kept", t.get(rec.ID), rec)
		}
		never := sample(2)
		t.create(never)
		t.touch(store.Use{ID: never.ID})
		t.same("a use at the zero time is later than nothing", t.get(never.ID), never)
	}},
	{"touch-takes-uses-of-one-id-in-any-order", func(t *trial) {
		recs := samples(6)
		t.create(recs...)
		var uses []store.Use
		for place := range 3 { // every order of three, and those of different ids between each other
			for i, order := range [6][3]int{{1, 2, 3}, {1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}} {
				uses = append(uses, store.Use{ID: recs[i].ID, At: now.Add(time.Duration(order[place]) * time.Second)})
			}
		}
		t.touch(uses...)
		for _, rec := range recs {
			rec.LastUsedAt = now.Add(3 * time.Second)
			t.same("of several uses of one id in a batch the latest is kept, in whatever order they come", t.get(rec.ID), rec)
		}
	}},
	{"touch-ignores-ids-not-kept", func(t *trial) {
		rec := sample(5)
		t.create(rec)
		uses := []store.Use{{ID: id(1), At: now}, {ID: rec.ID, At: now}, {ID: id(9), At: now}, {ID: id(1), At: now}}
		t.wants("Touch ignores ids that are not kept", t.st.Touch(t.Context(), uses), nil)
		t.wants("Touch ignores ids that are not kept, also where none is", t.st.Touch(t.Context(), uses[:1]), nil)
		rec.LastUsedAt = now
		t.holds("Touch applies the uses of ids that are kept and creates nothing for the others", rec)
	}},
	{"touch-changes-no-other-field", func(t *trial) {
		rec := t.filled(1)
		t.create(rec, t.filled(2))
		rec.Version = 1
		rec.LastUsedAt = rec.LastUsedAt.AddDate(1, 0, 0)
		t.touch(store.Use{ID: rec.ID, At: rec.LastUsedAt})
		t.same("Touch changes no field but LastUsedAt, Version and UpdatedAt included", t.get(rec.ID), rec)
		t.wants("an Update from a version read before a Touch is no conflict", t.st.Update(t.Context(), rec), nil)
	}},
	{"touch-revives-nothing", func(t *trial) {
		recs := samples(3)
		recs[0].RevokedAt, recs[0].RevokedReason = now, "left the team"
		recs[1].ExpiresAt = now
		recs[2].RevokedAt = now.AddDate(-1, 0, 0)
		t.create(recs...)
		t.purge(recs[2].RevokedAt.Add(time.Second), 1)
		var uses []store.Use
		for i := range recs {
			recs[i].LastUsedAt = now.Add(time.Hour)
			uses = append(uses, store.Use{ID: recs[i].ID, At: recs[i].LastUsedAt})
		}
		t.touch(uses...)
		t.holds("Touch leaves revoked records revoked, expired ones expired and purged ones purged", recs[:2]...)
	}},
	{"touch-and-update-at-once-lose-neither", func(t *trial) {
		for round := range 20 {
			recs := samples(8)
			var uses []store.Use
			var calls []func() error
			for i := range recs {
				recs[i].ID = id(10*round + i)
				uses = append(uses, store.Use{ID: recs[i].ID, At: now.Add(time.Hour)})
				revoked := recs[i]
				revoked.UpdatedAt, revoked.RevokedAt = now.Add(time.Minute), now.Add(time.Minute)
				calls = append(calls, func() error { return t.st.Update(t.Context(), revoked) })
			}
			t.create(recs...)
			// One batch, begun before, among or after the updates. A second one could make good what
			// the first undid.
			calls = slices.Insert(calls, round%(len(calls)+1), func() error { return t.st.Touch(t.Context(), uses) })
			errs := concurrently(len(calls), func(i int) error { return calls[i]() })
			for _, err := range errs {
				t.wants("Touch and Update at once do not hinder each other", err, nil)
			}
			for _, rec := range recs {
				rec.UpdatedAt, rec.RevokedAt = now.Add(time.Minute), now.Add(time.Minute)
				rec.LastUsedAt, rec.Version = now.Add(time.Hour), 2
				t.same("Touch and Update at once lose neither the use nor the revocation", t.get(rec.ID), rec)
			}
		}
	}},
	{"touch-of-no-uses-is-fine", func(t *trial) {
		rec := sample(1)
		t.create(rec)
		for _, uses := range [][]store.Use{nil, {}} {
			t.wants("Touch of an empty batch is no error", t.st.Touch(t.Context(), uses), nil)
		}
		t.holds("Touch of an empty batch changes nothing", rec)
	}},
}
