package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// A trial is one rule being tried on one store. Its methods named like those of a Store call the
// store where the contract allows no error, and end the rule if there is one.
type trial struct {
	tb
	st store.Store
}

func (t *trial) create(recs ...store.Record) {
	t.Helper()
	for _, rec := range recs {
		if err := t.st.Create(t.Context(), rec, 0); err != nil {
			t.Fatalf("Create keeps a record whose id and alias are new; for id %q and alias %q it returned the error %q",
				rec.ID, rec.Alias, err)
		}
	}
}

func (t *trial) get(id string) store.Record {
	t.Helper()
	rec, err := t.st.Get(t.Context(), id)
	if err != nil {
		t.Fatalf("Get returns a record that is kept; for id %q it returned the error %q", id, err)
	}
	return rec
}

func (t *trial) list(q store.Query) []store.Record {
	t.Helper()
	recs, err := t.st.List(t.Context(), q)
	if err != nil {
		t.Fatalf("List returns what is selected, or an empty result; for %s it returned the error %q", describe(q), err)
	}
	return recs
}

func (t *trial) all() []store.Record {
	t.Helper()
	return t.list(store.Query{Limit: store.MaxLimit})
}

func (t *trial) update(rec store.Record) {
	t.Helper()
	if err := t.st.Update(t.Context(), rec); err != nil {
		t.Fatalf("Update replaces the record that has the ID, Owner and Version given; it returned the error %q", err)
	}
}

func (t *trial) touch(uses ...store.Use) {
	t.Helper()
	if err := t.st.Touch(t.Context(), uses); err != nil {
		t.Fatalf("Touch takes any uses, of ids kept and not kept; for %d of them it returned the error %q", len(uses), err)
	}
}

func (t *trial) purge(before time.Time, limit int) int {
	t.Helper()
	n, err := t.st.Purge(t.Context(), before, limit)
	if err != nil {
		t.Fatalf("Purge deletes at most limit records, and none is no error; it returned the error %q", err)
	}
	return n
}

// wants requires that err is the one decision wanted, nil included, and none of the others.
func (t *trial) wants(sentence string, err, want error) {
	t.Helper()
	switch {
	case err == nil && want != nil:
		t.Errorf("%s; it returned no error", sentence)
	case !errors.Is(err, want):
		t.Errorf("%s; it returned the error %q", sentence, err)
	}
	for _, other := range []error{store.ErrNotFound, store.ErrExists, store.ErrLimit, store.ErrConflict} {
		if other != want && errors.Is(err, other) {
			t.Errorf("%s; the error returned also says %q", sentence, other)
		}
	}
}

// same requires that got is want, field by field and with ==, and reports whether it is.
func (t *trial) same(sentence string, got, want store.Record) bool {
	t.Helper()
	diff := differences(got, want)
	if diff != "" {
		t.Errorf("%s; seen instead: %s", sentence, diff)
	}
	return diff == ""
}

// holds requires that the store holds exactly the records given, in any order.
func (t *trial) holds(sentence string, want ...store.Record) {
	t.Helper()
	want = newestFirst(want)
	got := t.all()
	t.sameIDs(sentence, got, want)
	for i := range min(len(got), len(want)) {
		if got[i].ID == want[i].ID {
			t.same(sentence, got[i], want[i])
		}
	}
	for _, rec := range want {
		t.same(sentence, t.get(rec.ID), rec)
	}
}

// sameIDs requires that got are the records of want, in the same order.
func (t *trial) sameIDs(sentence string, got, want []store.Record) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("%s; %d records came where %d were due, the first one missing is %q", sentence, len(got), len(want), want[i].ID)
		case i >= len(want):
			t.Errorf("%s; %d records came where %d were due, the first one too many is %q", sentence, len(got), len(want), got[i].ID)
		case got[i].ID != want[i].ID:
			t.Errorf("%s; %d records came where %d were due, and number %d is %q instead of %q",
				sentence, len(got), len(want), i+1, got[i].ID, want[i].ID)
		default:
			continue
		}
		return
	}
}

// newestFirst returns the records in the order of List.
func newestFirst(recs []store.Record) []store.Record {
	recs = slices.Clone(recs)
	slices.SortFunc(recs, func(a, b store.Record) int { return strings.Compare(b.ID, a.ID) })
	return recs
}

// differences tells in which fields got is not want, or is empty. It prints no hash.
func differences(got, want store.Record) string {
	var diffs []string
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range g.NumField() {
		a, b := g.Field(i).Interface(), w.Field(i).Interface()
		if a == b {
			continue
		}
		name := g.Type().Field(i).Name
		switch b := b.(type) {
		case store.Hash:
			diffs = append(diffs, fmt.Sprintf("%s, one of %d bytes and not the %d bytes given", name, len(a.(store.Hash)), len(b)))
		case time.Time:
			diff := fmt.Sprintf("%s %v, not %v", name, a, b)
			if b.Equal(a.(time.Time)) {
				diff += ", the same instant but not equal with =="
			}
			diffs = append(diffs, diff)
		case string:
			diffs = append(diffs, fmt.Sprintf("%s %.40q of %d bytes, not %.40q of %d bytes", name, a, len(a.(string)), b, len(b)))
		default:
			diffs = append(diffs, fmt.Sprintf("%s %v, not %v", name, a, b))
		}
	}
	return strings.Join(diffs, "; ")
}

// describe prints the fields of q that are set.
func describe(q store.Query) string {
	var set []string
	v := reflect.ValueOf(q)
	for i := range v.NumField() {
		if f := v.Field(i); !f.IsZero() {
			set = append(set, fmt.Sprintf("%s: %v", v.Type().Field(i).Name, f.Interface()))
		}
	}
	return "Query{" + strings.Join(set, ", ") + "}"
}

// concurrently makes n calls at once and returns what each of them returned.
func concurrently(n int, call func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = call(i)
		})
	}
	close(start)
	wg.Wait()
	return errs
}

// tally requires that each of errs is nil or the one decision given, and counts the nils.
func (t *trial) tally(sentence string, errs []error, decision error) int {
	t.Helper()
	done := 0
	for _, err := range errs {
		if err == nil {
			done++
		} else {
			t.wants(sentence, err, decision)
		}
	}
	return done
}
