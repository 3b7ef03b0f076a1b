package legacy

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	published "golang.org/x/crypto/bcrypt"
)

// The vectors that come with crypt_blowfish, by which implementations of bcrypt are compared.
func TestBcryptVectors(t *testing.T) {
	for _, v := range []struct{ text, hash string }{
		{"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
		{"U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"},
		{"U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"},
		{"", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"},
	} {
		b, ok := parseBcrypt(v.hash[:29])
		require.True(t, ok)
		sum, err := b.sum(t.Context(), v.text)
		require.NoError(t, err)
		require.Equal(t, v.hash[29:], sum)
	}
}

// The published package draws its own salts; under each of them this one agrees with it.
func TestBcryptAgrees(t *testing.T) {
	for n := range maxBcryptLen {
		text := strings.Repeat("secret+/", 9)[:n+1]
		hash, err := published.GenerateFromPassword([]byte(text), 4)
		require.NoError(t, err)
		b, ok := parseBcrypt(string(hash[:29]))
		require.True(t, ok)
		sum, err := b.sum(t.Context(), text)
		require.NoError(t, err)
		require.True(t, sum == string(hash[29:]), "%d bytes", len(text))
	}
}

// Row P28: bcrypt takes what is longer than 72 bytes for what it begins with.
func TestBcryptTooLong(t *testing.T) {
	b, ok := parseBcrypt("$2b$04$CCCCCCCCCCCCCCCCCCCCC.")
	require.True(t, ok)
	_, err := b.sum(t.Context(), strings.Repeat("x", maxBcryptLen))
	require.NoError(t, err)
	_, err = b.sum(t.Context(), strings.Repeat("x", maxBcryptLen)+"1")
	require.Equal(t, errBcryptLen, err)
}

func TestBcryptEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	b, ok := parseBcrypt("$2b$16$CCCCCCCCCCCCCCCCCCCCC.")
	require.True(t, ok)
	_, err := b.sum(ctx, "x")
	require.ErrorIs(t, err, context.Canceled)
}

func TestNewPostmanRefuses(t *testing.T) {
	const salt = "$2b$10$CCCCCCCCCCCCCCCCCCCCC."
	for _, bad := range []string{
		"", "canary", salt + "C", salt[:28], "$2x$10$CCCCCCCCCCCCCCCCCCCCC.", "$1b$10$CCCCCCCCCCCCCCCCCCCCC.", "$2b$03$CCCCCCCCCCCCCCCCCCCCC.",
		"$2b$17$CCCCCCCCCCCCCCCCCCCCC.", "$2b$+9$CCCCCCCCCCCCCCCCCCCCC.", "$2b$10$CCCCCCCCCC-CCCCCCCCCC.", "$2b$10xCCCCCCCCCCCCCCCCCCCCC.", "$2b$10$CCCCCCCCCC\nCCCCCCCCCC.",
	} {
		p, err := NewPostman(bad, "v1")
		require.Error(t, err, bad)
		require.Nil(t, p)
		require.NotContains(t, err.Error(), "canary")
	}
	for _, version := range []string{"", "V1", "v_1", "v1 ", strings.Repeat("v", 17)} {
		_, err := NewPostman(salt, version)
		require.Error(t, err, version)
	}
	p, err := NewPostman(salt, "v1")
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
		require.Equal(t, "legacy.Postman", fmt.Sprintf(verb, p))
		require.Equal(t, "legacy.Postman", fmt.Sprintf(verb, *p))
		require.NotContains(t, fmt.Sprintf(verb, struct{ p Postman }{*p}), fmt.Sprintf(verb, p.bcrypt.salt))
	}
}
