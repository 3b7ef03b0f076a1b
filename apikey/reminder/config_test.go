package reminder_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/reminder"
	"github.com/opengovsg/latchkey/memstore"
)

func TestNewRefuses(t *testing.T) {
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme_live"})
	require.NoError(t, err)
	for i, bad := range []struct {
		field    string
		keys     *apikey.Service
		notifier reminder.Notifier
		config   reminder.Config
	}{
		{"Keys", nil, new(recorder), reminder.Config{}},
		{"Notifier", keys, nil, reminder.Config{}},
		{"Notifier", keys, (*recorder)(nil), reminder.Config{}},
		{"Notifier", keys, reminder.NotifierFunc(nil), reminder.Config{}},
		{"Milestones", keys, new(recorder), reminder.Config{Milestones: []int{0}}},
		{"Milestones", keys, new(recorder), reminder.Config{Milestones: []int{1, -1}}},
		{"Milestones", keys, new(recorder), reminder.Config{Milestones: []int{367, 1}}},
		{"Milestones", keys, new(recorder), reminder.Config{Milestones: []int{1, 3, 1}}},
		{"Milestones", keys, new(recorder), reminder.Config{Milestones: make([]int, 17)}},
		{"Every", keys, new(recorder), reminder.Config{Every: -1}},
		{"Every", keys, new(recorder), reminder.Config{Every: time.Second - 1}},
		{"Every", keys, new(recorder), reminder.Config{Every: day + 1}},
	} {
		r, err := reminder.New(bad.keys, bad.notifier, bad.config)
		require.Nil(t, r, i)
		var arg *apikey.ArgumentError
		require.ErrorAs(t, err, &arg, i)
		require.Equal(t, bad.field, arg.Field, i)
		require.ErrorIs(t, err, apikey.ErrInvalidArgument)
	}
	for i, good := range []reminder.Config{
		{},
		{Milestones: []int{366, 1}},
		{Milestones: []int{16, 1, 15, 2, 14, 3, 13, 4, 12, 5, 11, 6, 10, 7, 9, 8}},
		{Every: time.Second},
		{Every: day},
		{Location: time.Local},
	} {
		_, err := reminder.New(keys, new(recorder), good)
		require.NoError(t, err, i)
	}
	_, err = reminder.New(keys, new(recorder), reminder.Config{Milestones: []int{1, 400}})
	require.EqualError(t, err, "apikey: Milestones must be 1 to 366 days each")
}

// A Config is the caller's to change afterwards.
func TestNewCopies(t *testing.T) {
	milestones := []int{14, 28}
	h := newHouse(t, new(memstore.Store), reminder.Config{Milestones: milestones})
	require.Equal(t, []int{14, 28}, milestones, "and stays in the order it had")
	milestones[0] = 300
	h.issue("a", 100*day, "ann@example.com")
	h.clock.Set(start.Add(50 * day))
	h.requirePass()
}

// TestZeroReminder holds M36, and P33: a reminder that nobody made tells nobody and breaks nothing.
func TestZeroReminder(t *testing.T) {
	h := newHouse(t, new(memstore.Store), reminder.Config{})
	zero, err := reminder.New(new(apikey.Service), h.told, reminder.Config{})
	require.NoError(t, err)
	var none context.Context
	for i, c := range []struct {
		r   *reminder.Reminder
		ctx context.Context
	}{
		{nil, t.Context()},
		{new(reminder.Reminder), t.Context()},
		{h.Reminder, none},
	} {
		_, err := c.r.Once(c.ctx)
		require.ErrorIs(t, err, apikey.ErrUnavailable, i)
		require.ErrorIs(t, c.r.Run(c.ctx), apikey.ErrUnavailable, i)
		seen := 0
		for _, err := range c.r.Plan(c.ctx) {
			require.ErrorIs(t, err, apikey.ErrUnavailable, i)
			seen++
		}
		require.Equal(t, 1, seen, i)
	}
	_, err = zero.Once(t.Context())
	require.ErrorIs(t, err, apikey.ErrUnavailable)
}
