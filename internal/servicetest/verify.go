package servicetest

import (
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// respell returns the token with its checksum made right again, computed here on its own.
func respell(token string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	text := token[:len(token)-6]
	sum := crc32.ChecksumIEEE([]byte(text))
	tail := ""
	for range 6 {
		tail, sum = string(digits[sum%62])+tail, sum/62
	}
	return text + tail
}

// split cuts a token of the tests' prefix into its id and its secret.
func split(token string) (id, secret string) {
	parts := strings.Split(strings.TrimPrefix(token, prefix+"_"), "_")
	return parts[0], parts[1][:43]
}

// spell is the token of an id and a secret.
func spell(prefix, id, secret string) string {
	return respell(prefix + "_" + id + "_" + secret + "000000")
}

var verifyTests = []test{
	{"P1 P3 P4 a damaged token is malformed and costs no store call", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, _ := issue(t, s, request())
		require.Equal(t, token, respell(token))
		s = s.WithStore(unreachable{t})
		for i := range len(token) {
			damaged := []string{token[:i], token[:i] + token[i+1:], token[:i] + "~" + token[i+1:], token + token[:i+1]}
			if token[i] != 'x' {
				damaged = append(damaged, token[:i]+"x"+token[i+1:])
			}
			for _, d := range damaged {
				requireRefused(t, s, d, apikey.ErrMalformed)
			}
		}
	}},
	{"A36 tokens of others are malformed and cost no store call", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock())).WithStore(unreachable{t})
		for _, foreign := range []string{
			"", "null", "undefined", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
			"alice_v1_f7BZybYzx96wr+OYaq95UENTGAtZ4bzigvCO/zidSYr5", strings.Repeat("_", 1<<20),
		} {
			requireRefused(t, s, foreign, apikey.ErrMalformed)
		}
	}},
	{"P5 the case of an id or a secret matters, also with the checksum right", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, _ := issue(t, s, request())
		id, secret := split(token)
		for i, r := range secret {
			swapped := strings.ToUpper(string(r))
			if swapped == string(r) {
				swapped = strings.ToLower(string(r))
			}
			if swapped != string(r) {
				requireRefused(t, s, spell(prefix, id, secret[:i]+swapped+secret[i+1:]), apikey.ErrUnknown)
			}
		}
		requireRefused(t, s, spell(prefix, strings.ToUpper(id), secret), apikey.ErrMalformed)
		requireRefused(t, s, spell(strings.ToUpper(prefix), id, secret), apikey.ErrMalformed)
	}},
	{"P6 a key of one prefix opens nothing under another, in one store", func(t *testing.T, st store.Store) {
		cfg := config(newClock())
		live := newService(t, st, cfg)
		cfg.Prefix = "postman_test"
		test := newService(t, st, cfg)
		token, key := issue(t, test, request())
		id, secret := split(strings.Replace(token, "postman_test", prefix, 1))

		requireRefused(t, live, token, apikey.ErrMalformed)
		requireRefused(t, live, spell(prefix, id, secret), apikey.ErrUnknown)
		requireOpens(t, test, token, key)
		_, err := live.Get(t.Context(), apikey.Ref{Owner: owner, ID: key.ID})
		require.ErrorIs(t, err, apikey.ErrNotFound)
		_, err = live.Revoke(t.Context(), apikey.AnyOwner(key.ID), "")
		require.ErrorIs(t, err, apikey.ErrNotFound)
		l, err := live.List(t.Context(), owner, apikey.Page{})
		require.NoError(t, err)
		require.Empty(t, l.Keys)
	}},
	{"P16 P17 one key's id with another's secret is unknown, like what was never issued", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		a, keyA := issue(t, s, request())
		b, keyB := issue(t, s, request())
		idA, secretA := split(a)
		idB, secretB := split(b)
		for _, token := range []string{
			spell(prefix, idA, secretB),
			spell(prefix, idB, secretA),
			spell(prefix, "00000000000000000000", secretA),
			spell(prefix, "zzzzzzzzzzzzzzzzzzzz", secretA),
		} {
			requireRefused(t, s, token, apikey.ErrUnknown)
		}
		requireOpens(t, s, a, keyA)
		requireOpens(t, s, b, keyB)
	}},
	{"P18 P19 neither the hash nor anything public opens", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		token, key := issue(t, s, request())
		rec, err := st.Get(t.Context(), key.ID)
		require.NoError(t, err)
		for _, public := range []string{
			string(rec.Hash), fmt.Sprintf("%x", string(rec.Hash)), "hash:" + string(rec.Hash), rec.Scheme + ":" + string(rec.Hash),
			key.ID, key.Hint, prefix + "_…" + key.Hint, token[:len(prefix)+22],
		} {
			requireRefused(t, s, public, apikey.ErrMalformed)
		}
		requireRefused(t, s, spell(prefix, key.ID, fmt.Sprintf("%x", string(rec.Hash))[:43]), apikey.ErrUnknown)
	}},
	{"P23 P24 expiry is exact, whatever zone the clock tells the time in", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		for _, zone := range []string{"UTC", "Asia/Singapore", "America/St_Johns", "Pacific/Pago_Pago"} {
			loc, err := time.LoadLocation(zone)
			require.NoError(t, err)
			c.Set(start.In(loc))
			r := request()
			r.ExpiresIn = 24 * time.Hour
			token, key := issue(t, s, r)
			end := start.Add(24 * time.Hour)
			require.Equal(t, end, key.ExpiresAt)
			for _, step := range []struct {
				at   time.Time
				open bool
			}{{end.Add(-time.Nanosecond), true}, {end, false}, {end.Add(time.Nanosecond), false}, {end.Add(-time.Microsecond), true}} {
				c.Set(step.at.In(loc))
				if step.open {
					requireOpens(t, s, token, key)
				} else {
					requireRefused(t, s, token, apikey.ErrExpired)
				}
			}
		}
	}},
	{"F21 clocks that differ do not refuse a key that seems to be from the future", func(t *testing.T, st store.Store) {
		c := newClock()
		ahead := newService(t, st, config(c))
		token, key := issue(t, ahead, request())
		c.Add(-5 * time.Minute)
		requireOpens(t, ahead, token, key)
	}},
	{"P26 a revocation is effective at once, also on a clock that is behind", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		token, key := issue(t, s, request())
		_, err := s.Revoke(t.Context(), apikey.Ref{Owner: owner, ID: key.ID}, "left the team")
		require.NoError(t, err)
		for _, d := range []time.Duration{0, -time.Hour, time.Hour} {
			c.Set(start.Add(d))
			requireRefused(t, s, token, apikey.ErrRevoked)
		}
	}},
	{"a refusal names the key and tells the first thing wrong with it", func(t *testing.T, st store.Store) {
		c := newClock()
		s := newService(t, st, config(c))
		token, key := issue(t, s, request())
		_, err := s.Revoke(t.Context(), apikey.Ref{Owner: owner, ID: key.ID}, "")
		require.NoError(t, err)
		c.Set(key.ExpiresAt)
		_, err = s.Verify(t.Context(), token)
		var refused *apikey.RefusedError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, key.ID, refused.KeyID)
		require.Equal(t, apikey.ErrRevoked, refused.Err)

		// With a wrong secret nobody learns that the key is revoked.
		_, secret := split(token)
		other := "0" + secret[1:]
		if other == secret {
			other = "1" + secret[1:]
		}
		requireRefused(t, s, spell(prefix, key.ID, other), apikey.ErrUnknown)
	}},
}
