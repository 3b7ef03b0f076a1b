package main

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/keycache"
	"github.com/opengovsg/latchkey/memstore"
)

// longest is as long as answers may be remembered.
const longest = 5 * time.Minute

// newCache returns a cache that remembers n tokens for as long as it may.
func newCache(b *testing.B, n int) (*keycache.Cache, []string) {
	b.Helper()
	keys := benchService(b, new(memstore.Store))
	cache, err := keycache.New(keys, keycache.Config{MaxAge: longest})
	if err != nil {
		b.Fatal(err)
	}
	tokens := benchIssue(b, keys, n)
	for _, token := range tokens {
		if _, err := cache.Verify(context.Background(), token); err != nil {
			b.Fatal(err)
		}
	}
	return cache, tokens
}

func BenchmarkCacheHit(b *testing.B) {
	cache, tokens := newCache(b, 1000)
	ctx := context.Background()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := cache.Verify(ctx, tokens[i%len(tokens)]); err != nil {
			b.Fatal(err)
		}
	}
	requireHits(b, cache)
}

func BenchmarkCacheHitParallel(b *testing.B) {
	cache, tokens := newCache(b, 1000)
	ctx := context.Background()
	var start atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := int(start.Add(500)); pb.Next(); i++ {
			if _, err := cache.Verify(ctx, tokens[i%len(tokens)]); err != nil {
				b.Error(err)
			}
		}
	})
	requireHits(b, cache)
}

// BenchmarkCacheHitOne is what one client that keeps all cores busy costs.
func BenchmarkCacheHitOne(b *testing.B) {
	cache, tokens := newCache(b, 1)
	ctx := context.Background()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := cache.Verify(ctx, tokens[0]); err != nil {
				b.Error(err)
			}
		}
	})
	requireHits(b, cache)
}

// BenchmarkCacheMiss is a load from memory, each of a token that is then forgotten.
func BenchmarkCacheMiss(b *testing.B) {
	cache, tokens := newCache(b, 1000)
	keys, err := cacheIDs(tokens)
	if err != nil {
		b.Fatal(err)
	}
	ctx := context.Background()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		cache.Forget(keys[i%len(keys)])
		if _, err := cache.Verify(ctx, tokens[i%len(tokens)]); err != nil {
			b.Fatal(err)
		}
	}
	if s := cache.Stats(); s.Hits > 0 {
		b.Fatal("it hit")
	}
}

// BenchmarkRatioCacheHit compares with the floor of a verification, in turns.
func BenchmarkRatioCacheHit(b *testing.B) {
	cache, tokens := newCache(b, 1000)
	f, floorTokens := newFloor(1000, 1000)
	ctx := context.Background()
	benchRatio(b, func() error {
		for i := range 2000 {
			if _, err := cache.Verify(ctx, tokens[i%len(tokens)]); err != nil {
				return err
			}
		}
		return nil
	}, func() error {
		for i := range 2000 {
			if !f.verify(floorTokens[i%len(floorTokens)]) {
				return apikey.ErrInvalid
			}
		}
		return nil
	})
	requireHits(b, cache)
}

func cacheIDs(tokens []string) (ids []string, err error) {
	format, err := apikey.NewFormat("postman_live")
	if err != nil {
		return nil, err
	}
	for _, token := range tokens {
		id, err := format.Parse(token)
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// requireHits asserts that it was the cache that was measured: it asked the service for each token once.
func requireHits(b *testing.B, cache *keycache.Cache) {
	b.Helper()
	if s := cache.Stats(); s.Loads != int64(s.Keys) || s.Hits == 0 {
		b.Fatalf("%d loads of %d keys, %d hits", s.Loads, s.Keys, s.Hits)
	}
}
