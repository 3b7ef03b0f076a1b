package storetest

import "github.com/opengovsg/latchkey/store"

var aliasRules = []rule{
	{"update-moves-the-alias", func(t *trial) {
		const sentence = "once Update gave a record another alias, that one finds it, and the one before finds nothing and is free again"
		kept := sample(1)
		t.create(kept)
		before := ""
		for _, alias := range []string{"team-a:0", "team-a:1", "team-a:1", "team-a:0", "", "team-a:1"} {
			kept.Alias = alias
			t.update(kept)
			kept.Version++
			t.same(sentence, t.get(kept.ID), kept)
			if alias != "" {
				t.selects(sentence, []store.Record{kept}, store.Query{Alias: alias})
			}
			if before != "" && before != alias {
				t.selects(sentence, nil, store.Query{Alias: before})
			}
			before = alias
		}
		other := sample(2)
		other.Alias = "team-a:0"
		t.wants(sentence, t.st.Create(t.Context(), other, 0), nil)
		other = sample(3)
		other.Alias = kept.Alias
		t.wants("an alias that Update gave is taken for Create", t.st.Create(t.Context(), other, 0), store.ErrExists)
	}},
	{"update-refuses-a-taken-alias", func(t *trial) {
		const sentence = "Update returns ErrExists if rec.Alias is not empty and another record has it, whatever the owner, prefix and state of that, and changes nothing"
		kept, other := t.filled(1), t.filled(2)
		other.RevokedAt = now
		t.create(kept, other)
		kept.Version, other.Version = 1, 1
		given := t.filled(3)
		given.ID, given.Owner, given.Version, given.Alias = kept.ID, kept.Owner, kept.Version, other.Alias
		for range 2 {
			t.wants(sentence, t.st.Update(t.Context(), given), store.ErrExists)
		}
		t.holds(sentence, kept, other)
		for _, rec := range []store.Record{kept, other} {
			t.selects(sentence, []store.Record{rec}, store.Query{Alias: rec.Alias})
		}

		given.Version++
		t.wants("Update returns ErrConflict if the Version differs, also where the alias is taken", t.st.Update(t.Context(), given), store.ErrConflict)
		given.Owner = "nobody"
		t.wants("Update returns ErrNotFound for another Owner, also where the alias is taken", t.st.Update(t.Context(), given), store.ErrNotFound)
		t.holds(sentence, kept, other)
	}},
	{"update-takes-any-number-of-empty-aliases", func(t *trial) {
		kept, other := t.filled(1), sample(2)
		t.create(kept, other)
		kept.Version, kept.Alias = 1, ""
		t.update(kept)
		kept.Version++
		t.update(other)
		other.Version++
		t.holds("an alias is unique only where it is not empty", kept, other)
	}},
	{"update-gives-one-of-40-an-alias", func(t *trial) {
		const sentence = "of concurrent calls of Update that give one alias to several records one succeeds and all others return ErrExists"
		recs := samples(40)
		t.create(recs...)
		errs := concurrently(len(recs), func(i int) error {
			rec := recs[i]
			rec.Alias = "team-a:0"
			return t.st.Update(t.Context(), rec)
		})
		if n := t.tally(sentence, errs, store.ErrExists); n != 1 {
			t.Errorf("%s; %d of 40 returned no error", sentence, n)
		}
		for i, err := range errs {
			if err == nil {
				recs[i].Alias = "team-a:0"
				recs[i].Version++
			}
		}
		t.holds(sentence, recs...)
	}},
}
