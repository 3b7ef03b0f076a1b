package apikey_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
)

// TestState looks at a key on both sides of each instant, in the words that a query may use.
func TestState(t *testing.T) {
	end := time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		key  apikey.Key
		at   time.Time
		want string
	}{
		{apikey.Key{}, end, "active"},
		{apikey.Key{}, time.Time{}, "active"},
		{apikey.Key{ExpiresAt: end}, end.Add(-1), "active"},
		{apikey.Key{ExpiresAt: end}, end, "expired"},
		{apikey.Key{ExpiresAt: end}, end.In(time.FixedZone("", -60*60)), "expired"},
		{apikey.Key{RevokedAt: end}, end, "revoked"},
		{apikey.Key{RevokedAt: end}, end.Add(-time.Hour), "revoked"},
		{apikey.Key{RevokedAt: end, ExpiresAt: end}, end.Add(time.Hour), "revoked"},
	} {
		require.Equal(t, apikey.State(c.want), c.key.State(c.at), "%+v at %v", c.key, c.at)
	}
}

// TestKeyLogsNoPeople logs a key with all there is to it.
func TestKeyLogsNoPeople(t *testing.T) {
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme"})
	require.NoError(t, err)
	_, key, err := keys.Issue(t.Context(), apikey.Request{
		Owner: "user_42", Label: "HR reminders", Contacts: []string{"ann@example.com"}, Metadata: map[string]string{"manager": "Ann"},
	})
	require.NoError(t, err)
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("used", "key", key)
	var line map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &line))
	require.Equal(t, map[string]any{"id": key.ID, "owner": "user_42", "label": "HR reminders"}, line["key"])
}

// TestContextPrintsNoKey holds the words of a printed context, and its price.
func TestContextPrintsNoKey(t *testing.T) {
	key := apikey.Key{ID: "01m83pph00zab5rrb146", Owner: "user_42"}
	ctx := apikey.NewContext(context.Background(), key)
	require.Equal(t, "context.Background.WithKey", fmt.Sprint(ctx))
	require.Equal(t, "context.Background.WithKey.WithKey", fmt.Sprint(apikey.NewContext(ctx, key)))
	require.Equal(t, 1.0, testing.AllocsPerRun(100, func() { ctx = apikey.NewContext(context.Background(), key) }))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if got, ok := apikey.FromContext(ctx); !ok || got.ID != key.ID {
			t.Error("not the key")
		}
	}))
}
