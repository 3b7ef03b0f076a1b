package dbtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

// A lifeMachine lets a key live, in two instances, and holds them to the model after each step.
type lifeMachine struct {
	st        store.Store
	instances []*apikey.Service
	ref       apikey.Ref
	clock     atomic.Int64 // Unix microseconds
	l, last   keyLife      // now and after the step before
	events    atomic.Int64 // activations
	activated int64        // as many as there should be
}

// unwritable is a store that takes no updates, so that looking changes nothing.
type unwritable struct{ store.Store }

func (unwritable) Update(context.Context, store.Record) error { return errors.New("read-only") }

func newLife(t *rapid.T, st store.Store) *lifeMachine {
	m := &lifeMachine{st: st}
	m.clock.Store(now.UnixMicro())
	m.instances = []*apikey.Service{m.instance(t, st), m.instance(t, st)}
	token, key, err := m.instances[0].Issue(context.Background(), apikey.Request{
		Owner: "user_42", Label: "x", NeverExpires: seldom(t, "never expires"),
	})
	require.NoError(t, err)
	m.ref = apikey.Ref{Owner: "user_42", ID: key.ID}
	m.l = keyLife{label: "x", current: token.Reveal(), expires: key.ExpiresAt}
	return m
}

func (m *lifeMachine) instance(t *rapid.T, st store.Store) *apikey.Service {
	s, err := apikey.New(st, apikey.Config{
		Prefix: "postman_live", AllowNeverExpires: true, Now: m.now,
		Observer: func(_ context.Context, e apikey.Event) {
			if e.Kind == apikey.EventActivated {
				m.events.Add(1)
			}
		},
	})
	require.NoError(t, err)
	return s
}

func (m *lifeMachine) now() time.Time { return time.UnixMicro(m.clock.Load()).UTC() }

func (m *lifeMachine) any(t *rapid.T) *apikey.Service {
	return rapid.SampledFrom(m.instances).Draw(t, "instance")
}

// Check looks at every token there ever was, now and at the instants at which something ends.
func (m *lifeMachine) Check(t *rapid.T) {
	rec, err := m.st.Get(context.Background(), m.ref.ID)
	require.NoError(t, err)
	l := &m.l
	require.Equal(t, l.label, rec.Label)
	require.Equal(t, l.expires, rec.ExpiresAt)
	require.Equal(t, l.ends, rec.PriorExpiresAt)
	require.Equal(t, l.pending, rec.Pending())
	require.Equal(t, l.revoked, rec.RevokedReason)
	require.Equal(t, l.revoked != "", !rec.RevokedAt.IsZero())
	require.Equal(t, l.reminded, rec.RemindedFor)
	require.Zero(t, rec.RemindingUntil)
	if last := m.last; last.before == l.before && l.before != "" && !last.ends.IsZero() {
		require.False(t, l.ends.IsZero() || l.ends.After(last.ends), "an old token lives longer than it had")
	}
	require.False(t, m.last.revoked != "" && m.last.revoked != rec.RevokedReason, "a revoked key lives")
	m.last = *l
	for _, s := range m.instances {
		m.handOver(t, s)
	}
	require.Equal(t, m.activated, m.events.Load())

	at := m.clock.Load()
	defer m.clock.Store(at)
	look := m.instance(t, unwritable{m.st})
	for _, end := range []time.Time{m.now(), l.expires, l.ends} {
		for _, off := range []int64{-1, 0} {
			if end.IsZero() {
				continue
			}
			m.clock.Store(end.UnixMicro() + off)
			for _, token := range append([]string{l.current, l.before}, l.dead...) {
				if token != "" {
					superseded, reason := l.verify(token, m.now())
					m.requireVerified(t, look, token, superseded, reason)
				}
			}
		}
	}
}

// handOver has an instance hand over its events.
func (m *lifeMachine) handOver(t *rapid.T, s *apikey.Service) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.NoError(t, s.Run(ctx))
}

func (m *lifeMachine) requireVerified(t *rapid.T, s *apikey.Service, token string, superseded bool, reason error) {
	key, err := s.Verify(context.Background(), token)
	if reason != nil {
		require.ErrorIs(t, err, reason)
		require.Zero(t, key)
		return
	}
	require.NoError(t, err)
	require.Equal(t, superseded, key.Superseded())
}

// Clock sets the clock, also back, and often to where something ends.
func (m *lifeMachine) Clock(t *rapid.T) {
	at := m.clock.Load()
	if end := rapid.SampledFrom([]time.Time{{}, m.l.expires, m.l.ends}).Draw(t, "to the end of"); !end.IsZero() {
		at = end.UnixMicro()
	}
	at += rapid.SampledFrom([]time.Duration{
		0, -time.Microsecond, time.Microsecond, time.Second, -time.Hour, time.Hour, 24 * time.Hour, -40 * 24 * time.Hour, 40 * 24 * time.Hour,
	}).Draw(t, "and").Microseconds()
	m.clock.Store(max(at, now.AddDate(-1, 0, 0).UnixMicro()))
}

// Verify presents a token, mostly one that should open.
func (m *lifeMachine) Verify(t *rapid.T) {
	token := rapid.SampledFrom(append([]string{m.l.current, m.l.current, m.l.before, m.l.before}, m.l.dead...)).Draw(t, "token")
	if token == "" {
		return
	}
	was := m.l.pending
	superseded, reason := m.l.use(token, m.now())
	if was && !m.l.pending {
		m.activated++
	}
	m.requireVerified(t, m.any(t), token, superseded, reason)
}

// anyRotation is seldom immediate, so that much happens in between.
func anyRotation(t *rapid.T) apikey.Rotation {
	r := apikey.Rotation{
		Grace:       rapid.SampledFrom([]time.Duration{0, time.Microsecond, time.Hour, 30 * 24 * time.Hour}).Draw(t, "grace"),
		ExpiresIn:   rapid.SampledFrom([]time.Duration{0, 0, time.Second, 10 * 24 * time.Hour, lifeMax}).Draw(t, "expires in"),
		Immediately: seldom(t, "immediately"),
	}
	if r.Immediately {
		r.Grace = 0
	}
	return r
}

func (m *lifeMachine) Rotate(t *rapid.T) {
	r := anyRotation(t)
	tokens := append([]string{m.l.current, m.l.before}, m.l.dead...)
	if token := rapid.SampledFrom(tokens).Draw(t, "seen"); token != "" && seldom(t, "hint") {
		r.Hint = hintOf(token)
	}
	want := m.l.mayRotate(r, m.now())
	token, key, err := m.any(t).Rotate(context.Background(), m.ref, r)
	if want != nil {
		require.Equal(t, want, err)
		require.Empty(t, token.Reveal())
		return
	}
	require.NoError(t, err)
	if !m.l.expires.IsZero() && key.ExpiresAt.After(m.l.expires) {
		require.False(t, key.ExpiresAt.After(m.now().Add(lifeMax)), "it lives past the longest life")
	}
	m.l.rotate(r, token.Reveal(), m.now())
}

func (m *lifeMachine) Update(t *rapid.T) {
	from := rapid.SampledFrom([]time.Time{m.now(), m.l.expires}).Draw(t, "from")
	at := from.Add(rapid.SampledFrom([]time.Duration{-24 * time.Hour, -time.Microsecond, 0, time.Microsecond, 50 * 24 * time.Hour}).Draw(t, "by"))
	if from.IsZero() {
		return
	}
	label := fmt.Sprint("label ", rapid.IntRange(0, 99).Draw(t, "label"))
	want := m.l.mayEnd(at, m.now())
	_, err := m.any(t).Update(context.Background(), m.ref, apikey.Changes{Label: &label, ExpiresAt: at})
	if want != nil {
		require.ErrorIs(t, err, want)
		return
	}
	require.NoError(t, err)
	m.l.end(at)
	m.l.label = label
}

// Revoke is seldom, as little happens to a key after it.
func (m *lifeMachine) Revoke(t *rapid.T) {
	if !seldom(t, "revoke") || !seldom(t, "indeed") {
		return
	}
	reason := rapid.SampledFrom([]string{"left the team", "leaked"}).Draw(t, "reason")
	_, err := m.any(t).Revoke(context.Background(), m.ref, reason)
	require.NoError(t, err)
	if m.l.revoked == "" {
		m.l.revoked = reason
	}
}

func (m *lifeMachine) Remind(t *rapid.T) {
	due := m.now().Add(time.Duration(rapid.IntRange(-3, 3).Draw(t, "due")) * 24 * time.Hour)
	want := m.l.remind(due, m.now())
	sent, err := m.any(t).Remind(context.Background(), m.ref, due, func(context.Context, apikey.Key) error { return nil })
	require.NoError(t, err)
	require.Equal(t, want, sent)
}

// Together does the same on both instances at once, several times each.
func (m *lifeMachine) Together(t *rapid.T) {
	r := anyRotation(t)
	r.Hint = hintOf(m.l.current)
	l, at := &m.l, m.now()
	token, want := l.current, l.mayRotate(r, at)
	was := l.pending
	var do func(s *apikey.Service) error
	var won sync.Map
	switch rapid.SampledFrom([]string{"use", "rotate"}).Draw(t, "what") {
	case "use":
		_, want = l.use(token, at)
		if was && !l.pending {
			m.activated++
		}
		do = func(s *apikey.Service) error {
			_, err := s.Verify(context.Background(), token)
			return err
		}
	case "rotate":
		do = func(s *apikey.Service) error {
			token, _, err := s.Rotate(context.Background(), m.ref, r)
			if err == nil {
				won.Store(token.Reveal(), true)
			} else if want == nil && err == apikey.ErrConflict {
				return nil // somebody else won
			}
			return err
		}
	}
	errs := make([]error, 6)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = do(m.instances[i%2]) })
	}
	wg.Wait()
	for _, err := range errs {
		require.ErrorIs(t, err, want)
	}
	winners := 0
	won.Range(func(token, _ any) bool {
		winners++
		l.rotate(r, token.(string), at)
		return true
	})
	require.LessOrEqual(t, winners, 1)
}

// Whatever happens to a key, it lives as docs/design.md says.
func TestLife(t *testing.T) {
	run := func(t *testing.T, runs int, open func() store.Store) {
		setFlag(t, "rapid.checks", fmt.Sprint(runs))
		setFlag(t, "rapid.steps", "40")
		rapid.Check(t, func(t *rapid.T) {
			t.Repeat(rapid.StateMachineActions(newLife(t, open())))
		})
	}
	t.Run("memory", func(t *testing.T) { run(t, 150, func() store.Store { return new(memstore.Store) }) })
	t.Run("SQLite", func(t *testing.T) { run(t, 12, databases[0].emptying(t)) })
}
