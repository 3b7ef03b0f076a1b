package storetest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

// TestRun requires that memstore passes, and that each rule has a subtest and a store of its own.
// Since a second subtest of one name is given another, no two rules share theirs.
func TestRun(t *testing.T) {
	var opened []string
	storetest.Run(t, func(sub *testing.T) store.Store {
		opened = append(opened, strings.TrimPrefix(sub.Name(), t.Name()+"/"))
		return new(memstore.Store)
	})
	if !slices.Equal(opened, storetest.RuleNames()) {
		t.Errorf("stores were opened for %q", opened)
	}
	if len(opened) < 50 {
		t.Errorf("there are only %d rules", len(opened))
	}
}

// TestFailuresShowNoHash requires that a rule that meets a wrong hash says so without showing it,
// or the right one.
func TestFailuresShowNoHash(t *testing.T) {
	swap := func(rec *store.Record) { rec.Hash = rec.Hash[1:] + rec.Hash[:1] }
	for _, rule := range []string{"create-and-get-keep-every-field", "update-replaces-every-field-but-six", "create-refuses-a-taken-id"} {
		failures := storetest.Failures(t.Context(), rule, gets(swap)())
		if len(failures) == 0 {
			t.Errorf("%s does not see a wrong hash", rule)
		}
		for _, failure := range failures {
			if !strings.Contains(failure, "Hash") || storetest.ShowsHash(failure) {
				t.Errorf("%s does not say that a hash is wrong, or shows it", rule)
			}
		}
	}
}
