package main

import (
	"context"
	"runtime"
	"time"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/keycache"
)

// maxAge is how old a cached answer may be: as it is by default, and as a service would have it.
const maxAge = 10 * time.Second

// cachedSubject is latchkey behind its cache.
func cachedSubject(keys *apikey.Service, tokens []string, where string) (*subject, error) {
	cache, err := keycache.New(keys, keycache.Config{MaxAge: maxAge})
	if err != nil {
		return nil, err
	}
	return ours(keys, cache, tokens, cached, where), nil
}

// weighCache measures what it takes to remember every key.
func weighCache(ctx context.Context, keys *apikey.Service, tokens []string) ([]weight, error) {
	before := heap()
	cache, err := keycache.New(keys, keycache.Config{MaxAge: 5 * time.Minute, MaxKeys: len(tokens)})
	if err != nil {
		return nil, err
	}
	for _, token := range tokens {
		if _, err := cache.Verify(ctx, token); err != nil {
			return nil, err
		}
	}
	w := weight{"latchkey, keycache, of the keys it remembers", len(tokens), (heap() - before) / float64(len(tokens)), false}
	runtime.KeepAlive(keys)
	runtime.KeepAlive(cache)
	return []weight{w}, nil
}
