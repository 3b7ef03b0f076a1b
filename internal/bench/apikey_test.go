package main

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

func benchVerify(b *testing.B, keys *apikey.Service, tokens []string) {
	ctx := context.Background()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := keys.Verify(ctx, tokens[i%len(tokens)]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyMemstore(b *testing.B) {
	keys := benchService(b, new(memstore.Store))
	benchVerify(b, keys, benchIssue(b, keys, 1000))
}

func BenchmarkVerifyMemstorePepper(b *testing.B) {
	pepper, err := apikey.NewPepper(slices.Repeat([]byte("x"), 32))
	if err != nil {
		b.Fatal(err)
	}
	keys := benchService(b, new(memstore.Store), pepper)
	benchVerify(b, keys, benchIssue(b, keys, 1000))
}

func BenchmarkVerifyMemstoreParallel(b *testing.B) {
	keys := benchService(b, new(memstore.Store))
	tokens := benchIssue(b, keys, 1000)
	ctx := context.Background()
	var start atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := int(start.Add(500)); pb.Next(); i++ {
			if _, err := keys.Verify(ctx, tokens[i%len(tokens)]); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkRefuseMalformed(b *testing.B) {
	keys := benchService(b, new(memstore.Store))
	token := benchIssue(b, keys, 1)[0]
	last := "x"
	if token[len(token)-1:] == last {
		last = "y"
	}
	token = token[:len(token)-1] + last // found out by the checksum, the last thing looked at
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := keys.Verify(ctx, token); err != apikey.ErrMalformed {
			b.Fatal(err)
		}
	}
}

// discard is a store that keeps nothing.
type discard struct{}

func (discard) Create(context.Context, store.Record, int) error { return nil }
func (discard) Get(context.Context, string) (store.Record, error) {
	return store.Record{}, store.ErrNotFound
}
func (discard) List(context.Context, store.Query) ([]store.Record, error) { return nil, nil }
func (discard) Update(context.Context, store.Record) error                { return errors.ErrUnsupported }
func (discard) Touch(context.Context, []store.Use) error                  { return nil }
func (discard) Purge(context.Context, time.Time, int) (int, error)        { return 0, nil }

func BenchmarkIssue(b *testing.B) {
	keys := benchService(b, discard{})
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := keys.Issue(ctx, apikey.Request{Owner: "user_42", Label: "HR reminders"}); err != nil {
			b.Fatal(err)
		}
	}
}
