package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"hash/crc32"
	"strings"
	"time"
	"unsafe"
)

const (
	base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	base32 = "0123456789abcdefghjkmnpqrstvwxyz"
)

// floor is the least that verifying a token in memory takes: parse it, check its CRC, look its id
// up, hash its secret, compare, and read the clock. It has no errors, no context, no locks, no
// scopes and no prefix but one.
type floor struct {
	digests map[string]floorRecord
}

type floorRecord struct {
	digest  [32]byte
	expires time.Time
}

var (
	isBase32 = alphabet(base32)
	isBase62 = alphabet(base62)
)

func alphabet(s string) (in [256]bool) {
	for _, c := range []byte(s) {
		in[c] = true
	}
	return in
}

func (f *floor) verify(token string) bool {
	if len(token) != len(prefix)+71 || token[:len(prefix)] != prefix {
		return false
	}
	body := token[len(prefix):]
	id, secret, crc := body[1:21], body[22:65], body[65:]
	for i := range len(id) {
		if !isBase32[id[i]] {
			return false
		}
	}
	for i := range len(secret) {
		if !isBase62[secret[i]] {
			return false
		}
	}
	sum := crc32.ChecksumIEEE(unsafe.Slice(unsafe.StringData(token), len(token)-6))
	for i := 5; i >= 0; i-- {
		if crc[i] != base62[sum%62] {
			return false
		}
		sum /= 62
	}
	rec, ok := f.digests[id]
	if !ok {
		return false
	}
	var in [43]byte
	copy(in[:], secret)
	digest := sha256.Sum256(in[:])
	return subtle.ConstantTimeCompare(digest[:], rec.digest[:]) == 1 && time.Now().Before(rec.expires)
}

// floorIssue is the least that making a token takes: random bytes, an id that begins with the time, a
// secret without bias, the CRC and the hash.
func floorIssue() (token string, digest [32]byte) {
	var random [64]byte
	rand.Read(random[:])
	b := make([]byte, 0, len(prefix)+71)
	b = append(b, prefix...)
	b = append(b, '_')
	ms := uint64(time.Now().UnixMilli())
	for shift := 45; shift >= 0; shift -= 5 {
		b = append(b, base32[ms>>shift&31])
	}
	for _, r := range random[:10] {
		b = append(b, base32[r&31])
	}
	b = append(b, '_')
	from := len(b)
	for pool := random[10:]; len(b) < from+43; {
		for _, r := range pool {
			if r &= 63; r < 62 && len(b) < from+43 {
				b = append(b, base62[r])
			}
		}
		rand.Read(pool)
	}
	digest = sha256.Sum256(b[from:])
	b = b[:len(b)+6]
	checksum(b)
	return string(b), digest
}

// newFloor returns a floor with n keys, and the tokens of as many as are wanted, evenly among them.
func newFloor(n, wanted int) (*floor, []string) {
	f := &floor{make(map[string]floorRecord)}
	tokens := make([]string, 0, wanted)
	for i := range n {
		token, digest := floorIssue()
		f.digests[strings.Clone(token[13:33])] = floorRecord{digest, time.Now().Add(24 * time.Hour)}
		if i%(n/wanted) == 0 && len(tokens) < wanted {
			tokens = append(tokens, token)
		}
	}
	return f, tokens
}

// floorSubject is the floor as a subject, with n keys.
func floorSubject(n int) *subject {
	f, tokens := newFloor(n, issued)
	return &subject{
		name:   "floor",
		origin: originFloor,
		where:  inMemory,
		does:   "parse, CRC, a map, SHA-256, compare, clock; no errors, context, locks, scopes or counts",
		tokens: tokens,
		verifier: func() verify {
			return func(_ context.Context, token string) (bool, error) { return f.verify(token), nil }
		},
		wrong:   respell,
		garbage: floorGarbage,
	}
}

// floorGarbage returns a token that is right in every respect but that nobody issued it.
func floorGarbage() string {
	token, _ := floorIssue()
	return token
}

// respell returns a token of the same id with another secret and the checksum of that.
func respell(token string) string {
	b := []byte(token)
	other, _ := floorIssue()
	copy(b[34:77], other[34:77])
	checksum(b)
	return string(b)
}

// checksum writes the last six digits of a token.
func checksum(b []byte) {
	sum := crc32.ChecksumIEEE(b[:len(b)-6])
	for i := 1; i <= 6; i++ {
		b[len(b)-i] = base62[sum%62]
		sum /= 62
	}
}
