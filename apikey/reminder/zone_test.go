package reminder_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey/reminder"
	"github.com/opengovsg/latchkey/memstore"
)

// A milestone comes with the first instant of its day where the reader is, and not a microsecond before,
// whatever that day has to do with 24 hours.
func TestLocation(t *testing.T) {
	for _, c := range []struct {
		zone      string
		ends, due string // in UTC
		milestone int
	}{
		{"Asia/Singapore", "2026-06-10 15:59:59", "2026-06-06 16:00:00", 3},
		{"Asia/Singapore", "2026-06-10 16:00:00", "2026-06-07 16:00:00", 3}, // midnight there
		{"Asia/Kolkata", "2026-06-10 18:29:59", "2026-06-06 18:30:00", 3},
		{"Asia/Kolkata", "2026-06-10 18:30:00", "2026-06-07 18:30:00", 3},
		{"Asia/Kathmandu", "2026-06-10 18:14:59", "2026-06-06 18:15:00", 3},
		{"Pacific/Pago_Pago", "2026-06-10 10:59:59", "2026-06-06 11:00:00", 3},
		{"America/New_York", "2026-03-08 04:59:59", "2026-03-06 05:00:00", 1}, // the evening before the clocks change
		{"America/New_York", "2026-03-09 04:00:00", "2026-03-08 05:00:00", 1}, // 23 hours
		{"America/New_York", "2026-11-02 05:00:00", "2026-11-01 04:00:00", 1}, // 25 hours
		{"Australia/Lord_Howe", "2026-04-06 12:00:00", "2026-04-04 13:00:00", 1},
		{"Africa/Cairo", "2026-04-25 12:00:00", "2026-04-23 22:00:00", 1},     // the 24th begins at 1
		{"America/Santiago", "2026-09-07 12:00:00", "2026-09-06 04:00:00", 1}, // the 6th begins at 1
		{"America/Havana", "2026-11-02 17:00:00", "2026-11-01 04:00:00", 1},
		{"Pacific/Auckland", "2026-10-05 00:00:00", "2026-09-06 12:00:00", 28}, // in winter, for summer
	} {
		t.Run(c.zone+" "+c.ends, func(t *testing.T) {
			loc, err := time.LoadLocation(c.zone)
			require.NoError(t, err)
			ends, err := time.Parse(time.DateTime, c.ends)
			require.NoError(t, err)
			due, err := time.Parse(time.DateTime, c.due)
			require.NoError(t, err)
			h := newHouse(t, new(memstore.Store), reminder.Config{Milestones: []int{c.milestone}, Location: loc})
			h.issue("a", ends.Sub(start), ann)

			h.clock.Set(due.Add(-time.Microsecond))
			h.requirePass()
			h.clock.Set(due)
			n := 0
			for notice, err := range h.Plan(t.Context()) {
				require.NoError(t, err)
				require.Equal(t, ends.In(loc), notice.ExpiresAt)
				require.Equal(t, c.milestone, notice.DaysLeft)
				n++
			}
			require.Equal(t, 1, n)
			report, err := h.Once(t.Context())
			require.NoError(t, err)
			require.Equal(t, reminder.Report{Sent: 1}, report)
			key, err := h.keys.Get(t.Context(), ref(h.told.notices[0].Key))
			require.NoError(t, err)
			require.Equal(t, due, key.RemindedFor())
		})
	}
}

// A key that ends before its turn comes is not said to end "in" some days.
func TestEndsBeforeItsTurn(t *testing.T) {
	h := newHouse(t, new(memstore.Store), reminder.Config{})
	_, key := h.issue("a", 60*day, ann)
	h.clock.Set(key.ExpiresAt.Add(-time.Minute))
	late := key.ExpiresAt.Add(-time.Second)
	r, err := reminder.New(h.keys, h.told, reminder.Config{Now: func() time.Time {
		late = late.Add(time.Second)
		return late.Add(-time.Second)
	}})
	require.NoError(t, err)
	report, err := r.Once(t.Context())
	require.NoError(t, err)
	require.Equal(t, reminder.Report{}, report)
	require.Empty(t, h.told.take())
}
