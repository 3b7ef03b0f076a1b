package storetest

import (
	"time"

	"github.com/opengovsg/latchkey/store"
)

var createRules = []rule{
	{"create-sets-version-1", func(t *trial) {
		for i, version := range []int64{0, 1, 2, -1, 1 << 40} {
			rec := sample(i)
			rec.Version = version
			t.create(rec)
			rec.Version = 1
			t.same("Create keeps rec with Version 1, whatever rec.Version says", t.get(rec.ID), rec)
		}
	}},
	{"create-refuses-a-taken-id", func(t *trial) {
		const sentence = "Create returns ErrExists if rec.ID is already kept, and never overwrites"
		first := t.filled(1)
		t.create(first)
		first.Version = 1

		again := t.filled(2) // another owner and another alias
		again.ID = first.ID
		for range 2 {
			t.wants(sentence, t.st.Create(t.Context(), again, 0), store.ErrExists)
		}
		t.holds(sentence, first)
		t.wants(sentence+", not even with the very same record", t.st.Create(t.Context(), first, 0), store.ErrExists)

		other := t.filled(3)
		other.Alias = again.Alias
		t.wants("a Create that was refused takes no alias", t.st.Create(t.Context(), other, 0), nil)
	}},
	{"create-refuses-a-taken-alias", func(t *trial) {
		const sentence = "Create returns ErrExists if rec.Alias is not empty and already kept, whatever the owner, prefix and state, and keeps nothing"
		first := sample(1)
		first.Alias = "team-a:0"
		first.RevokedAt = now
		t.create(first)

		second := t.filled(2)
		second.Alias = first.Alias
		t.wants(sentence, t.st.Create(t.Context(), second, 0), store.ErrExists)
		t.holds(sentence, first)

		second.Alias = "team-a:1"
		t.wants("a Create that was refused takes no id", t.st.Create(t.Context(), second, 0), nil)
	}},
	{"create-takes-any-number-of-empty-aliases", func(t *trial) {
		recs := samples(20)
		t.create(recs...)
		t.holds("an alias is unique only where it is not empty", recs...)
	}},
	{"create-keeps-one-of-40-with-one-id", func(t *trial) {
		t.oneOf40(func(rec *store.Record) { rec.ID = id(0) })
	}},
	{"create-keeps-one-of-40-with-one-alias", func(t *trial) {
		t.oneOf40(func(rec *store.Record) { rec.Alias = "team-a:0" })
	}},
}

// oneOf40 creates 40 records at once that differ except where clash makes them the same.
func (t *trial) oneOf40(clash func(*store.Record)) {
	t.Helper()
	const sentence = "of concurrent calls of Create with the same id or alias one keeps its record and all others return ErrExists"
	given := make([]store.Record, 40)
	errs := concurrently(len(given), func(i int) error {
		given[i] = sample(i)
		given[i].UpdatedAt = now.Add(time.Duration(i) * time.Second)
		clash(&given[i])
		return t.st.Create(t.Context(), given[i], 0)
	})
	if n := t.tally(sentence, errs, store.ErrExists); n != 1 {
		t.Errorf("%s; %d of 40 returned no error", sentence, n)
	}
	var kept []store.Record
	for i, err := range errs {
		if err == nil {
			kept = append(kept, given[i])
		}
	}
	t.holds(sentence, kept...)
}
