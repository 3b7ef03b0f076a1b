package legacy

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/opengovsg/latchkey/apikey"
)

const (
	minPostmanSecret = 32 // bytes
	maxMailName      = 64 // bytes, RFC 5321 section 4.5.3.1.1
)

// A Postman knows the tokens of Postman's first API: name_version_secret, where the name is what stands
// before the @ in its owner's address, and the secret is 33 random bytes in base64, though any 32 to 54 will do. The column hash of its table
// holds name_version_, and of the bcrypt of the secret, under one salt for all, what follows that salt.
//
// It is stricter than Postman was, which cut a token at each underscore and looked at the first three
// parts only: here a token has one spelling.
type Postman struct {
	version string
	bcrypt  *bcrypt // inside an unexported field package fmt can't call Format, and prints an address
}

var _ apikey.LegacyScheme = (*Postman)(nil)

// NewPostman returns the scheme of tokens of a version, such as "v1", with the salt that the earlier
// system was configured with, such as "$2b$10$" and 22 characters more, of a cost from 4 to 16. The
// error holds nothing of the salt.
func NewPostman(salt, version string) (*Postman, error) {
	b, ok := parseBcrypt(salt)
	if !ok {
		return nil, errors.New("legacy: the salt must be $2a$, $2b$ or $2y$, a cost of 04 to 16, $, and 22 characters of a bcrypt")
	}
	if version == "" || len(version) > 16 || strings.Trim(version, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return nil, errors.New("legacy: the version must be 1 to 16 characters of a-z and 0-9")
	}
	return &Postman{version, &b}, nil
}

// Name implements [apikey.LegacyScheme]. It returns "postman", so a service has one Postman at most.
func (p *Postman) Name() string { return "postman" }

// Recognizes implements [apikey.LegacyScheme]. It allocates nothing.
func (p *Postman) Recognizes(token string) bool {
	_, _, ok := p.split(token)
	return ok
}

// Derive implements [apikey.LegacyScheme] with what is in the column hash. It takes the bcrypt of one
// secret: some 50 milliseconds of a processor at cost 10.
func (p *Postman) Derive(ctx context.Context, token string) (string, error) {
	name, secret, ok := p.split(token)
	if !ok {
		return "", errors.New("legacy: not a token of Postman's")
	}
	sum, err := p.bcrypt.sum(ctx, secret)
	if err != nil {
		return "", err
	}
	return name + "_" + p.version + "_" + sum, nil
}

// Keeps implements [apikey.LegacyScheme]: a name, the version and the 31 characters that Derive returns.
func (p *Postman) Keeps(kept string) bool {
	name, rest, _ := strings.Cut(kept, "_")
	version, sum, _ := strings.Cut(rest, "_")
	return version == p.version && validMailName(name) && validSum(sum)
}

// split returns the parts of a token.
func (p *Postman) split(token string) (name, secret string, ok bool) {
	name, rest, _ := strings.Cut(token, "_")
	version, secret, _ := strings.Cut(rest, "_")
	return name, secret, version == p.version && validMailName(name) && canonical(secret)
}

// validMailName accepts what can stand both before the @ of an address and in a header that bears a
// token, but for the underscores, which Postman left out.
func validMailName(name string) bool {
	if name == "" || len(name) > maxMailName {
		return false
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("-.~+/", c) < 0 {
			return false
		}
	}
	return true
}

// canonical reports whether a text is base64 of 32 to 54 bytes, which is as much as bcrypt looks at, and
// has no other spelling. Decoding alone passes over line breaks and what is left of the last bits.
func canonical(text string) bool {
	if len(text) > maxBcryptLen {
		return false
	}
	var in, again [maxBcryptLen]byte
	var raw [maxBcryptLen / 4 * 3]byte
	size := copy(in[:], text)
	n, err := base64.StdEncoding.Decode(raw[:], in[:size])
	if err != nil || n < minPostmanSecret || base64.StdEncoding.EncodedLen(n) != size {
		return false
	}
	base64.StdEncoding.Encode(again[:], raw[:n])
	return in == again
}

// Format implements [fmt.Formatter] without the salt, which the earlier system kept out of its database.
func (Postman) Format(f fmt.State, _ rune) { io.WriteString(f, "legacy.Postman") }
