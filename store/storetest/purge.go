package storetest

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/opengovsg/latchkey/store"
)

var purgeRules = []rule{
	{"purge-deletes-strictly-before", func(t *trial) {
		var recs, stay []store.Record
		for _, at := range instants(-time.Hour, time.Hour) {
			for _, set := range []func(*store.Record){
				func(r *store.Record) { r.ExpiresAt = at },
				func(r *store.Record) { r.RevokedAt = at },
				func(r *store.Record) { r.RevokedAt, r.ExpiresAt = at, now.AddDate(1, 0, 0) },
				func(r *store.Record) { r.RevokedAt, r.ExpiresAt = now.AddDate(1, 0, 0), at },
			} {
				rec := sample(len(recs))
				set(&rec)
				recs = append(recs, rec)
				if !at.Before(now) {
					stay = append(stay, rec)
				}
			}
		}
		t.create(recs...)
		const sentence = "Purge deletes records that expired or were revoked before the given time, strictly"
		if n := t.purge(now, store.MaxLimit); n != len(recs)-len(stay) {
			t.Errorf("%s, and returns how many; %d of %d were due, %d were reported", sentence, len(recs)-len(stay), len(recs), n)
		}
		t.holds(sentence, stay...)
	}},
	{"purge-keeps-what-is-not-over", func(t *trial) {
		recs := samples(3)
		recs[1].ExpiresAt = now.Add(time.Hour)
		recs[2].LastUsedAt = now.AddDate(-10, 0, 0)
		for i := range recs {
			recs[i].CreatedAt, recs[i].UpdatedAt = now.AddDate(-10, 0, 0), now.AddDate(-10, 0, 0)
		}
		t.create(recs...)
		for _, before := range []time.Time{now, {}} {
			if n := t.purge(before, store.MaxLimit); n != 0 {
				t.Errorf("Purge deletes no active record, none that never expires, and nothing before the zero time; it reported %d deleted", n)
			}
		}
		t.holds("Purge deletes no active record, none that never expires, and nothing before the zero time", recs...)
	}},
	{"purge-deletes-limit-at-most-and-counts", func(t *trial) {
		const sentence = "Purge deletes at most limit records and returns how many, and fewer than limit only if none is left"
		recs := samples(20)
		var stay []store.Record
		for i := range recs {
			if i%2 == 0 {
				recs[i].ExpiresAt = now.Add(-time.Hour)
			} else {
				stay = append(stay, recs[i])
			}
		}
		t.create(recs...)
		left := len(recs)
		for _, want := range []int{4, 4, 2, 0} {
			if n := t.purge(now, 4); n != want {
				t.Errorf("%s; with limit 4 it returned %d where %d was due", sentence, n, want)
			}
			left -= want
			if n := len(t.all()); n != left {
				t.Errorf("%s; %d records are kept where %d ought to be", sentence, n, left)
			}
		}
		t.holds(sentence, stay...)
	}},
	{"purge-with-a-limit-below-1-deletes-nothing", func(t *trial) {
		rec := sample(1)
		rec.ExpiresAt = now.Add(-time.Hour)
		t.create(rec)
		for _, limit := range []int{0, -1, math.MinInt} {
			if n := t.purge(now, limit); n != 0 {
				t.Errorf("Purge deletes at most limit records; with limit %d it returned %d", limit, n)
			}
		}
		t.holds("Purge with a limit below 1 deletes nothing", rec)
	}},
	{"purged-records-are-gone-wholly", func(t *trial) {
		rec := t.filled(1)
		t.create(rec)
		rec.Version = 1
		t.purge(rec.ExpiresAt.AddDate(1, 0, 0), 1)
		t.holds("a purged record is not kept")
		t.selects("a purged record is found by nothing", nil, store.Query{Owner: rec.Owner}, store.Query{Alias: rec.Alias})
		t.wants("a purged record is not found by Update", t.st.Update(t.Context(), rec), store.ErrNotFound)
		t.wants("the id and the alias of a purged record are free again", t.st.Create(t.Context(), rec, 1), nil)
		t.holds("a purged record leaves nothing in what is created under its id", rec)
	}},
	{"purge-decides-as-it-deletes", func(t *trial) {
		for round := range 20 {
			recs := samples(10)
			for i := range recs {
				recs[i].ID = id(10*round + i)
				recs[i].ExpiresAt = now.Add(-time.Hour)
			}
			t.create(recs...)
			var purged atomic.Int64
			errs := concurrently(2*len(recs), func(i int) error {
				if i%2 == 0 {
					n, err := t.st.Purge(t.Context(), now, 3)
					purged.Add(int64(n))
					return err
				}
				longer := recs[i/2]
				longer.ExpiresAt = now.Add(time.Hour)
				return t.st.Update(t.Context(), longer)
			})
			var stay []store.Record
			for i, rec := range recs {
				t.wants("Purge and Update at once do not hinder each other", errs[2*i], nil)
				if err := errs[2*i+1]; err != nil {
					t.wants("Update returns ErrNotFound for a record that was purged meanwhile", err, store.ErrNotFound)
					continue
				}
				rec.ExpiresAt, rec.Version = now.Add(time.Hour), 2
				stay = append(stay, rec)
			}
			t.holds("a record whose Update was acknowledged, so that it may stay, stays; any other is purged", stay...)
			if n, want := purged.Load(), len(recs)-len(stay); n != int64(want) {
				t.Errorf("Purge returns how many records it deleted, those that stay not counted; it returned %d for %d", n, want)
			}
			t.purge(now.AddDate(1, 0, 0), store.MaxLimit) // the next round begins with an empty store
		}
	}},
	{"purges-at-once-count-each-record-once", func(t *trial) {
		recs := samples(60)
		for i := range recs {
			recs[i].RevokedAt = now.Add(-time.Hour)
		}
		t.create(recs...)
		counts := make([]int, 8)
		errs := concurrently(len(counts), func(i int) (err error) {
			counts[i], err = t.st.Purge(t.Context(), now, 10) // more in all than there are
			return err
		})
		sum := 0
		for i, err := range errs {
			t.wants("any number of calls of Purge may run at once", err, nil)
			sum += counts[i]
		}
		if kept := len(t.all()); kept != len(recs)-sum {
			t.Errorf("of concurrent calls of Purge each returns how many it deleted itself; %d in all, and %d of %d are kept", sum, kept, len(recs))
		}
	}},
}
