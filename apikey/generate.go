package apikey

import (
	"crypto/rand"
	"time"
)

// generate returns a new id for the given creation time and a new secret.
func generate(created time.Time) (id, secret string) {
	// One read serves both: 10 bytes for the id and 54 for the 43 characters of the secret, which
	// fall short once in some 10^10 times.
	var random [64]byte
	rand.Read(random[:])

	return newID(created, random[:idLen-idTimeLen]), newSecret(random[idLen-idTimeLen:])
}

// newID spells a time and ten random bytes, of which it takes five bits each.
func newID(created time.Time, random []byte) string {
	var b [idLen]byte
	ms := uint64(created.UnixMilli())
	for i := idTimeLen - 1; i >= 0; i-- {
		b[i] = idAlphabet[ms&31]
		ms >>= 5
	}
	for i := range idLen - idTimeLen {
		b[idTimeLen+i] = idAlphabet[random[i]&31]
	}
	return string(b[:])
}

// newSecret draws a secret from the given random bytes and from as many more as it takes.
func newSecret(random []byte) string {
	var b [secretLen]byte
	for n := 0; ; {
		for _, r := range random {
			// Six bits, and once more if they are 62 or 63: a remainder modulo 62 would favour
			// some characters.
			if r &= 63; r < 62 {
				b[n] = secretAlphabet[r]
				if n++; n == secretLen {
					return string(b[:])
				}
			}
		}
		rand.Read(random)
	}
}

// validID reports whether id is spelled like one. It says nothing of whether it was ever issued.
func validID(id string) bool {
	return len(id) == idLen && idClass.holds(id)
}
