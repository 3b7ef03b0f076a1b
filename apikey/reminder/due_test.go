package reminder

import (
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/stretchr/testify/require"
)

// TestDayStart compares with a walk, a minute at a time, to the first minute of the day or of a later one.
func TestDayStart(t *testing.T) {
	for _, c := range []struct {
		zone, from string
		days       int
	}{
		{"UTC", "2026-02-25", 8},
		{"Asia/Singapore", "2026-02-25", 8},
		{"Asia/Kolkata", "2026-02-25", 4},
		{"Asia/Kathmandu", "2026-02-25", 4},
		{"Pacific/Kiritimati", "2026-02-25", 4},  // 14 hours ahead
		{"Pacific/Pago_Pago", "2026-02-25", 4},   // 11 behind
		{"America/New_York", "2026-03-05", 6},    // forward at 2
		{"America/New_York", "2026-10-29", 6},    // back at 2
		{"Australia/Lord_Howe", "2026-04-02", 6}, // back by half an hour
		{"Africa/Cairo", "2026-04-21", 6},        // forward at midnight: there is none
		{"America/Santiago", "2026-09-03", 6},    // the same
		{"America/Sao_Paulo", "2018-11-01", 6},   // the same
		{"America/Sao_Paulo", "2019-02-14", 6},   // back at midnight, to the day before
		{"America/Havana", "2026-10-29", 6},      // back at 1, to a second midnight
		{"Atlantic/Azores", "2026-10-22", 6},     // the same
		{"America/St_Johns", "2009-10-29", 6},    // back at 0:01, to the day before: the day begins twice
		{"America/St_Johns", "2009-03-05", 6},    // forward at 0:01
		{"Pacific/Apia", "2011-12-27", 6},        // December 30 was left out
		{"Pacific/Kwajalein", "1993-08-18", 6},   // the same
	} {
		loc, err := time.LoadLocation(c.zone)
		require.NoError(t, err)
		from, err := time.ParseInLocation(time.DateOnly+" 15", c.from+" 12", loc)
		require.NoError(t, err)
		for n := range c.days {
			wanted := midnightUTC(from, n)
			at := wanted.Add(-26 * time.Hour)
			for midnightUTC(at.In(loc), 0).Before(wanted) {
				at = at.Add(time.Minute)
			}
			got := dayStart(from, n)
			require.True(t, got.Equal(at), "%s and %d days in %s begins at %v and not at %v", c.from, n, c.zone, at.In(loc), got)
			require.Equal(t, loc, got.Location())
			require.True(t, got.Equal(dayStart(from.AddDate(0, 0, 200), n-200)), "counted back from afar")
		}
	}
}

func TestDays(t *testing.T) {
	auckland, err := time.LoadLocation("Pacific/Auckland")
	require.NoError(t, err)
	at := func(text string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04", text, auckland)
		require.NoError(t, err)
		return v
	}
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"2026-04-04 00:00", "2026-04-04 23:59", 0},
		{"2026-04-04 23:59", "2026-04-05 00:00", 1},
		{"2026-04-04 00:00", "2026-04-06 00:00", 2}, // 49 hours
		{"2026-09-26 00:00", "2026-09-28 00:00", 2}, // 47 hours
		{"2026-12-31 23:59", "2027-01-01 00:00", 1},
		{"2028-02-28 12:00", "2028-03-01 11:00", 2},
	} {
		require.Equal(t, c.want, days(at(c.a), at(c.b)), c)
	}
}
