package dbtest

import (
	"math/rand/v2"
	"net/http"
	"os"
	osexec "os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// zones are those of whoever runs the application: on, ahead of and behind UTC, one by half an hour.
var zones = []string{"UTC", "Asia/Singapore", "America/St_Johns"}

// inZone names, in the environment of a process that TestFireF22Zones starts, that it is one.
const inZone = "LATCHKEY_FIRE_ZONE"

// Row F22: a process takes its zone from its environment, once, so each has one of its own.
func TestFireF22Zones(t *testing.T) {
	if os.Getenv(inZone) != "" {
		return
	}
	for _, zone := range zones {
		t.Run(zone, func(t *testing.T) {
			cmd := osexec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFireF22F23F24F25Times$", "-test.v")
			cmd.Env = append(os.Environ(), "TZ="+zone, inZone+"="+zone)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Contains(t, string(out), "--- PASS: TestFireF22F23F24F25Times/SQLite")
		})
	}
}

// zoned are ways to open a database whose sessions have another zone, or drivers that are told to make
// times of what they read.
func zoned(d database) []string {
	switch d.dialect {
	case sqlstore.Postgres:
		return []string{"timezone=Asia/Singapore", "timezone=America/St_Johns"}
	case sqlstore.MySQL:
		return []string{"parseTime=true&loc=Local", "parseTime=true&loc=America%2FSt_Johns&time_zone=%27%2B08%3A00%27", "time_zone=%27-03%3A30%27"}
	}
	return []string{"_time_format=sqlite", "_inttotime=1"}
}

// Rows F22 to F25: an instant is the same instant in every session, to the microsecond, now and after
// 2038, and the order of the columns is the order of time.
func TestFireF22F23F24F25Times(t *testing.T) {
	if zone := os.Getenv(inZone); zone != "" {
		want, err := time.LoadLocation(zone)
		require.NoError(t, err)
		require.Equal(t, now.In(want).Format(time.RFC3339), now.Local().Format(time.RFC3339))
	}
	onEach(t, engines, func(t *testing.T, d database) {
		dsn := d.fresh(t)
		db := d.pool(t, dsn)
		st := d.migrated(t, db)
		stores := []*sqlstore.Store{st}
		for _, params := range zoned(d) {
			stores = append(stores, d.store(t, d.pool(t, withQuery(dsn, params))))
		}

		var recs []store.Record
		rng := rand.New(rand.NewPCG(22, 25))
		instants := []time.Time{
			time.UnixMicro(0).UTC(),
			time.Date(2038, 1, 19, 3, 14, 7, 0, time.UTC), time.Date(2038, 1, 19, 3, 14, 8, 0, time.UTC),
			time.Date(2039, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2106, 2, 7, 6, 28, 16, 0, time.UTC),
			time.Date(8999, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
			time.Date(2026, 3, 8, 2, 30, 0, 0, time.UTC), time.Date(2026, 11, 1, 1, 30, 0, 0, time.UTC), // clocks change
			now.Truncate(time.Second), now.Truncate(time.Second).Add(500 * time.Millisecond), // F24: ".5Z" beside "Z"
			now.Truncate(time.Second).Add(777_777 * time.Microsecond), now.Truncate(time.Second).Add(999_999 * time.Microsecond),
		}
		for range 60 {
			instants = append(instants, time.UnixMicro(rng.Int64N(200_000_000*1_000_000)+now.UnixMicro()).UTC())
		}
		for i, at := range instants {
			rec := sample(i)
			rec.ExpiresAt, rec.CreatedAt, rec.UpdatedAt = at, at, at
			require.NoError(t, stores[i%len(stores)].Create(t.Context(), rec, 0))
			rec.Version = 1
			recs = append(recs, rec)
		}
		for _, st := range stores {
			for _, rec := range recs {
				got, err := st.Get(t.Context(), rec.ID)
				require.NoError(t, err)
				require.Equal(t, rec, got)
			}
		}

		slices.SortFunc(recs, func(a, b store.Record) int { return a.ExpiresAt.Compare(b.ExpiresAt) })
		rows, err := db.Query(`SELECT id FROM latchkey_keys ORDER BY expires_at`)
		require.NoError(t, err)
		defer rows.Close()
		for _, rec := range recs {
			require.True(t, rows.Next())
			var id string
			require.NoError(t, rows.Scan(&id))
			require.Equal(t, rec.ID, id, "the order of the column is that of time")
		}
		require.NoError(t, rows.Err())
		for i := 1; i < len(recs); i++ {
			found, err := stores[i%len(stores)].List(t.Context(), store.Query{ExpiresFrom: recs[i-1].ExpiresAt, ExpiresBefore: recs[i].ExpiresAt, Limit: 2})
			require.NoError(t, err)
			require.Equal(t, []store.Record{recs[i-1]}, found)
		}

		// A key that one session issues ends at the same instant in all of them.
		at := now
		for i, st := range stores {
			keys, err := apikey.New(st, apikey.Config{Prefix: "postman_live", Now: func() time.Time { return at }})
			require.NoError(t, err)
			at = now
			token, key, err := keys.Issue(t.Context(), apikey.Request{Owner: "user_42", Label: "HR reminders", ExpiresIn: time.Hour})
			require.NoError(t, err)
			other, err := apikey.New(stores[(i+1)%len(stores)], apikey.Config{Prefix: "postman_live", Now: func() time.Time { return at }})
			require.NoError(t, err)
			for _, keys := range []*apikey.Service{keys, other} {
				at = key.ExpiresAt.Add(-time.Nanosecond)
				require.Equal(t, http.StatusOK, doorTo(keys).knock(t.Context(), t, token.Reveal()))
				at = key.ExpiresAt
				require.Equal(t, http.StatusUnauthorized, doorTo(keys).knock(t.Context(), t, token.Reveal()))
			}
		}
	})
}
