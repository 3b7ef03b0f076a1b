// Package storetest holds any implementation of [store.Store] to its contract, and offers stores
// that fail in known ways for the tests of whatever uses a store.
//
// A store's own test calls [Run]. The tests of an application wrap or replace its store by
// [Failing], [FailOn], [Hanging], [Mistaken] or a [Counter].
package storetest

import (
	"context"
	"slices"
	"testing"

	"github.com/opengovsg/latchkey/store"
)

// Run holds a store to the contract written down at [store.Store], [store.Record] and [store.Query],
// one subtest a rule. The test of a store that keeps its records in memory is this line:
//
//	storetest.Run(t, func(t *testing.T) store.Store { return new(mystore.Store) })
//
// For each rule Run calls open once, with the subtest's own t, and open returns an empty store for
// that rule alone: a new one, a new schema, or the same one with every record deleted. Whatever has
// to be closed afterwards belongs in t.Cleanup. The rules run one after the other, never in
// parallel; a rule itself may call the store from some 40 goroutines. One rule writes 10 000
// records and takes as long as the store takes for that.
//
// A failing subtest states its rule in a sentence, then what was seen instead. No hash is printed.
//
// Run sees one handle in one process. That several processes on one database keep the rules among
// each other, that writes survive a crash, and that no error text holds a password or a connection
// string, is left to the store's own tests.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	t.Helper()
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			r.check(&trial{tb: t, st: open(t)})
		})
	}
}

// A rule is one sentence of the contract, or a few that stand and fall together.
type rule struct {
	name  string
	check func(t *trial)
}

var rules = slices.Concat(
	recordRules,
	createRules,
	capRules,
	readRules,
	exactRules,
	listRules,
	pagingRules,
	queryRules,
	updateRules,
	aliasRules,
	touchRules,
	purgeRules,
	contextRules,
	errorRules,
	stormRules,
)

// tb is what a rule needs of *testing.T. The suite's own test puts a recorder in its place, to see
// each rule fail on a store that breaks it.
type tb interface {
	Helper()
	Context() context.Context
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}
