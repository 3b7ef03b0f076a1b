package dbtest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// like reports whether a record is that of the key.
func (l *keyLife) like(rec *store.Record) bool {
	return l.label == rec.Label && l.expires.Equal(rec.ExpiresAt) && l.ends.Equal(rec.PriorExpiresAt) &&
		l.pending == rec.Pending() && l.revoked == rec.RevokedReason && l.reminded.Equal(rec.RemindedFor) &&
		hintOf(l.current) == rec.Hint
}

// orders are all in which three things can happen.
var orders = [][3]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}

// Mixed rotates, updates and revokes at once, or reminds in place of revoking, and looks for an order of
// the three that explains what came out.
func (m *lifeMachine) Mixed(t *rapid.T) {
	r := anyRotation(t)
	cut := m.now().Add(rapid.SampledFrom([]time.Duration{time.Second, time.Hour, 20 * 24 * time.Hour}).Draw(t, "cut"))
	label, due := "mixed", m.now().Add(time.Minute)
	revoking := seldom(t, "revoking") && seldom(t, "indeed")
	var token apikey.Token
	var sent bool
	calls := [3]func(s *apikey.Service) error{
		func(s *apikey.Service) (err error) {
			token, _, err = s.Rotate(context.Background(), m.ref, r)
			return err
		},
		func(s *apikey.Service) error {
			_, err := s.Update(context.Background(), m.ref, apikey.Changes{Label: &label, ExpiresAt: cut})
			return err
		},
		func(s *apikey.Service) (err error) {
			if revoking {
				_, err = s.Revoke(context.Background(), m.ref, "mixed")
			} else {
				sent, err = s.Remind(context.Background(), m.ref, due, func(context.Context, apikey.Key) error { return nil })
			}
			return err
		},
	}
	var errs [3]error
	var wg sync.WaitGroup
	for i, call := range calls {
		wg.Go(func() { errs[i] = call(m.instances[i%2]) })
	}
	wg.Wait()

	at := m.now()
	rec, err := m.st.Get(context.Background(), m.ref.ID)
	require.NoError(t, err)
	for _, order := range orders {
		l := m.l
		l.dead = slices.Clone(l.dead)
		explained := true
		for _, i := range order {
			var want error
			switch {
			case i == 0:
				if want = l.mayRotate(r, at); want == nil && errs[0] == nil {
					l.rotate(r, token.Reveal(), at)
				}
			case i == 1:
				if want = l.mayEnd(cut, at); want == nil {
					l.end(cut)
					l.label = label
				}
			case revoking:
				if l.revoked == "" {
					l.revoked = "mixed"
				}
			default:
				explained = explained && l.remind(due, at) == sent
			}
			explained = explained && (want == nil) == (errs[i] == nil) && (want == nil || errors.Is(errs[i], want))
		}
		if explained && l.like(&rec) {
			m.l = l
			return
		}
	}
	require.Fail(t, "no order explains it", "%v, sent %v", errs, sent)
}
