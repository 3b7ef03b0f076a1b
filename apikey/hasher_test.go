package apikey

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

// countedHash counts what is hashed.
type countedHash struct {
	hash.Hash
	sums *int
}

func (h countedHash) Sum(b []byte) []byte {
	*h.sums++
	return h.Hash.Sum(b)
}

// TestEveryRefusalHashesOnce holds the work of a refusal to be the same for every well-formed token:
// what is left out for an id that was never issued tells which ids were.
func TestEveryRefusalHashesOnce(t *testing.T) {
	sums := 0
	secretKey := slices.Repeat([]byte("x"), 32)
	pepper, err := NewPepper(secretKey)
	require.NoError(t, err)
	pepper.p.macs.New = func() any { return &mac{hash: countedHash{hmac.New(sha256.New, secretKey), &sums}} }

	now := time.UnixMicro(1_795_420_800_000_000).UTC()
	st := new(memstore.Store)
	service := func(prefix string) *Service {
		s, err := New(st, Config{Prefix: prefix, Peppers: []Pepper{pepper}, Now: func() time.Time { return now }})
		require.NoError(t, err)
		return s
	}
	live, test := service("acme_live"), service("acme_test")
	issue := func(s *Service, life time.Duration) (string, Key) {
		token, key, err := s.Issue(t.Context(), Request{Owner: "user_42", Label: "x", ExpiresIn: life})
		require.NoError(t, err)
		return token.Reveal(), key
	}
	good, _ := issue(live, time.Hour)
	revoked, key := issue(live, time.Hour)
	_, err = live.Revoke(t.Context(), Ref{Owner: "user_42", ID: key.ID}, "")
	require.NoError(t, err)
	expired, _ := issue(live, time.Minute)
	foreign, _ := issue(test, time.Hour)
	now = now.Add(time.Minute)

	id, secret, ok := live.format.parse(good)
	require.True(t, ok)
	foreignID, foreignSecret, ok := test.format.parse(foreign)
	require.True(t, ok)
	for name, c := range map[string]struct {
		token  string
		reason error
		hashes int
	}{
		"good":                    {good, nil, 1},
		"never issued":            {live.format.join(strings.Repeat("0", idLen), secret), ErrUnknown, 1},
		"wrong secret":            {live.format.join(id, foreignSecret), ErrUnknown, 1},
		"another prefix's":        {live.format.join(foreignID, foreignSecret), ErrUnknown, 1},
		"another prefix's, wrong": {live.format.join(foreignID, secret), ErrUnknown, 1},
		"revoked":                 {revoked, ErrRevoked, 1},
		"expired":                 {expired, ErrExpired, 1},
		"malformed":               {good[:len(good)-1], ErrMalformed, 0},
	} {
		sums = 0
		_, err := live.Verify(t.Context(), c.token)
		require.ErrorIs(t, err, c.reason, name)
		require.Equal(t, c.hashes, sums, name)
	}
	require.Len(t, noHash, sha256.Size, "hashes of two lengths are told apart without comparing them")
}

// TestEveryWrongSecretHashesUnderEveryScheme holds the same for keys that were rotated: what a wrong secret
// costs must not tell that a key has two tokens, or what they are hashed with.
func TestEveryWrongSecretHashesUnderEveryScheme(t *testing.T) {
	var peppers []Pepper
	sums := make([]int, 2)
	for i := range sums {
		secretKey := slices.Repeat([]byte{byte(i)}, 32)
		pepper, err := NewPepper(secretKey)
		require.NoError(t, err)
		pepper.p.macs.New = func() any { return &mac{hash: countedHash{hmac.New(sha256.New, secretKey), &sums[i]}} }
		peppers = append(peppers, pepper)
	}
	now := time.UnixMicro(1_795_420_800_000_000).UTC()
	st := new(memstore.Store)
	s, err := New(st, Config{Prefix: "acme_live", Peppers: peppers, Now: func() time.Time { return now }})
	require.NoError(t, err)
	known := []string{schemeSHA256, peppers[0].p.scheme, peppers[1].p.scheme}
	try := func(scheme, prior string, ends time.Time, revoked time.Time) {
		_, key, err := s.Issue(t.Context(), Request{Owner: "user_42", Label: "x"})
		require.NoError(t, err)
		rec, err := st.Get(t.Context(), key.ID)
		require.NoError(t, err)
		rec.Scheme, rec.RevokedAt = scheme, revoked
		if prior != "" {
			rec.PriorScheme, rec.PriorHash, rec.RotatedAt, rec.Grace, rec.PriorExpiresAt = prior, noHash, now, time.Hour, ends
		}
		require.NoError(t, st.Update(t.Context(), rec))
		clear(sums)
		_, err = s.Verify(t.Context(), s.format.join(key.ID, strings.Repeat("w", secretLen)))
		require.ErrorIs(t, err, ErrUnknown)
		require.Equal(t, []int{1, 1}, sums, "%s, %s", scheme, prior)
	}
	for _, scheme := range known {
		try(scheme, "", time.Time{}, time.Time{})
		for _, prior := range append(known, "hmac-sha256:00000000") {
			try(scheme, prior, now, time.Time{})
			try(scheme, prior, now.Add(time.Hour), now)
		}
		for _, prior := range known {
			try(scheme, prior, now.Add(time.Hour), time.Time{})
		}
	}
	try("hmac-sha256:00000000", "", time.Time{}, now)
}

// TestEqualComparesAllOfIt changes each byte of a hash.
func TestEqualComparesAllOfIt(t *testing.T) {
	d := digest(sha256.Sum256([]byte("x")))
	require.True(t, d.equal(store.Hash(d[:])))
	for i := range d {
		for _, bit := range []byte{0x01, 0x80} {
			other := d
			other[i] ^= bit
			require.False(t, d.equal(store.Hash(other[:])), i)
		}
	}
	require.False(t, d.equal(""))
	require.False(t, d.equal(store.Hash(d[:len(d)-1])))
	require.False(t, d.equal(store.Hash(d[:])+"\x00"))
}

func TestPepperCopiesItsKey(t *testing.T) {
	secret := strings.Repeat("s", secretLen)
	key := slices.Repeat([]byte("x"), 32)
	pepper, err := NewPepper(key)
	require.NoError(t, err)
	clear(key)
	again, err := NewPepper(slices.Repeat([]byte("x"), 32))
	require.NoError(t, err)
	require.Equal(t, again.p.sum(secret), pepper.p.sum(secret))
}

// TestPepperForgetsSecrets looks into what waits in the pool for the next hash.
func TestPepperForgetsSecrets(t *testing.T) {
	pepper, err := NewPepper(slices.Repeat([]byte("x"), 32))
	require.NoError(t, err)
	m := pepper.p.macs.New().(*mac)
	pepper.p.macs.New = func() any { return m }
	pepper.p.sum(strings.Repeat("s", secretLen))
	require.NotZero(t, m.out, "the hash went another way than this test")
	require.Zero(t, m.in)
}

// TestPepperTwice expects the error to say which pepper it is, by its public name.
func TestPepperTwice(t *testing.T) {
	pepper, err := NewPepper(slices.Repeat([]byte("x"), 32))
	require.NoError(t, err)
	other, err := NewPepper(slices.Repeat([]byte("y"), 32))
	require.NoError(t, err)
	_, err = newHasher([]Pepper{pepper, other})
	require.NoError(t, err)
	_, err = newHasher([]Pepper{pepper, other, pepper})
	require.ErrorIs(t, err, ErrInvalidArgument)
	require.ErrorContains(t, err, pepper.ID())
}
