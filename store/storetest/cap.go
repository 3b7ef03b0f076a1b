package storetest

import (
	"fmt"
	"math"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// decades are instants to count at. None is near the present, so a store that counts at the time
// of its own clock is wrong at one of them at least.
var decades = []time.Time{
	time.Date(1990, time.June, 1, 0, 0, 0, 5_000, time.UTC),
	time.Date(2090, time.June, 1, 0, 0, 0, 5_000, time.UTC),
}

var capRules = []rule{
	{"cap-holds-under-40-concurrent-creates", func(t *trial) {
		const sentence = "counting and keeping are one atomic step: 40 concurrent calls of Create with max 5 keep exactly 5 records and return ErrLimit for 35"
		// Many times over: where counting and keeping take a microsecond, it takes some for two
		// calls to meet.
		for round := range 20 {
			recs := samples(40)
			owner := fmt.Sprintf("owner %d", round)
			for i := range recs {
				recs[i].ID, recs[i].Owner = id(100*round+i), owner
			}
			errs := concurrently(len(recs), func(i int) error {
				return t.st.Create(t.Context(), recs[i], 5)
			})
			if n := t.tally(sentence, errs, store.ErrLimit); n != 5 {
				t.Errorf("%s; %d returned no error", sentence, n)
				return
			}
			if n := len(t.list(store.Query{Owner: owner, Limit: store.MaxLimit})); n != 5 {
				t.Errorf("%s; %d are kept", sentence, n)
				return
			}
		}
	}},
	{"cap-allows-max-and-no-more", func(t *trial) {
		recs := samples(5)
		for i, rec := range recs[:4] {
			t.wants("Create with max 4 keeps 4 records", t.st.Create(t.Context(), rec, 4), nil)
			t.wants(fmt.Sprintf("Create with max %[1]d returns ErrLimit where %[1]d active records are kept", i+1),
				t.st.Create(t.Context(), recs[4], i+1), store.ErrLimit)
		}
		t.wants("Create with max 1 returns ErrLimit where more than that are kept already",
			t.st.Create(t.Context(), recs[4], 1), store.ErrLimit)
		t.wants("Create with max 5 keeps a record where 4 active ones are kept", t.st.Create(t.Context(), recs[4], 5), nil)
	}},
	{"cap-counts-no-revoked-and-no-expired-records", func(t *trial) {
		for d, at := range decades {
			recs := samples(7)
			for i := range recs {
				recs[i].ID = id(10*d + i)
				recs[i].Owner = fmt.Sprintf("owner %d", d)
				recs[i].CreatedAt, recs[i].UpdatedAt = at, at
			}
			recs[0].RevokedAt = at.Add(-time.Hour)
			recs[1].RevokedAt = at
			recs[2].RevokedAt = at.Add(time.Hour) // by an instance whose clock is ahead
			recs[3].ExpiresAt = at.Add(-time.Hour)
			recs[4].ExpiresAt, recs[4].RevokedAt = at.Add(time.Hour), at
			t.create(recs[:5]...)
			t.wants("revoked and expired records leave room under the cap", t.st.Create(t.Context(), recs[5], 1), nil)
			t.wants("the one active record fills a cap of 1", t.st.Create(t.Context(), recs[6], 1), store.ErrLimit)

			revoked := recs[5]
			revoked.RevokedAt = at
			t.update(revoked)
			t.wants("a record revoked by Update leaves room under the cap", t.st.Create(t.Context(), recs[6], 1), nil)
		}
	}},
	{"cap-counts-at-updated-at", func(t *trial) {
		for d, at := range decades {
			for i, c := range []struct {
				expires time.Time
				want    error
				why     string
			}{
				{at.Add(-time.Microsecond), nil, "a record that expired 1 µs before rec.UpdatedAt is not counted"},
				{at, nil, "a record that expires exactly at rec.UpdatedAt is expired and not counted"},
				{at.Add(time.Microsecond), store.ErrLimit, "a record that expires 1 µs after rec.UpdatedAt is active and counted"},
				{time.Time{}, store.ErrLimit, "a record that never expires is counted"},
			} {
				kept := sample(10*d + 2*i)
				kept.Owner = fmt.Sprintf("owner %d %d", d, i)
				kept.ExpiresAt = c.expires
				t.create(kept)
				rec := sample(10*d + 2*i + 1)
				rec.Owner = kept.Owner
				rec.CreatedAt, rec.UpdatedAt = now, at
				t.wants(c.why, t.st.Create(t.Context(), rec, 1), c.want)
			}
		}
	}},
	{"cap-counts-one-owner-under-every-prefix", func(t *trial) {
		recs := samples(5)
		recs[1].Prefix = "postman_test"
		recs[2].Owner, recs[3].Owner = "user_43", "USER_42"
		recs[4].Prefix = "postman_other"
		t.create(recs[:4]...)
		t.wants("records of every prefix count towards the cap of their owner", t.st.Create(t.Context(), recs[4], 2), store.ErrLimit)
		t.wants("records of other owners do not count towards the cap", t.st.Create(t.Context(), recs[4], 3), nil)
	}},
	{"cap-of-0-or-below-is-none", func(t *trial) {
		for i, max := range []int{0, 0, -1, math.MinInt, 0} {
			t.wants("Create counts only if max is greater than zero", t.st.Create(t.Context(), sample(i), max), nil)
		}
	}},
	{"cap-yields-to-a-taken-id", func(t *trial) {
		const sentence = "Create returns ErrExists where an id or an alias is taken, also if the owner is full: whoever repeats a Create whose answer was lost must learn that it is kept"
		kept, other := t.filled(1), t.filled(2)
		kept.ExpiresAt, kept.RevokedAt = time.Time{}, time.Time{} // active, so that its owner is full
		t.create(kept)
		other.Owner, other.Alias = kept.Owner, kept.Alias
		third := sample(3)
		third.Owner = kept.Owner
		t.wants("the one active record fills a cap of 1", t.st.Create(t.Context(), third, 1), store.ErrLimit)
		t.wants(sentence, t.st.Create(t.Context(), kept, 1), store.ErrExists)
		t.wants(sentence, t.st.Create(t.Context(), other, 1), store.ErrExists)
	}},
	{"cap-refusal-leaves-nothing", func(t *trial) {
		const sentence = "a Create that returns ErrLimit keeps nothing"
		first := sample(1)
		t.create(first)
		refused := t.filled(2)
		refused.Owner = first.Owner
		t.wants("a full owner is refused, also a record that would not count itself", t.st.Create(t.Context(), refused, 1), store.ErrLimit)
		t.holds(sentence, first)
		t.wants(sentence+", so that its id and its alias are free", t.st.Create(t.Context(), refused, 2), nil)
	}},
}
