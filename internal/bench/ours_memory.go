package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

// prefix begins the tokens of every service here.
const prefix = "postman_live"

func newService(st store.Store, peppers ...apikey.Pepper) (*apikey.Service, error) {
	return apikey.New(st, apikey.Config{
		Prefix: prefix, Scopes: []string{"email:*"}, MaxPerOwner: 1_000_000, Peppers: peppers,
	})
}

// issue issues n keys and returns their tokens.
func issue(ctx context.Context, keys *apikey.Service, n int) ([]string, error) {
	tokens := make([]string, n)
	for i := range tokens {
		token, _, err := keys.Issue(ctx, apikey.Request{
			Owner: "user_42", Label: "HR reminders", Scopes: []string{"email:send"}, Contacts: []string{"team@agency.gov.sg"},
		})
		if err != nil {
			return nil, err
		}
		tokens[i] = token.Reveal()
	}
	return tokens, nil
}

// newPepper returns a pepper of this run.
func newPepper() (apikey.Pepper, error) {
	var key [32]byte
	rand.Read(key[:])
	return apikey.NewPepper(key[:])
}

// A runner is a verifier with what an application runs beside it: the service, which writes last uses
// meanwhile, or what stands in front of it.
type runner interface {
	apikey.Verifier
	Run(ctx context.Context) error
}

// ours is latchkey. Changes go through the service.
func ours(keys *apikey.Service, v runner, tokens []string, variant, where string) *subject {
	var changes atomic.Int64
	stop := background(v.Run)
	return &subject{
		name:   "latchkey" + variant,
		origin: originOurs,
		where:  where,
		does:   does[variant],
		tokens: tokens,
		warms:  variant == cached,
		verifier: func() verify {
			return func(ctx context.Context, token string) (bool, error) {
				_, err := v.Verify(ctx, token)
				if errors.Is(err, apikey.ErrInvalid) {
					return false, nil
				}
				return err == nil, err
			}
		},
		wrong:   respell,
		garbage: floorGarbage,
		change: func(ctx context.Context, token string) error {
			_, err := keys.Update(ctx, apikey.AnyOwner(token[13:33]), apikey.Changes{
				Label: new(fmt.Sprint("HR reminders ", changes.Add(1))),
			})
			return err
		},
		close: stop,
	}
}

// background runs something that ends with its context, and returns what ends it.
func background(run func(ctx context.Context) error) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	return func() error {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			return err
		}
		return nil
	}
}

// The variants of latchkey that are measured beside its bare service, and what each does.
const (
	peppered = " with a pepper"
	cached   = " cached"
)

var does = map[string]string{
	"":       "the service on its store: SHA-256; last use and counts are noted",
	peppered: "the same with HMAC-SHA-256 under a pepper that is not in the database",
	cached:   "package keycache in front of the service, as it is by default",
}

// memorySubjects are the floor and latchkey in memory, with n keys each.
func memorySubjects(ctx context.Context, n int, withPepper bool, tick func(n int)) (subjects []*subject, err error) {
	plain, err := newService(new(memstore.Store))
	if err != nil {
		return nil, err
	}
	tokens, err := issueMany(ctx, plain, n, issued, tick)
	if err != nil {
		return nil, err
	}
	subjects = []*subject{floorSubject(n), ours(plain, plain, tokens, "", inMemory)}
	front, err := cachedSubject(plain, tokens, inMemory)
	if err != nil {
		return subjects, err
	}
	if front != nil {
		subjects = append(subjects, front)
	}
	if !withPepper {
		return subjects, nil
	}
	pepper, err := newPepper()
	if err != nil {
		return subjects, err
	}
	keys, err := newService(new(memstore.Store), pepper)
	if err != nil {
		return subjects, err
	}
	if tokens, err = issueMany(ctx, keys, n, issued, tick); err != nil {
		return subjects, err
	}
	return append(subjects, ours(keys, keys, tokens, peppered, inMemory)), nil
}
