package servicetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// A twin is a key with all the tokens it ever had. Of two twins, the first token of one is an earlier
// system's.
type twin struct {
	key    apikey.Key
	tokens []string
}

// outcome is what a caller sees of an error.
func outcome(err error) string {
	for _, reason := range []error{
		apikey.ErrUnknown, apikey.ErrExpired, apikey.ErrRevoked, apikey.ErrSuperseded, apikey.ErrNotActive, apikey.ErrInGrace,
		apikey.ErrInvalidArgument,
	} {
		if errors.Is(err, reason) {
			return reason.Error()
		}
	}
	return fmt.Sprint(err)
}

// anyStep draws something to do to a twin, which returns what came of it.
func anyStep(t *testing.T, r *rand.Rand, s *apikey.Service) (name string, do func(k *twin) string) {
	switch n := r.IntN(40); {
	case n < 10:
		rotation := apikey.Rotation{Grace: time.Duration(r.IntN(3)) * time.Hour, Immediately: n == 0}
		if rotation.Immediately {
			rotation.Grace = 0
		}
		return fmt.Sprintf("rotate %v %v", rotation.Grace, rotation.Immediately), func(k *twin) string {
			token, _, err := s.Rotate(t.Context(), ref(k.key), rotation)
			if err == nil {
				k.tokens = append(k.tokens, token.Reveal())
			}
			return outcome(err)
		}
	case n == 10:
		at := start.Add(time.Duration(r.IntN(100)) * day)
		return fmt.Sprint("end at ", at), func(k *twin) string {
			_, err := s.Update(t.Context(), ref(k.key), apikey.Changes{ExpiresAt: at})
			return outcome(err)
		}
	case n == 11:
		return "revoke", func(k *twin) string {
			_, err := s.Revoke(t.Context(), ref(k.key), "")
			return outcome(err)
		}
	}
	back := r.IntN(4)
	return fmt.Sprint("use ", back), func(k *twin) string {
		key, err := s.Verify(t.Context(), k.tokens[max(0, len(k.tokens)-1-back)])
		return fmt.Sprintln(outcome(err), key.Superseded(), key.TokenExpiresAt())
	}
}

var legacyTwinTests = []test{
	{"whatever is done to a key that was taken over comes out as with one that was issued here", func(t *testing.T, st store.Store) {
		for seed := range uint64(40) {
			r := rand.New(rand.NewPCG(seed, 0))
			c, e := newClock(), new(earlier)
			cfg := legacyConfig(c, e)
			older, newer := newPepper(t, 1), newPepper(t, 2)
			cfg.Peppers = []apikey.Pepper{older, newer}
			s := newService(t, st, cfg)
			cfg.Peppers = []apikey.Pepper{newer, older}
			services := []*apikey.Service{s, newService(t, st, cfg)}

			who := fmt.Sprint("user_", seed)
			old := legacyKey(int(seed))
			old.Owner = who
			rec, err := s.LegacyRecord(old)
			require.NoError(t, err)
			require.NoError(t, st.Create(t.Context(), rec, 0))
			taken := &twin{must(s.Get(t.Context(), apikey.AnyOwner(rec.ID))), []string{oldToken(int(seed))}}
			token, key := issue(t, s, apikey.Request{Owner: who, Label: "x", ExpiresIn: old.ExpiresAt.Sub(c.Now())})
			issued := &twin{key, []string{token}}

			var steps []string
			for range 25 {
				s := services[r.IntN(len(services))]
				if r.IntN(4) == 0 { // on a database that takes no writes
					s = s.WithStore(readOnly{st, new(atomic.Int64)})
				}
				name, do := anyStep(t, r, s)
				steps = append(steps, name)
				require.Equal(t, do(issued), do(taken), "seed %d: %v", seed, steps)
				// Past the pauses after writes that failed, and sometimes past a grace or an end.
				c.Add([]time.Duration{time.Minute, time.Minute, time.Minute, time.Hour, time.Hour, 20 * day}[r.IntN(6)])
			}
		}
	}},
}
