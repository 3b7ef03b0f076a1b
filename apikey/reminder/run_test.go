package reminder_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/reminder"
	"github.com/opengovsg/latchkey/memstore"
)

// Several instances run for a month, one of them starts late, and the store is down for a day: each
// notice is given once. (synctest itself fails if anything is left running.)
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := &downStore{Store: new(memstore.Store)}
		told := new(recorder)
		var passes [3]atomic.Int64
		counts := func() (all [3]int64) {
			for i := range passes {
				all[i] = passes[i].Load()
			}
			return all
		}
		newKeys := func() *apikey.Service {
			keys, err := apikey.New(down, apikey.Config{Prefix: "acme_live"})
			require.NoError(t, err)
			return keys
		}
		for n := range 20 {
			_, _, err := newKeys().Issue(t.Context(), apikey.Request{
				Owner: "user_42", Label: fmt.Sprint(n), ExpiresIn: 29*day + time.Hour, Contacts: []string{ann},
			})
			require.NoError(t, err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, len(passes))
		began := time.Now()
		for i := range passes {
			r, err := reminder.New(newKeys(), told, reminder.Config{
				Milestones: []int{14, 28, 1},
				OnPass:     func(reminder.Report, error) { passes[i].Add(1); panic("and it goes on") },
			})
			require.NoError(t, err)
			go func() {
				time.Sleep(time.Duration(i) * 10 * day)
				ended <- r.Run(ctx)
			}()
		}
		synctest.Wait()
		require.Equal(t, [3]int64{1, 0, 0}, counts(), "the first pass is made at once")
		time.Sleep(time.Hour + time.Minute)
		synctest.Wait()
		require.Equal(t, [3]int64{2, 0, 0}, counts(), "and then one every hour")

		time.Sleep(14 * day) // it is the last hours before the second milestone
		down.down.Store(true)
		time.Sleep(day)
		down.down.Store(false)
		time.Sleep(20 * day)
		stop()
		for range passes {
			require.NoError(t, <-ended)
		}
		hours := int64(time.Since(began) / time.Hour)
		require.Equal(t, [3]int64{hours + 1, hours + 1 - 240, hours + 1 - 480}, counts(), "no failure ended it")
		requireOnceEach(t, told.notices, 20, 28, 14, 1)
	})
}

// requireOnceEach expects one notice for each of so many keys and each milestone.
func requireOnceEach(t *testing.T, notices []reminder.Notice, keys int, milestones ...int) {
	t.Helper()
	seen := make(map[string]int)
	for _, n := range notices {
		seen[fmt.Sprintf("%s %d", n.Key.ID, n.Milestone)]++
	}
	for what, n := range seen {
		require.Equal(t, 1, n, what)
	}
	require.Len(t, seen, keys*len(milestones))
	for _, n := range notices {
		require.Contains(t, milestones, n.Milestone)
	}
}

// Run returns at once with a context that has ended, and soon from a notifier that listens to it.
func TestRunEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, new(memstore.Store), reminder.Config{})
		h.issue("a", 60*day, ann)
		h.clock.Set(start.Add(46 * day))
		ctx, stop := context.WithCancel(t.Context())
		var passed reminder.Report
		slow, err := reminder.New(h.keys, reminder.NotifierFunc(func(ctx context.Context, _ reminder.Notice) error {
			<-ctx.Done()
			return ctx.Err()
		}), reminder.Config{Now: h.clock.Now, OnPass: func(r reminder.Report, err error) {
			passed = r
			require.Error(t, err)
		}})
		require.NoError(t, err)
		ended := make(chan error)
		go func() { ended <- slow.Run(ctx) }()
		synctest.Wait()
		stop()
		require.NoError(t, <-ended)
		require.Equal(t, reminder.Report{Failed: 1}, passed)
		require.NoError(t, slow.Run(ctx))
		h.requirePass("a 14/14")
	})
}

// Four instances on two services make passes at the same time, and each notice is given once, also
// when all of them are started anew, and where each milestone fails once for some keys.
func TestInstances(t *testing.T) {
	st := new(memstore.Store)
	h := newHouse(t, st, reminder.Config{})
	for n := range 200 {
		h.issue(fmt.Sprint(n), 60*day, ann)
	}
	var failed sync.Map
	h.told.fail = func(n reminder.Notice) error {
		_, again := failed.LoadOrStore(n.String(), true)
		if n.Key.ID[19]%4 == 0 && !again {
			return errDown
		}
		return nil
	}
	for _, milestone := range []int{28, 14, 3, 1} {
		h.clock.Set(start.Add(time.Duration(60-milestone) * day))
		sent := 0
		for range 2 { // the second time for what failed
			var wg sync.WaitGroup
			reports := make([]reminder.Report, 4)
			services := []*apikey.Service{h.service(), h.service()}
			for i := range reports {
				r, err := reminder.New(services[i%2], h.told, reminder.Config{Now: h.clock.Now})
				require.NoError(t, err)
				wg.Go(func() { reports[i], _ = r.Once(t.Context()) })
			}
			wg.Wait()
			for _, r := range reports {
				sent += r.Sent
			}
		}
		require.Equal(t, 200, sent)
	}
	requireOnceEach(t, h.told.notices, 200, 28, 14, 3, 1)
}
