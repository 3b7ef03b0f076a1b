package settings

import (
	"fmt"
	"time"
)

// relative says how far ahead or back an instant is.
func relative(d time.Duration) string {
	switch {
	case d >= 0 && d < time.Minute:
		return "in less than a minute"
	case d < 0 && d > -time.Minute:
		return "just now"
	case d < 0:
		return rough(-d) + " ago"
	}
	return "in " + rough(d)
}

// rough tells a duration in one unit. Up to a week it is rounded down: who has "2 days" left has no less. A key
// that was made for 30 days just now has "30 days".
func rough(d time.Duration) string {
	const month = 30*day + 10*time.Hour + 30*time.Minute // of the twelve of a year
	switch {
	case d < time.Hour:
		return count(int(d/time.Minute), "minute")
	case d < 2*day:
		return count(int(d/time.Hour), "hour")
	case d < 7*day:
		return count(int(d/day), "day")
	case d < 60*day:
		return count(int(d.Round(day)/day), "day")
	case d < 24*month:
		return count(int(d.Round(month)/month), "month")
	}
	return count(int(d/(12*month)), "year")
}

// duration tells one that was configured, exactly where it is of whole minutes.
func duration(d time.Duration) string {
	switch {
	case d%day == 0 && d > day:
		return count(int(d/day), "day")
	case d%time.Hour == 0:
		return count(int(d/time.Hour), "hour")
	case d%time.Minute == 0:
		return count(int(d/time.Minute), "minute")
	}
	return d.String()
}

func count(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}
