package storetest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/opengovsg/latchkey/store"
)

// RuleNames returns the names of all rules in the order in which Run tries them.
func RuleNames() []string {
	var names []string
	for _, r := range rules {
		names = append(names, r.name)
	}
	return names
}

// ShowsHash reports whether the text shows the hash of a sample or a filled record.
func ShowsHash(text string) bool {
	return slices.ContainsFunc(samples(20), func(rec store.Record) bool { return shows(text, rec.Hash) })
}

// Failures tries the rule of the given name on st and returns what it reported.
func Failures(ctx context.Context, name string, st store.Store) []string {
	rec := &recorder{ctx: ctx}
	for _, r := range rules {
		if r.name == name {
			done := make(chan struct{})
			go func() {
				defer close(done)
				r.check(&trial{tb: rec, st: st})
			}()
			<-done
		}
	}
	return rec.failures
}

// A recorder stands in for *testing.T.
type recorder struct {
	ctx      context.Context
	mu       sync.Mutex
	failures []string
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}
