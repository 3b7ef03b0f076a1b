package storetest

import (
	"slices"
	"strings"
	"time"

	"github.com/opengovsg/latchkey/store"
)

var readRules = []rule{
	{"get-of-an-unknown-id-is-not-found", func(t *trial) {
		const sentence = "Get returns ErrNotFound for an id that is not kept"
		for _, kept := range []bool{false, true} {
			if kept {
				t.create(t.filled(1), t.filled(3))
			}
			for _, unknown := range []string{id(0), id(2), id(4), strings.Repeat("0", 20), strings.Repeat("z", 20)} {
				rec, err := t.st.Get(t.Context(), unknown)
				t.wants(sentence, err, store.ErrNotFound)
				t.same("an error never comes with a record", rec, store.Record{})
			}
		}
	}},
	{"get-sees-every-write-at-once", func(t *trial) {
		// Each Get before a write warms whatever memory the store has of earlier answers.
		want := t.filled(1)
		want.RevokedAt, want.ExpiresAt = time.Time{}, time.Time{}
		want.Version = 1
		_, err := t.st.Get(t.Context(), want.ID)
		t.wants("Get returns ErrNotFound before Create", err, store.ErrNotFound)
		t.create(want)
		t.same("Get sees a Create that was acknowledged", t.get(want.ID), want)

		given := t.filled(2)
		given.ID, given.Owner, given.Version = want.ID, want.Owner, want.Version
		t.update(given)
		want = updated(want, given)
		t.same("Get sees an Update that was acknowledged", t.get(want.ID), want)

		want.LastUsedAt = want.LastUsedAt.Add(time.Hour)
		t.touch(store.Use{ID: want.ID, At: want.LastUsedAt})
		t.same("Get sees a Touch that was acknowledged", t.get(want.ID), want)

		t.purge(want.RevokedAt.Add(time.Hour), 1)
		_, err = t.st.Get(t.Context(), want.ID)
		t.wants("Get sees a Purge that was acknowledged", err, store.ErrNotFound)
	}},
	{"result-of-list-belongs-to-the-caller", func(t *trial) {
		const sentence = "what List returned shares no memory with the store, nor with what another List returned"
		recs := samples(4)
		t.create(recs...)
		q := store.Query{Owner: "user_42", Limit: 3}
		first, second := t.list(q), t.list(q)
		want := slices.Clone(second)
		clear(first[:cap(first)])
		t.sameIDs(sentence, second, want)
		t.selects(sentence, recs, q)
		t.holds(sentence, recs...)

		second = t.list(q)
		t.create(sample(9))
		revoked := recs[3]
		revoked.RevokedAt = now
		t.update(revoked)
		t.sameIDs("a later write does not reach into what List returned", second, want)
		if len(second) > 0 {
			t.same("a later write does not reach into what List returned", second[0], recs[3])
		}
	}},
	{"uses-given-to-touch-belong-to-the-caller", func(t *trial) {
		const sentence = "the store keeps no hold of the uses that Touch was given"
		recs := samples(3)
		t.create(recs...)
		uses := []store.Use{{ID: recs[0].ID, At: now.Add(2 * time.Hour)}, {ID: recs[1].ID, At: now.Add(time.Hour)}}
		t.touch(uses...)
		recs[0].LastUsedAt, recs[1].LastUsedAt = uses[0].At, uses[1].At
		for i := range uses {
			uses[i] = store.Use{ID: recs[2].ID, At: now.AddDate(1, 0, 0)}
		}
		t.holds(sentence, recs...)
		t.touch(store.Use{ID: recs[1].ID, At: now})
		t.holds(sentence, recs...)
	}},
}
