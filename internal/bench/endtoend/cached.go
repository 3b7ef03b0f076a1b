package main

import (
	"context"

	"github.com/opengovsg/latchkey/apikey"
)

// verifierOf returns what the guard of a server asks, and what is to run beside it.
func verifierOf(name string, keys *apikey.Service) (apikey.Verifier, func(context.Context) error, error) {
	return keys, func(context.Context) error { return nil }, nil
}
