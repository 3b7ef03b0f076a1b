package reminder_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/reminder"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

// A downStore fails the calls that it is told to.
type downStore struct {
	store.Store
	get  func(id string) error
	down atomic.Bool // of lists
}

func (s *downStore) Get(ctx context.Context, id string) (store.Record, error) {
	if s.get != nil {
		if err := s.get(id); err != nil {
			return store.Record{}, err
		}
	}
	return s.Store.Get(ctx, id)
}

func (s *downStore) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	if s.down.Load() {
		return nil, errDown
	}
	return s.Store.List(ctx, q)
}

var errDown = errors.New("connection refused")

// One record that can't be read keeps nobody else from being told. A store that is down is left alone.
func TestStoreFails(t *testing.T) {
	down := &downStore{Store: new(memstore.Store)}
	h := newHouse(t, down, reminder.Config{})
	var ids []string
	for n := range 20 {
		h.clock.Set(start.Add(time.Duration(n) * time.Millisecond)) // keys of one millisecond have no order
		_, key := h.issue(fmt.Sprint(n), 60*day, ann)
		ids = append(ids, key.ID)
	}
	h.clock.Set(start.Add(46 * day))

	down.down.Store(true)
	report, err := h.Once(t.Context())
	require.ErrorIs(t, err, apikey.ErrUnavailable)
	require.ErrorIs(t, err, errDown)
	require.Zero(t, report)
	for _, err := range h.Plan(t.Context()) {
		require.ErrorIs(t, err, apikey.ErrUnavailable)
	}

	down.down.Store(false)
	down.get = func(string) error { return errDown }
	report, err = h.Once(t.Context())
	require.ErrorIs(t, err, errDown)
	require.ErrorContains(t, err, "the pass ended early")
	require.Equal(t, reminder.Report{Failed: 5}, report)

	down.get = func(id string) error {
		if slices.Index(ids, id)%3 == 0 {
			return errDown // seven times, and never twice in a row
		}
		return nil
	}
	report, err = h.Once(t.Context())
	require.ErrorIs(t, err, errDown)
	require.Equal(t, reminder.Report{Failed: 7, Sent: 13}, report)
	down.get = nil
	report, err = h.Once(t.Context())
	require.NoError(t, err)
	require.Equal(t, reminder.Report{Done: 13, Sent: 7}, report)
}

// What was sent and could not be kept counts as sent, is told of, and may come again.
func TestSentAndNotKept(t *testing.T) {
	down := &downStore{Store: new(memstore.Store)}
	h := newHouse(t, down, reminder.Config{})
	h.issue("a", 60*day, ann)
	h.clock.Set(start.Add(46 * day))
	h.told.fail = func(reminder.Notice) error {
		down.get = func(string) error { return errDown }
		return nil
	}
	report, err := h.Once(t.Context())
	require.ErrorIs(t, err, errDown)
	require.Equal(t, reminder.Report{Sent: 1}, report)
	require.Equal(t, []string{"a 14/14"}, h.told.take())
	down.get, h.told.fail = nil, nil
	h.clock.Set(h.clock.Now().Add(time.Hour))
	h.requirePass("a 14/14")
}
