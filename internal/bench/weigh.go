package main

import (
	"context"
	"fmt"
	"runtime"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
)

// A weight is how much memory a key takes.
type weight struct {
	name  string
	keys  int
	bytes float64 // of the heap, for each key

	resident bool // for every key there is, and not for those in use
}

// heap returns how many bytes are in use after what can go has gone.
func heap() float64 {
	runtime.GC()
	runtime.GC() // what pools and finalizers kept goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// weigh measures how much memory n keys take, each with an owner, a label, a scope and a contact of its own.
func weigh(ctx context.Context, n int, tick func(n int)) ([]weight, error) {
	var weights []weight
	before := heap()
	floor, _ := newFloor(n, 1)
	weights = append(weights, weight{"floor: a map of hashes and expiries by id", n, (heap() - before) / float64(n), true})
	runtime.KeepAlive(floor)
	floor = nil

	before = heap()
	keys, err := newService(new(memstore.Store))
	if err != nil {
		return nil, err
	}
	tokens, err := issueMany(ctx, keys, n, n, tick)
	if err != nil {
		return nil, err
	}
	// The tokens are the clients' and not the store's: each is a header of 16 bytes and 83 characters,
	// which the allocator rounds up to 96.
	store := heap() - before - float64(n)*(16+96)
	weights = append(weights, weight{"latchkey, memstore", n, store / float64(n), true})
	more, err := weighCache(ctx, keys, tokens)
	runtime.KeepAlive(tokens)
	return append(weights, more...), err
}

// issueMany issues n keys, fifty to an owner, and returns the tokens of some that lie evenly among them.
func issueMany(ctx context.Context, keys *apikey.Service, n, wanted int, tick func(n int)) ([]string, error) {
	tokens := make([]string, 0, wanted)
	for i := range n {
		token, _, err := keys.Issue(ctx, apikey.Request{
			Owner: fmt.Sprint("team_", i/50), Label: fmt.Sprint("HR reminders ", i),
			Scopes: []string{"email:send"}, Contacts: []string{fmt.Sprintf("team%d@agency.gov.sg", i)},
		})
		if err != nil {
			return nil, err
		}
		if i%(n/wanted) == 0 && len(tokens) < wanted {
			tokens = append(tokens, token.Reveal())
		}
		if (i+1)%1000 == 0 {
			tick(1000)
		}
	}
	return tokens, nil
}
