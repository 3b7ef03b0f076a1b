package reminder

import (
	"slices"
	"time"

	"github.com/opengovsg/latchkey/apikey"
)

// due returns the notice, but for its contacts, of the milestone of the key that is due, and since when
// it is; false if none is.
func (r *Reminder) due(key apikey.Key, now time.Time) (n Notice, since time.Time, ok bool) {
	end := key.EndsAt(now)
	if !now.Before(end) { // or never
		return Notice{}, time.Time{}, false
	}
	end, now = end.In(r.loc), now.In(r.loc)
	left := days(now, end)
	i := slices.IndexFunc(r.milestones, func(m int) bool { return left <= m })
	if i < 0 {
		return Notice{}, time.Time{}, false
	}
	milestone := r.milestones[i]
	begun := key.CreatedAt
	handover, rotated := key.Handover()
	if rotated && handover.RotatedAt.After(begun) {
		begun = handover.RotatedAt
	}
	since = dayStart(end, -milestone)
	if since.Before(begun) {
		return Notice{}, time.Time{}, false // and so do those before
	}
	return Notice{
		Key:       key,
		ExpiresAt: end,
		DaysLeft:  left,
		Pending:   rotated && handover.Pending() && now.Before(handover.PriorExpiresAt),
		Milestone: milestone,
	}, since, true
}

// horizon returns the instant from which on no key that ends has a milestone that is due.
func (r *Reminder) horizon(now time.Time) time.Time {
	return dayStart(now.In(r.loc), r.milestones[len(r.milestones)-1]+1)
}

// days returns how many calendar days b lies after a, each in its own location.
func days(a, b time.Time) int {
	return int(midnightUTC(b, 0).Sub(midnightUTC(a, 0)) / (24 * time.Hour))
}

// midnightUTC returns when the calendar day so many days after that of t begins in UTC.
func midnightUTC(t time.Time, days int) time.Time {
	year, month, day := t.Date()
	return time.Date(year, month, day+days, 0, 0, 0, 0, time.UTC)
}

// dayStart returns the first instant, in the location of t, of the calendar day so many days after that
// of t. It is not what time.Date makes of midnight, where clocks are put forward at midnight, so that
// there is none, or back to it, so that there are two, or where a zone left out the whole day.
func dayStart(t time.Time, days int) time.Time {
	midnight := midnightUTC(t, days)
	// No zone is a day ahead of UTC: here the day has not begun. From here, go from one offset to the next.
	at := midnight.Add(-24 * time.Hour).In(t.Location())
	for {
		_, offset := at.Zone()
		_, end := at.ZoneBounds()
		first := midnight.Add(-time.Duration(offset) * time.Second)
		if first.Before(at) {
			first = at // the change to this offset went over midnight
		}
		if end.IsZero() || first.Before(end) {
			return first.In(t.Location())
		}
		at = end
	}
}
