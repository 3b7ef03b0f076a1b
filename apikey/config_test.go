package apikey_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

func TestNewRefuses(t *testing.T) {
	pepper, err := apikey.NewPepper(slices.Repeat([]byte("x"), 32))
	require.NoError(t, err)
	for i, bad := range []struct {
		field  string
		config apikey.Config
	}{
		{"Prefix", apikey.Config{}},
		{"Prefix", apikey.Config{Prefix: "Acme"}},
		{"Peppers", apikey.Config{Prefix: "a", Peppers: []apikey.Pepper{{}}}},
		{"Peppers", apikey.Config{Prefix: "a", Peppers: []apikey.Pepper{pepper, pepper}}},
		{"Peppers", apikey.Config{Prefix: "a", Peppers: []apikey.Pepper{apikey.NoPepper, apikey.NoPepper}}},
		{"Scopes", apikey.Config{Prefix: "a", Scopes: []string{"*"}}},
		{"Scopes", apikey.Config{Prefix: "a", Scopes: []string{"a:b", "a:b"}}},
		{"MaxTTL", apikey.Config{Prefix: "a", MaxTTL: -1}},
		{"MaxTTL", apikey.Config{Prefix: "a", MaxTTL: 1}},
		{"MaxTTL", apikey.Config{Prefix: "a", MaxTTL: 100*366*24*time.Hour + 1}},
		{"DefaultTTL", apikey.Config{Prefix: "a", DefaultTTL: -1}},
		{"DefaultTTL", apikey.Config{Prefix: "a", DefaultTTL: 367 * 24 * time.Hour}},
		{"DefaultTTL", apikey.Config{Prefix: "a", DefaultTTL: 2 * time.Hour, MaxTTL: time.Hour}},
		{"MaxPerOwner", apikey.Config{Prefix: "a", MaxPerOwner: -1}},
		{"MaxPerOwner", apikey.Config{Prefix: "a", MaxPerOwner: 1_000_001}},
	} {
		keys, err := apikey.New(new(memstore.Store), bad.config)
		require.Nil(t, keys)
		var arg *apikey.ArgumentError
		require.ErrorAs(t, err, &arg, i)
		require.Equal(t, bad.field, arg.Field, i)
		require.ErrorIs(t, err, apikey.ErrInvalidArgument)
	}
	for _, none := range []store.Store{nil, (*memstore.Store)(nil)} {
		_, err = apikey.New(none, apikey.Config{Prefix: "a"})
		require.ErrorIs(t, err, apikey.ErrInvalidArgument)
	}
}

func TestNewPepperRefusesShortKeys(t *testing.T) {
	for _, n := range []int{0, 1, 14, 31} {
		_, err := apikey.NewPepper(make([]byte, n))
		require.ErrorIs(t, err, apikey.ErrInvalidArgument)
		require.Contains(t, err.Error(), "32")
	}
	key := slices.Repeat([]byte("x"), 32)
	pepper, err := apikey.NewPepper(key)
	require.NoError(t, err)
	before := pepper.ID()
	clear(key)
	again, err := apikey.NewPepper(slices.Repeat([]byte("x"), 32))
	require.NoError(t, err)
	require.Equal(t, before, again.ID(), "the id is derived from the key")
	require.Len(t, before, 8)
}

// TestZeroService holds M36: a service that nobody made opens nothing and breaks nothing.
func TestZeroService(t *testing.T) {
	for _, keys := range []*apikey.Service{nil, {}} {
		ctx := t.Context()
		ref := apikey.Ref{Owner: "user_42", ID: "00000000000000000000"}
		var errs []error
		_, err := keys.Verify(ctx, "_01m83pph00zab5rrb146_RfHk7hp3ILTgK2y3mH3UqtmaFCrvkUb7keKpQPXNubf1DZ5bW")
		errs = append(errs, err)
		_, _, err = keys.Issue(ctx, apikey.Request{Owner: "user_42", Label: "x"})
		errs = append(errs, err)
		_, err = keys.Get(ctx, ref)
		errs = append(errs, err)
		_, err = keys.List(ctx, "user_42", apikey.Page{})
		errs = append(errs, err)
		for _, err := range keys.All(ctx, "user_42") {
			errs = append(errs, err)
		}
		_, err = keys.Update(ctx, ref, apikey.Changes{})
		errs = append(errs, err)
		_, err = keys.Revoke(ctx, ref, "")
		errs = append(errs, err)
		_, err = keys.RevokeAll(ctx, "user_42", "")
		errs = append(errs, err)
		_, err = keys.Purge(ctx, time.Time{})
		errs = append(errs, err)
		require.Len(t, errs, 9)
		for i, err := range errs {
			require.ErrorIs(t, err, apikey.ErrUnavailable, i)
		}
	}
}

func TestWithStore(t *testing.T) {
	a, b := new(memstore.Store), new(memstore.Store)
	onA, err := apikey.New(a, apikey.Config{Prefix: "acme"})
	require.NoError(t, err)
	onB := onA.WithStore(b)
	token, _, err := onB.Issue(t.Context(), apikey.Request{Owner: "user_42", Label: "x"})
	require.NoError(t, err)
	_, err = onB.Verify(t.Context(), token.Reveal())
	require.NoError(t, err)
	_, err = onA.Verify(t.Context(), token.Reveal())
	require.ErrorIs(t, err, apikey.ErrUnknown)
	require.PanicsWithValue(t, "apikey: WithStore: the store is nil", func() { onA.WithStore(nil) })
	require.Panics(t, func() { onA.WithStore((*memstore.Store)(nil)) })
}

func TestScopes(t *testing.T) {
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme", Scopes: []string{"email:*", "sms:send", "sms:read"}})
	require.NoError(t, err)
	_, key, err := keys.Issue(t.Context(), apikey.Request{Owner: "user_42", Label: "x", Scopes: []string{"email:*", "sms:send"}})
	require.NoError(t, err)
	for _, scope := range []string{"email:send", "email:read", "email:*", "sms:send"} {
		require.True(t, key.Allows(scope), scope)
	}
	for _, scope := range []string{
		"", " ", "*", "email", "email:", "emailing:send", "sms:read", "sms:*", "sms:sending", "sms:sen", "SMS:send", "email:* sms:send", ":", ":send",
	} {
		require.False(t, key.Allows(scope), scope)
	}
	require.False(t, apikey.Key{}.Allows(""))
	require.NotNil(t, apikey.Key{}.Scopes(), "an empty ceiling must not turn into none")
	for _, scope := range []string{"a:b", "a:*", "A.b_c-d/e:F0", "a:" + strings.Repeat("x", 98)} {
		require.True(t, apikey.ValidScope(scope), scope)
	}
	for _, scope := range []string{"", "a", ":", "a:", ":b", "*:b", "a:**", "a:b:c", "a b:c", `a:"`, `a:\`, "é:b", "a:\x00", "a:" + strings.Repeat("x", 99)} {
		require.False(t, apikey.ValidScope(scope), scope)
	}
}

type otherKey struct{}

func TestContext(t *testing.T) {
	ctx := context.WithValue(t.Context(), otherKey{}, "kept")
	_, ok := apikey.FromContext(ctx)
	require.False(t, ok)
	key := apikey.Key{ID: "01m83pph00zab5rrb146", Owner: "user_42"}
	ctx = apikey.NewContext(ctx, key)
	key.Owner = "eve"
	for range 2 {
		got, ok := apikey.FromContext(ctx)
		require.True(t, ok)
		require.Equal(t, "user_42", got.Owner)
		got.Owner = "eve" // a copy: what a handler does to it reaches nobody else
	}
	require.Equal(t, "kept", ctx.Value(otherKey{}))
	inner, ok := apikey.FromContext(apikey.NewContext(ctx, apikey.Key{Owner: "user_43"}))
	require.True(t, ok)
	require.Equal(t, "user_43", inner.Owner, "the innermost key counts")
	require.NotContains(t, fmt.Sprint(ctx), "user_42", "a context that is printed tells nothing of the key")
}
