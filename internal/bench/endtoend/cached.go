package main

import (
	"context"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/keycache"
)

// verifierOf returns what the guard of a server asks, and what is to run beside it.
func verifierOf(name string, keys *apikey.Service) (apikey.Verifier, func(context.Context) error, error) {
	if name != cached {
		return keys, func(context.Context) error { return nil }, nil
	}
	cache, err := keycache.New(keys, keycache.Config{})
	if err != nil {
		return nil, nil, err
	}
	return cache, cache.Run, nil
}
