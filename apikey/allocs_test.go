package apikey_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
)

func TestVerifyAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Log("sync.Pool drops at random under the race detector; counting the plain hash only")
	}
	pepper, err := apikey.NewPepper(slices.Repeat([]byte("x"), 32))
	require.NoError(t, err)
	for name, peppers := range map[string][]apikey.Pepper{"sha256": nil, "hmac-sha256": {pepper}} {
		if raceEnabled && peppers != nil {
			continue
		}
		keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme_live", Peppers: peppers, Scopes: []string{"email:*"}})
		require.NoError(t, err)
		issued, first, err := keys.Issue(t.Context(), apikey.Request{
			Owner: "user_42", Label: "x", Scopes: []string{"email:*"}, Contacts: []string{"a@example.com"}, ExpiresIn: time.Hour,
		})
		require.NoError(t, err)
		token := issued.Reveal()
		ctx := t.Context()
		require.Zero(t, testing.AllocsPerRun(100, func() {
			key, err := keys.Verify(ctx, token)
			if err != nil || !key.Allows("email:send") {
				t.Error("refused")
			}
		}), name)
		rotated, key, err := keys.Rotate(ctx, apikey.Ref{Owner: "user_42", ID: first.ID}, apikey.Rotation{})
		require.NoError(t, err)
		for text, superseded := range map[string]bool{rotated.Reveal(): false, token: true} {
			require.Zero(t, testing.AllocsPerRun(100, func() {
				if got, err := keys.Verify(ctx, text); err != nil || got.ID != key.ID || got.Superseded() != superseded {
					t.Error("refused")
				}
			}), name)
		}
		malformed := token[:len(token)-1] + "~"
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if _, err := keys.Verify(ctx, malformed); err == nil {
				t.Error("let in")
			}
		}), name)
	}
}
