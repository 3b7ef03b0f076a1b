package dbtest

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/reminder"
)

// Four reminders, on two services with a pool each, go through 200 keys at the same time. Each notice is
// given once for each key and milestone, whichever of them comes first, also where every instance was
// started anew since the last milestone, or since this one.
func TestReminders(t *testing.T) {
	onEach(t, engines, func(t *testing.T, d database) {
		dsn := d.fresh(t)
		pools := []*sql.DB{d.pool(t, dsn), d.pool(t, dsn)}
		d.migrated(t, pools[0])
		issued := time.Date(2026, time.March, 1, 9, 30, 0, 0, time.UTC)
		now := issued // which nobody reads while it is set
		clock := func() time.Time { return now }
		service := func(n int) *apikey.Service {
			keys, err := apikey.New(d.store(t, pools[n]), apikey.Config{Prefix: "postman_live", MaxPerOwner: 1000, Now: clock})
			require.NoError(t, err)
			return keys
		}
		keys := service(0)
		for n := range 200 {
			r := apikey.Request{Owner: fmt.Sprint("user_", n%10), Label: fmt.Sprint(n), ExpiresIn: 60 * 24 * time.Hour}
			if n > 0 { // nobody can be told of the first
				r.Contacts = []string{"ann@example.com"}
			}
			_, _, err := keys.Issue(t.Context(), r)
			require.NoError(t, err)
		}
		_, rotated, err := keys.Issue(t.Context(), apikey.Request{Owner: "user_1", Label: "rotated", Contacts: []string{"ann@example.com"}, ExpiresIn: 60 * 24 * time.Hour})
		require.NoError(t, err)

		var mu sync.Mutex
		told := make(map[string]int)
		notify := reminder.NotifierFunc(func(_ context.Context, n reminder.Notice) error {
			mu.Lock()
			defer mu.Unlock()
			told[fmt.Sprintf("%s %d pending %v", n.Key.Label, n.Milestone, n.Pending)]++
			return nil
		})
		want := make(map[string]int)
		for _, milestone := range []int{28, 14, 3, 1} {
			now = issued.Add(time.Duration(60-milestone) * 24 * time.Hour)
			if milestone == 14 {
				_, _, err := keys.Rotate(t.Context(), apikey.Ref{Owner: "user_1", ID: rotated.ID}, apikey.Rotation{})
				require.NoError(t, err)
			}
			if milestone != 14 { // which lies before the rotation
				want[fmt.Sprintf("rotated %d pending %v", milestone, milestone < 14)] = 1
			}
			for n := 1; n < 200; n++ {
				want[fmt.Sprintf("%d %d pending false", n, milestone)] = 1
			}
			for again := range 2 {
				sent := make([]int, 4)
				services := []*apikey.Service{service(0), service(1)}
				var wg sync.WaitGroup
				for i := range sent {
					r, err := reminder.New(services[i%2], notify, reminder.Config{Now: clock})
					require.NoError(t, err)
					wg.Go(func() {
						report, err := r.Once(t.Context())
						assert.NoError(t, err)
						assert.Equal(t, 1, report.NoContacts)
						assert.Zero(t, report.Failed)
						sent[i] = report.Sent
					})
				}
				wg.Wait()
				require.False(t, t.Failed())
				total := 0
				for _, n := range sent {
					total += n
				}
				require.Equal(t, again == 1, total == 0)
			}
			require.Equal(t, want, told)
		}
	})
}
