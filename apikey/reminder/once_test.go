package reminder_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/reminder"
	"github.com/opengovsg/latchkey/memstore"
)

const ann = "ann@example.com"

// A key's life under the default milestones, looked at every hour.
func TestMilestones(t *testing.T) {
	h := newHouse(t, new(memstore.Store), reminder.Config{})
	_, key := h.issue("a", 60*day, ann)
	h.issue("never", 0, ann)
	told := make(map[string]time.Time)
	for at := start; at.Before(start.Add(70 * day)); at = at.Add(time.Hour) {
		h.clock.Set(at)
		_, err := h.Once(t.Context())
		require.NoError(t, err)
		for _, what := range h.told.take() {
			require.NotContains(t, told, what)
			told[what] = at
		}
	}
	// It ends on April 30, at 9:30, and each pass is at half past.
	require.Equal(t, map[string]time.Time{
		"a 28/28": time.Date(2026, time.April, 2, 0, 30, 0, 0, time.UTC),
		"a 14/14": time.Date(2026, time.April, 16, 0, 30, 0, 0, time.UTC),
		"a 3/3":   time.Date(2026, time.April, 27, 0, 30, 0, 0, time.UTC),
		"a 1/1":   time.Date(2026, time.April, 29, 0, 30, 0, 0, time.UTC),
	}, told)
	require.Equal(t, time.Date(2026, time.April, 30, 9, 30, 0, 0, time.UTC), key.ExpiresAt)
}

// Whoever missed several milestones is told of the most urgent one, and of those to come.
func TestMissedRuns(t *testing.T) {
	h := newHouse(t, new(memstore.Store), reminder.Config{})
	h.issue("a", 60*day, ann)
	h.clock.Set(start.Add(55 * day)) // 28 and 14 days have passed
	h.requirePass("a 5/14")
	report := h.requirePass()
	require.Equal(t, reminder.Report{Done: 1}, report)
	h.clock.Set(start.Add(60*day - time.Minute)) // 3 and 1 as well, and the last hour has come
	h.requirePass("a 0/1")
	h.clock.Set(start.Add(60 * day))
	require.Equal(t, reminder.Report{}, h.requirePass(), "what has ended is not about to end")
}

// A milestone that lies before the key was issued is nobody's to be told of.
func TestMilestoneBeforeIssue(t *testing.T) {
	h := newHouse(t, new(memstore.Store), reminder.Config{})
	h.issue("a week", 7*day, ann)
	h.issue("three days", 3*day, ann) // due since midnight, when there was no such key
	h.issue("an hour", time.Hour, ann)
	h.requirePass()
	h.clock.Set(start.Add(3*day + time.Hour))
	h.requirePass()
	h.clock.Set(start.Add(4 * day))
	h.requirePass("a week 3/3")
	h.clock.Set(start.Add(6 * day))
	h.requirePass("a week 1/1")
}

// A key that is issued at the very instant of a milestone has it.
func TestMilestoneAtIssue(t *testing.T) {
	h := newHouse(t, new(memstore.Store), reminder.Config{})
	h.clock.Set(time.Date(2026, time.March, 2, 0, 0, 0, 0, time.UTC))
	h.issue("three days", 3*day, ann)
	h.requirePass("three days 3/3")
}

// A key that is made to end sooner is told of anew, at once if need be.
func TestShortened(t *testing.T) {
	h := newHouse(t, new(memstore.Store), reminder.Config{})
	_, key := h.issue("a", 60*day, ann)
	h.clock.Set(start.Add(32 * day))
	h.requirePass("a 28/28")
	_, err := h.keys.Update(t.Context(), ref(key), apikey.Changes{ExpiresAt: start.Add(34 * day)})
	require.NoError(t, err)
	h.requirePass("a 2/3")
	h.requirePass()
}

// Dead keys are not told of.
func TestDead(t *testing.T) {
	h := newHouse(t, new(memstore.Store), reminder.Config{})
	_, revoked := h.issue("revoked", 60*day, ann)
	h.issue("expired", 40*day, ann)
	h.clock.Set(start.Add(58 * day))
	_, err := h.keys.Revoke(t.Context(), ref(revoked), "left")
	require.NoError(t, err)
	require.Equal(t, reminder.Report{}, h.requirePass())
}

// While nobody uses the new token of a rotated key, the old one's end is told of; after that, no more.
func TestRotated(t *testing.T) {
	h := newHouse(t, new(memstore.Store), reminder.Config{})
	_, used := h.issue("used", 60*day, ann)
	h.issue("kept", 60*day, ann)
	_, forgotten := h.issue("forgotten", 60*day, ann)

	h.clock.Set(start.Add(50 * day)) // its milestones of 28 and 14 days went unnoticed
	fresh, _, err := h.keys.Rotate(t.Context(), ref(used), apikey.Rotation{})
	require.NoError(t, err)
	_, _, err = h.keys.Rotate(t.Context(), ref(forgotten), apikey.Rotation{ExpiresIn: 75 * day})
	require.NoError(t, err)
	h.requirePass("kept 10/14")

	h.clock.Set(start.Add(57 * day))
	h.clockedNotice("forgotten", true, start.Add(60*day))
	h.clockedNotice("kept", false, start.Add(60*day))
	h.requirePass("forgotten 3/3", "kept 3/3", "used 3/3")
	_, err = h.keys.Verify(t.Context(), fresh.Reveal())
	require.NoError(t, err)

	h.clock.Set(start.Add(59 * day))
	h.requirePass("forgotten 1/1", "kept 1/1")
	h.clock.Set(start.Add(61 * day)) // the old token of the forgotten one has ended, and its new one goes on
	h.requirePass()
	h.clock.Set(start.Add(97 * day))
	h.clockedNotice("forgotten", false, start.Add(125*day))
	h.requirePass("forgotten 28/28")
	h.clock.Set(start.Add(202 * day)) // 180 days from the rotation
	h.requirePass("used 28/28")
}

// clockedNotice expects the plan to have a notice of that key that ends then.
func (h *house) clockedNotice(label string, pending bool, ends time.Time) {
	h.t.Helper()
	for n, err := range h.Plan(h.t.Context()) {
		require.NoError(h.t, err)
		if n.Key.Label == label {
			require.Equal(h.t, pending, n.Pending)
			require.Equal(h.t, ends, n.ExpiresAt)
			return
		}
	}
	require.Fail(h.t, "there is no notice of it", label)
}

// A plan sends and writes nothing, and is what is then sent.
func TestPlan(t *testing.T) {
	h := newHouse(t, new(memstore.Store), reminder.Config{})
	_, key := h.issue("a", 60*day, ann, "bob@example.com")
	h.issue("nobody's", 60*day)
	h.issue("later", 90*day, ann)
	h.clock.Set(start.Add(46 * day))
	before, err := h.store.Get(t.Context(), key.ID)
	require.NoError(t, err)
	var planned []reminder.Notice
	for range 2 {
		planned = nil
		for n, err := range h.Plan(t.Context()) {
			require.NoError(t, err)
			planned = append(planned, n)
		}
	}
	require.Empty(t, h.told.take())
	after, err := h.store.Get(t.Context(), key.ID)
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.Equal(t, []reminder.Notice{{
		Key: key, Contacts: []string{ann, "bob@example.com"}, ExpiresAt: key.ExpiresAt, DaysLeft: 14, Milestone: 14,
	}}, planned)

	report, err := h.Once(t.Context())
	require.NoError(t, err)
	require.Equal(t, reminder.Report{Sent: 1, NoContacts: 1}, report)
	sent := h.told.notices
	require.Len(t, sent, 1)
	sent[0].Key, planned[0].Key = apikey.Key{}, apikey.Key{} // whose version of the record is another
	require.Equal(t, planned, sent)
	for n, err := range h.Plan(t.Context()) {
		require.Fail(t, "it was sent already", "%v %v", n, err)
	}
}
