package legacy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/opengovsg/latchkey/apikey"
)

// A SHA256 knows the tokens of a system that kept the SHA-256 of the whole token, as 64 hexadecimal
// digits in lower case. The tokens must have been random, of at least 128 bits: what is kept of them, here
// as there, can be tested against guesses.
type SHA256 struct {
	name, prefix string
	min, max     int
}

var _ apikey.LegacyScheme = (*SHA256)(nil)

// A SHA256Config says how to recognise the tokens of a [SHA256].
type SHA256Config struct {
	// Name is what records call the scheme; see apikey.LegacyScheme.
	Name string

	// Prefix is what every token begins with: 1 to 64 characters.
	Prefix string

	// MinLen and MaxLen are the lengths of tokens in all, in bytes: at least 16 after the prefix, and at
	// most 1024. Where tokens are all of one length, both are that.
	MinLen, MaxLen int
}

// NewSHA256 returns the scheme of the tokens that c describes.
func NewSHA256(c SHA256Config) (*SHA256, error) {
	switch {
	case c.Name == "":
		return nil, errors.New("legacy: a SHA256 needs a name")
	case c.Prefix == "" || len(c.Prefix) > 64 || !visible(c.Prefix):
		return nil, errors.New("legacy: the prefix must be 1 to 64 visible characters of ASCII")
	case c.MinLen < len(c.Prefix)+16 || c.MaxLen < c.MinLen || c.MaxLen > 1024:
		return nil, fmt.Errorf("legacy: lengths must be %d to 1024, the smaller one first", len(c.Prefix)+16)
	}
	return &SHA256{c.Name, c.Prefix, c.MinLen, c.MaxLen}, nil
}

// Name implements [apikey.LegacyScheme].
func (s *SHA256) Name() string { return s.name }

// Recognizes implements [apikey.LegacyScheme]. It allocates nothing.
func (s *SHA256) Recognizes(token string) bool {
	return len(token) >= s.min && len(token) <= s.max && strings.HasPrefix(token, s.prefix) && visible(token)
}

// Derive implements [apikey.LegacyScheme] with the SHA-256 of the token, in hexadecimal.
func (s *SHA256) Derive(ctx context.Context, token string) (string, error) {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:]), ctx.Err()
}

// Keeps implements [apikey.LegacyScheme]: 64 hexadecimal digits in lower case.
func (s *SHA256) Keeps(kept string) bool {
	raw, err := hex.DecodeString(kept)
	return err == nil && len(raw) == sha256.Size && hex.EncodeToString(raw) == kept
}

// visible reports whether a text is visible ASCII and nothing else.
func visible(text string) bool {
	for _, c := range []byte(text) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}
