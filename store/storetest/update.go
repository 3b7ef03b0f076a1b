package storetest

import (
	"fmt"

	"github.com/opengovsg/latchkey/store"
)

var updateRules = []rule{
	{"update-replaces-every-field-but-six", func(t *trial) {
		// Twice, so that it is seen with fields that were empty before and that are empty after.
		kept := sample(1)
		t.create(kept)
		for _, given := range []store.Record{t.filled(2), sample(3)} {
			given.ID, given.Owner, given.Version = kept.ID, kept.Owner, kept.Version
			t.update(given)
			kept = updated(kept, given)
			t.same("Update replaces every field of the record except ID, Owner, Prefix, CreatedAt, LastUsedAt and Version",
				t.get(kept.ID), kept)
		}
	}},
	{"update-keeps-six-fields-whatever-rec-says", func(t *trial) {
		kept := t.filled(1)
		t.create(kept)
		kept.Version = 1
		for _, given := range []store.Record{t.filled(2), {}, t.filled(0)} {
			given.ID, given.Owner, given.Version = kept.ID, kept.Owner, kept.Version
			t.update(given)
			kept = updated(kept, given)
			t.same("ID, Owner, Prefix, CreatedAt and LastUsedAt stay as they are kept, whatever rec says", t.get(kept.ID), kept)
		}
	}},
	{"update-adds-1-to-the-version", func(t *trial) {
		kept := sample(1)
		t.create(kept)
		for range 5 {
			t.update(kept) // also where nothing but the version changes
			kept.Version++
			t.same("Update adds one to the Version kept", t.get(kept.ID), kept)
		}
	}},
	{"update-of-another-version-is-a-conflict", func(t *trial) {
		const sentence = "Update returns ErrConflict if the Version kept is not rec.Version, and changes nothing"
		kept := t.filled(1)
		t.create(kept)
		kept.Version = 1
		for range 3 {
			for _, version := range []int64{0, -1, kept.Version - 1, kept.Version + 1, 1 << 40} {
				stale := t.filled(2)
				stale.ID, stale.Owner, stale.Version = kept.ID, kept.Owner, version
				t.wants(sentence, t.st.Update(t.Context(), stale), store.ErrConflict)
			}
			t.holds(sentence, kept)
			t.update(kept)
			kept.Version++
		}
	}},
	{"update-of-an-unknown-id-creates-nothing", func(t *trial) {
		const sentence = "Update returns ErrNotFound if no record has the ID, and never creates one"
		for _, version := range []int64{0, 1, 2} {
			rec := t.filled(1)
			rec.Version = version
			t.wants(sentence, t.st.Update(t.Context(), rec), store.ErrNotFound)
			t.holds(sentence)
		}
		kept := t.filled(2)
		t.create(kept)
		kept.Version = 1
		rec := kept
		rec.ID = id(3)
		t.wants(sentence+", also where the alias and the owner are kept", t.st.Update(t.Context(), rec), store.ErrNotFound)
		t.holds(sentence, kept)
	}},
	{"update-of-another-owners-record-is-not-found", func(t *trial) {
		const sentence = "Update returns ErrNotFound if the record with the ID has another Owner, whatever the Version, and changes nothing"
		kept := t.filled(1)
		t.create(kept, sample(2)) // sample 2 is a record of the owner who reaches for kept
		kept.Version = 1
		for _, owner := range []string{"user_42", "nobody", ""} {
			for _, version := range []int64{1, 0, 2} {
				rec := t.filled(3)
				rec.ID, rec.Owner, rec.Version = kept.ID, owner, version
				t.wants(sentence, t.st.Update(t.Context(), rec), store.ErrNotFound)
			}
		}
		t.holds(sentence, kept, sample(2))
	}},
	{"update-lets-one-of-40-through", func(t *trial) {
		const sentence = "of concurrent calls of Update from one version exactly one succeeds and all others return ErrConflict"
		kept := sample(1)
		t.create(kept)
		for range 3 {
			given := make([]store.Record, 40)
			errs := concurrently(len(given), func(i int) error {
				given[i] = kept
				given[i].RevokedAt, given[i].RevokedReason = now, fmt.Sprintf("revoked by %d", i)
				return t.st.Update(t.Context(), given[i])
			})
			if n := t.tally(sentence, errs, store.ErrConflict); n != 1 {
				t.Errorf("%s; %d of 40 returned no error", sentence, n)
			}
			for i, err := range errs {
				if err == nil {
					kept = updated(kept, given[i])
				}
			}
			t.holds(sentence, kept)
		}
	}},
}
