package dbtest

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// Rows F22 to F25: whatever the zone of the process and of the session, and whatever a driver makes of
// times, an instant comes back as it was given, and sorts by when it is.
func TestZones(t *testing.T) {
	local := time.Local
	t.Cleanup(func() { time.Local = local })
	for _, zone := range []string{"UTC", "Asia/Singapore", "America/St_Johns"} {
		loc, err := time.LoadLocation(zone)
		require.NoError(t, err)
		time.Local = loc
		for _, d := range databases {
			t.Run(d.name+" "+zone, func(t *testing.T) {
				switch d.dialect {
				case sqlstore.Postgres:
					d.params += "&TimeZone=" + zone
				case sqlstore.MySQL:
					_, offset := now.In(loc).Zone()
					d.params += fmt.Sprintf("&parseTime=true&loc=Local&time_zone=%s", url.QueryEscape(fmt.Sprintf("'%+03d:%02d'", offset/3600, abs(offset)/60%60)))
				}
				st := d.migrated(t, d.open(t))
				var ids []string
				for i, at := range instantsIn(loc) {
					rec := sample(i)
					rec.CreatedAt, rec.UpdatedAt, rec.ExpiresAt, rec.RevokedAt, rec.LastUsedAt = at, at, at, at, at
					given := rec
					given.CreatedAt, given.UpdatedAt, given.ExpiresAt = at.In(loc), at.In(loc), at.In(loc)
					require.NoError(t, st.Create(t.Context(), given, 0))
					kept, err := st.Get(t.Context(), rec.ID)
					require.NoError(t, err)
					rec.Version = 1
					require.True(t, rec == kept, "%v is %v", at, kept.ExpiresAt)
					require.NoError(t, st.Touch(t.Context(), []store.Use{{ID: rec.ID, At: at.Add(time.Hour).In(loc)}}))
					kept, err = st.Get(t.Context(), rec.ID)
					require.NoError(t, err)
					require.True(t, at.Add(time.Hour) == kept.LastUsedAt)

					ids = append([]string{rec.ID}, ids...)
					found, err := st.List(t.Context(), store.Query{ExpiresBefore: at.Add(time.Microsecond).In(loc), Limit: 50})
					require.NoError(t, err)
					require.Len(t, found, len(ids), "instants come in their order")
				}
			})
		}
	}
}

// instantsIn are in their order: hours that a zone has twice or not at all, and years beyond 2038.
func instantsIn(loc *time.Location) []time.Time {
	return []time.Time{
		time.UnixMicro(1).UTC(),
		time.Date(2026, 3, 8, 1, 59, 59, 999_999_000, loc).UTC(),
		time.Date(2026, 3, 8, 1, 59, 59, 999_999_000, loc).Add(time.Minute).UTC(),
		time.Date(2026, 11, 1, 1, 30, 0, 1_000, loc).UTC(),
		time.Date(2026, 11, 1, 1, 30, 0, 1_000, loc).Add(time.Hour).UTC(),
		time.Date(2038, 1, 19, 3, 14, 8, 1_000, time.UTC),
		time.Date(2039, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
		time.Date(9000, 12, 31, 23, 59, 59, 999_999_000, time.UTC),
	}
}

func abs(n int) int { return max(n, -n) }
