package apikey

import (
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/stretchr/testify/require"
)

// chiSquare returns how far counts are from all alike, in the measure of Pearson's test.
func chiSquare(counts []int) float64 {
	total := 0
	for _, n := range counts {
		total += n
	}
	want := float64(total) / float64(len(counts))
	sum := 0.0
	for _, n := range counts {
		sum += (float64(n) - want) * (float64(n) - want) / want
	}
	return sum
}

// The values of chiSquare that fair counts exceed once in a million times. The seed of the tests is
// fixed, so that they hold always or never.
const (
	unfair62 = 129 // for 62 counts
	unfair32 = 84  // for 32
)

// TestGenerateIsFair looks for characters that some places, or some neighbours, favour, and for bits
// of an id, which is public, in its key's secret.
func TestGenerateIsFair(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	const n = 5000
	var (
		secretAt [secretLen][62]int
		idAt     [idLen - idTimeLen][32]int
		all      [62]int
		steps    [62]int // from a character to the next
		alike    [idLen - idTimeLen][secretLen]int
	)
	for range n {
		id, secret := generate(time.UnixMilli(1_795_420_800_000))
		require.Len(t, id, idLen)
		require.Len(t, secret, secretLen)
		var digits [secretLen]int
		for i := range secretLen {
			digits[i] = strings.IndexByte(secretAlphabet, secret[i])
			secretAt[i][digits[i]]++
			all[digits[i]]++
			if i > 0 {
				steps[(digits[i]+62-digits[i-1])%62]++
			}
		}
		for i := range idLen - idTimeLen {
			digit := strings.IndexByte(idAlphabet, id[idTimeLen+i])
			idAt[i][digit]++
			for j := range secretLen {
				if digits[j]&31 == digit {
					alike[i][j]++
				}
			}
		}
	}
	require.Less(t, chiSquare(all[:]), float64(unfair62))
	require.Less(t, chiSquare(steps[:]), float64(unfair62))
	for i := range secretAt {
		require.Less(t, chiSquare(secretAt[i][:]), float64(unfair62), "character %d of the secret", i)
	}
	for i := range idAt {
		require.Less(t, chiSquare(idAt[i][:]), float64(unfair32), "random character %d of the id", i)
		for j := range secretLen {
			require.Less(t, alike[i][j], 2*n/32, "character %d of the secret follows %d of the id", j, i)
		}
	}
}

// TestNewSecretDrawsAgain runs out of random bytes, of which two in 64 make no character.
func TestNewSecretDrawsAgain(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	var given []byte
	for i := range byte(20) {
		given = append(given, i, 62, 63, 255)
	}
	secret := newSecret(slices.Clone(given))
	require.Len(t, secret, secretLen)
	require.True(t, secretClass.holds(secret))
	require.Equal(t, secretAlphabet[:20], secret[:20])
	require.NotEqual(t, secret[:20], secret[20:40], "what was drawn must not be used twice")
}

// TestIDsSortByTime holds the order of ids to that of their times, to the millisecond.
func TestIDsSortByTime(t *testing.T) {
	high := slices.Repeat([]byte{0xff}, idLen-idTimeLen)
	low := make([]byte, idLen-idTimeLen)
	for _, ms := range []int64{0, 31, 1023, 1_795_420_800_000, 1<<50 - 2} {
		before := newID(time.UnixMilli(ms), high)
		after := newID(time.UnixMilli(ms+1), low)
		require.Less(t, before, after)
		require.True(t, validID(before) && validID(after))
		require.Equal(t, before, newID(time.UnixMilli(ms).Add(time.Millisecond-1), high))
	}
	for _, id := range []string{"", "0000000000000000000", "000000000000000000000", "0000000000000000000u", "0000000000000000000A"} {
		require.False(t, validID(id), id)
	}
}
