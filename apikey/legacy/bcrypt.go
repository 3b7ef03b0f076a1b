package legacy

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"

	//lint:ignore SA1019 bcrypt is made of it, and this package exists for what is no longer chosen
	"golang.org/x/crypto/blowfish"
)

// maxBcryptLen is what bcrypt looks at. It takes what is longer for what it begins with.
const maxBcryptLen = 72

// sumLen is how many of its 24 bytes bcrypt keeps.
const sumLen = 23

// bcryptText is how bcrypt spells bytes.
var bcryptText = base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)

var errBcryptLen = errors.New("legacy: bcrypt takes at most 72 bytes")

// A bcrypt is bcrypt under one salt, which golang.org/x/crypto/bcrypt does not offer: it draws a salt
// for each hash, as everybody should.
type bcrypt struct {
	cost int
	salt []byte
}

// parseBcrypt reads a salt as it is spelled before a hash: $2b$10$ and 22 characters.
func parseBcrypt(salt string) (bcrypt, bool) {
	if len(salt) != 29 || salt[:2] != "$2" || (salt[2] != 'a' && salt[2] != 'b' && salt[2] != 'y') || salt[3] != '$' || salt[6] != '$' {
		return bcrypt{}, false
	}
	cost, err := strconv.ParseUint(salt[4:6], 10, 8)
	if err != nil || cost < 4 || cost > 16 {
		return bcrypt{}, false
	}
	raw, err := bcryptText.DecodeString(salt[7:])
	return bcrypt{int(cost), raw}, err == nil && len(raw) == 16
}

// validSum reports whether a text is spelled like what sum returns.
func validSum(text string) bool {
	raw, err := bcryptText.DecodeString(text)
	return err == nil && len(raw) == sumLen && bcryptText.EncodeToString(raw) == text
}

// sum returns the 31 characters that follow the salt in the hash of a text. It ends early with ctx.
func (b bcrypt) sum(ctx context.Context, text string) (string, error) {
	if len(text) > maxBcryptLen {
		return "", errBcryptLen
	}
	key := append([]byte(text), 0)
	c, err := blowfish.NewSaltedCipher(key, b.salt)
	if err != nil {
		return "", err
	}
	for n := range 1 << b.cost {
		if n%16 == 0 && ctx.Err() != nil {
			return "", ctx.Err()
		}
		blowfish.ExpandKey(key, c)
		blowfish.ExpandKey(b.salt, c)
	}
	hash := []byte("OrpheanBeholderScryDoubt")
	for i := 0; i < len(hash); i += blowfish.BlockSize {
		for range 64 {
			c.Encrypt(hash[i:], hash[i:])
		}
	}
	return bcryptText.EncodeToString(hash[:sumLen]), nil
}
