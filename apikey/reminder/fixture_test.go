package reminder_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
	_ "time/tzdata" // the zones of the tests, whatever the machine has

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/reminder"
	"github.com/opengovsg/latchkey/store"
)

const day = 24 * time.Hour

var start = time.Date(2026, time.March, 1, 9, 30, 0, 0, time.UTC)

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// A recorder is a notifier that keeps what it was told.
type recorder struct {
	mu      sync.Mutex
	notices []reminder.Notice
	fail    func(n reminder.Notice) error
}

func (r *recorder) Notify(_ context.Context, n reminder.Notice) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		if err := r.fail(n); err != nil {
			return err
		}
	}
	r.notices = append(r.notices, n)
	return nil
}

// take returns label, milestone and days left of each notice since it was last called.
func (r *recorder) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, n := range r.notices {
		all = append(all, fmt.Sprintf("%s %d/%d", n.Key.Label, n.DaysLeft, n.Milestone))
	}
	r.notices = nil
	slices.Sort(all)
	return all
}

// A house is a service, and a reminder of its keys.
type house struct {
	t     *testing.T
	clock *clock
	store store.Store
	keys  *apikey.Service
	told  *recorder
	*reminder.Reminder
}

// newHouse opens a house on the store on the morning of start.
func newHouse(t *testing.T, st store.Store, cfg reminder.Config) *house {
	t.Helper()
	h := &house{t: t, clock: &clock{now: start}, store: st, told: new(recorder)}
	h.keys = h.service()
	h.Reminder = h.another(cfg)
	return h
}

func (h *house) service() *apikey.Service {
	h.t.Helper()
	keys, err := apikey.New(h.store, apikey.Config{Prefix: "acme_live", MaxPerOwner: 10_000, AllowNeverExpires: true, Now: h.clock.Now})
	require.NoError(h.t, err)
	return keys
}

// another returns a reminder as a further instance has it.
func (h *house) another(cfg reminder.Config) *reminder.Reminder {
	h.t.Helper()
	cfg.Now = h.clock.Now
	r, err := reminder.New(h.service(), h.told, cfg)
	require.NoError(h.t, err)
	return r
}

func (h *house) issue(label string, expiresIn time.Duration, contacts ...string) (string, apikey.Key) {
	h.t.Helper()
	token, key, err := h.keys.Issue(h.t.Context(), apikey.Request{
		Owner: "user_42", Label: label, ExpiresIn: expiresIn, NeverExpires: expiresIn == 0, Contacts: contacts,
	})
	require.NoError(h.t, err)
	return token.Reveal(), key
}

// requirePass makes a pass without failures that tells of just these.
func (h *house) requirePass(want ...string) reminder.Report {
	h.t.Helper()
	report, err := h.Once(h.t.Context())
	require.NoError(h.t, err)
	require.Equal(h.t, want, h.told.take())
	require.Equal(h.t, len(want), report.Sent)
	require.Zero(h.t, report.Failed)
	return report
}

func ref(key apikey.Key) apikey.Ref { return apikey.Ref{Owner: key.Owner, ID: key.ID} }
