package bench

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"hash/crc32"
	"testing"
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
	const prefix = "postman_live"
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
	const prefix = "postman_live"
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
	sum := crc32.ChecksumIEEE(b)
	b = b[:len(b)+6]
	for i := 1; i <= 6; i++ {
		b[len(b)-i] = base62[sum%62]
		sum /= 62
	}
	return string(b), digest
}

// newFloor returns a floor that knows n tokens.
func newFloor(n int) (f floor, tokens []string) {
	f = floor{make(map[string]floorRecord)}
	for range n {
		token, digest := floorIssue()
		f.digests[token[13:33]] = floorRecord{digest, time.Now().Add(time.Hour)}
		tokens = append(tokens, token)
	}
	return f, tokens
}

func BenchmarkFloorVerify(b *testing.B) {
	f, tokens := newFloor(1000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if !f.verify(tokens[i%len(tokens)]) {
			b.Fatal("refused")
		}
	}
}

func BenchmarkFloorIssue(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if token, _ := floorIssue(); len(token) != 83 {
			b.Fatal(len(token))
		}
	}
}
