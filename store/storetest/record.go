package storetest

import (
	"slices"

	"github.com/opengovsg/latchkey/store"
)

var recordRules = []rule{
	{"create-and-get-keep-every-field", func(t *trial) {
		for i := range 5 {
			given := t.filled(i)
			t.create(given)
			given.Version = 1
			t.same("Get returns every field of Record as it was given to Create", t.get(given.ID), given)
		}
	}},
	{"create-and-get-keep-every-value", func(t *trial) {
		t.eachVariant("Get returns every field as it was given to Create, byte by byte and with ==", func(v variant) (got, want store.Record) {
			t.create(v.rec)
			v.rec.Version = 1
			return t.get(v.rec.ID), v.rec
		})
	}},
	{"list-keeps-every-field", func(t *trial) {
		given := t.filled(1)
		t.create(given)
		given.Version = 1
		got := t.all()
		t.sameIDs("List returns the one record that is kept", got, []store.Record{given})
		if len(got) == 1 {
			t.same("List returns every field of Record as it was given to Create", got[0], given)
		}
	}},
	{"list-keeps-every-value", func(t *trial) {
		var given []store.Record
		for _, v := range t.variants() {
			t.create(v.rec)
			given = append(given, v.rec)
		}
		got := t.all()
		t.sameIDs("List returns every record that is kept", got, newestFirst(given))
		slices.Reverse(got)
		t.eachVariant("List returns every field as it was given to Create, byte by byte and with ==", func(v variant) (store.Record, store.Record) {
			v.rec.Version = 1
			if len(got) == 0 {
				return store.Record{}, v.rec
			}
			rec := got[0]
			got = got[1:]
			return rec, v.rec
		})
	}},
	{"update-keeps-every-value", func(t *trial) {
		kept := t.filled(0)
		t.create(kept)
		kept.Version = 1
		t.eachVariant("Get returns every field as it was given to Update, byte by byte and with ==", func(v variant) (got, want store.Record) {
			want = updated(kept, v.rec)
			v.rec.ID, v.rec.Owner, v.rec.Version = kept.ID, kept.Owner, kept.Version
			t.update(v.rec)
			kept = want
			return t.get(kept.ID), want
		})
	}},
}

// eachVariant requires the same of each variant. Of several that fail with an edge in one field, it
// reports the first.
func (t *trial) eachVariant(sentence string, try func(variant) (got, want store.Record)) {
	t.Helper()
	failed := make(map[string]bool)
	for _, v := range t.variants() {
		if got, want := try(v); !failed[v.field] {
			failed[v.field] = !t.same(sentence+", also with the edges of "+v.field, got, want)
		}
	}
}
