package apikey

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestScopeAlphabet tries every byte at every place of a scope.
func TestScopeAlphabet(t *testing.T) {
	const allowed = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._-/"
	for c := range 256 {
		s := string([]byte{byte(c)})
		want := strings.Contains(allowed, s)
		require.Equal(t, want, ValidScope(s+":a"), "%q", s)
		require.Equal(t, want, ValidScope("a"+s+"a:a"), "%q", s)
		require.Equal(t, want || s == "*", ValidScope("a:"+s), "%q", s)
		require.Equal(t, want, ValidScope("a:a"+s), "%q", s)
	}
}

// TestAllowsOnDamagedRows grants by texts that no scope joins to, as a row might hold that was
// written by hand. What is not a scope grants nothing but, at most, itself.
func TestAllowsOnDamagedRows(t *testing.T) {
	for _, c := range []struct {
		granted, scope string
		want           bool
	}{
		{"email:send", "email:send", true},
		{"sms:send email:*", "email:send", true},
		{"sms:send email:*", "email:*", true},
		{"sms:send email:send", "email:*", false},
		{" email:send", "", false},
		{"email:send  sms:send", "", false},
		{"email:send  sms:send", "sms:send", true},
		{" ", " ", false},
		{"*", "email:send", false},
		{"*", "email", false},
		{"*:*", "email:send", false},
		{":*", "email:send", false},
		{"em*", "email", false},
		{"em*", "email:send", false},
		{"email:", "email:send", false},
		{"email:s*", "email:send", false},
		{"email:**", "email:send", false},
		{"email:*", "email:", false},
		{"email:*", "email:send:now", false},
		{"email:*", "EMAIL:send", false},
		{"email:send", "Email:Send", false},
	} {
		require.Equal(t, c.want, allows(c.granted, c.scope), "%q allows %q", c.granted, c.scope)
	}
}
