package apikey

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A stub is a scheme of which only the name matters.
type stub string

func (s stub) Name() string                                 { return string(s) }
func (stub) Recognizes(string) bool                         { return true }
func (stub) Keeps(string) bool                              { return true }
func (stub) Derive(context.Context, string) (string, error) { return "", nil }

// TestLegacySecretIsNoSecret makes tokens of this library's format of what the tokens of an earlier system
// are verified by, and finds that none of them is one.
func TestLegacySecretIsNoSecret(t *testing.T) {
	format, err := NewFormat("postman_live")
	require.NoError(t, err)
	id, own := generate(time.Now())
	_, _, ok := format.parse(format.join(id, own))
	require.True(t, ok)
	seen := make(map[string]bool)
	for n := range 1000 {
		secret := newLegacyToken(stub("old"), fmt.Sprint("old_", n)).secret
		require.Len(t, secret, secretLen)
		_, _, ok := format.parse(format.join(id, secret))
		require.False(t, ok, n)
		seen[secret] = true
	}
	require.Len(t, seen, 1000)
}
