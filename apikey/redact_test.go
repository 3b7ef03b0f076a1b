package apikey_test

import (
	"bytes"
	"encoding"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
)

// TestRedacted expects the very words, and not only that nothing leaks: an address tells two secrets
// apart, and what decodes from a copy would pass for one.
func TestRedacted(t *testing.T) {
	pepper, err := apikey.NewPepper([]byte(canary))
	require.NoError(t, err)
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme"})
	require.NoError(t, err)
	token, _, err := keys.Issue(t.Context(), apikey.Request{Owner: "user_42", Label: "x"})
	require.NoError(t, err)
	const redacted = "[redacted]"
	for _, secret := range []any{token, pepper, &token, &pepper, apikey.Token{}, apikey.Pepper{}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%o", "%t", "%g", "%c", "%U"} {
			require.Equal(t, redacted, fmt.Sprintf(verb, secret), verb)
		}
		require.Equal(t, redacted, secret.(fmt.Stringer).String())
		require.Equal(t, redacted, secret.(slog.LogValuer).LogValue().String())
		text, err := secret.(encoding.TextMarshaler).MarshalText()
		require.NoError(t, err)
		require.Equal(t, redacted, string(text))
		text, err = json.Marshal(secret)
		require.NoError(t, err)
		require.JSONEq(t, `"[redacted]"`, string(text))
		b, err := secret.(encoding.BinaryMarshaler).MarshalBinary()
		require.Error(t, err)
		require.Nil(t, b)
		require.Error(t, gob.NewEncoder(new(bytes.Buffer)).Encode(secret))
	}

	_, err = apikey.NewPepper([]byte(canary)[:31])
	require.NotContains(t, err.Error(), canary[:6])
	require.EqualError(t, err, "apikey: Pepper must be at least 32 bytes, not 31")
}
