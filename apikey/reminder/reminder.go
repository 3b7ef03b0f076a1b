// Package reminder tells people that a key of theirs is about to end, ahead of time and once.
//
//	r, err := reminder.New(keys, notifier, reminder.Config{Location: singapore})
//	go r.Run(ctx)
//
// A [Reminder] looks for the keys that end soon, and hands a [Notice] of each for which a milestone, such
// as 14 days ahead, has come to a [Notifier], which is the application's: it sends a mail, or puts the
// notice into a queue.
//
// # Where to place it
//
// In a server, start [Reminder.Run] beside [apikey.Service.Run], in every instance: whichever comes to a
// key first tells of it, and the store keeps that it did. Or let a job call [Reminder.Once], every hour or
// every day; one that did not run is made up for by the next. [Reminder.Plan] tells what would be sent, and
// sends nothing. Instances should agree on Milestones and Location.
//
// # What is sent when
//
// A milestone of n days is due from the first instant of the calendar day n days before the day on which
// the key ends, in Config.Location. After a pause only the most urgent milestone that is due is sent, and
// not those that it makes up for. A milestone is not due that lies before the key was issued or, where the
// token of a rotation is in use, before that: whoever issues a key for a week is not told at once that it
// ends within a fortnight. A key whose expiry was brought forward by a day or more is told of anew.
//
// What ends is what [apikey.Key.EndsAt] tells. As long as nobody has used the new token of a key that
// was rotated, that is the old token, and [Notice.Pending] is set. Once the new one is used, the old
// date is forgotten. Keys that are revoked, expired or without expiry are not told of. For keys that
// nobody used for long, which a report may list, see [apikey.Service.Idle].
//
// # At least once
//
// A notice is given once for each key and milestone, as far as that can be known: one that was sent
// just before its process died, or before the store could not be written, is sent again, as
// [apikey.Service.Remind] says. A Notifier that must not repeat itself can tell a repeated notice by
// its key, ExpiresAt and Milestone.
package reminder

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/opengovsg/latchkey/apikey"
)

const (
	maxMilestones = 16
	maxMilestone  = 366 // days

	defaultEvery = time.Hour
	minEvery     = time.Second
	maxEvery     = 24 * time.Hour
)

// Config says when to tell people of a key. The zero value is a good choice for a server in UTC.
type Config struct {
	// Milestones are how many days ahead people are told: 1 to 366 each, at most 16, in any order,
	// without repeats. None: 28, 14, 3 and 1.
	Milestones []int

	// Location is where the days are counted: UTC where nil.
	Location *time.Location

	// Fallback, where not nil, names whom to tell of a key without contacts, such as its owner; none
	// leaves the key out. Where it fails or panics the key is tried again with the next pass. It is
	// called by each instance with each pass for which a milestone of such a key is due. Where Fallback
	// is nil nobody is told of keys without contacts, and Report.NoContacts counts them.
	Fallback func(ctx context.Context, key apikey.Key) ([]string, error)

	// Every is how often Run makes a pass: every hour where zero, otherwise 1 second to 24 hours.
	Every time.Duration

	// OnPass, where not nil, is told what came of each pass of Run, right after it, as Once returns it.
	// A panic in it is recovered.
	OnPass func(Report, error)

	// Now is the clock: time.Now where nil. It must be safe for concurrent use, and should be the
	// service's.
	Now func() time.Time
}

// A Reminder tells people of the keys of one [apikey.Service]. Make one with [New]; the zero Reminder
// fails every call with [apikey.ErrUnavailable]. It is safe for concurrent use and starts nothing.
type Reminder struct {
	keys       *apikey.Service
	notifier   Notifier
	milestones []int // from the most urgent to the earliest
	loc        *time.Location
	fallback   func(context.Context, apikey.Key) ([]string, error)
	every      time.Duration
	onPass     func(Report, error)
	now        func() time.Time
}

// New returns a Reminder that tells the notifier of keys. The error, if any, is an
// [*apikey.ArgumentError] that names the field, "Keys" and "Notifier" included.
func New(keys *apikey.Service, notifier Notifier, c Config) (*Reminder, error) {
	if keys == nil {
		return nil, &apikey.ArgumentError{Field: "Keys", Problem: "must not be nil"}
	}
	if isNil(notifier) {
		return nil, &apikey.ArgumentError{Field: "Notifier", Problem: "must not be nil"}
	}
	r := &Reminder{
		keys:       keys,
		notifier:   notifier,
		milestones: slices.Sorted(slices.Values(c.Milestones)),
		loc:        c.Location,
		fallback:   c.Fallback,
		every:      c.Every,
		onPass:     c.OnPass,
		now:        c.Now,
	}
	if len(r.milestones) == 0 {
		r.milestones = []int{1, 3, 14, 28}
	}
	if err := checkMilestones(r.milestones); err != nil {
		return nil, err
	}
	if r.loc == nil {
		r.loc = time.UTC
	}
	if r.every == 0 {
		r.every = defaultEvery
	}
	if r.every < minEvery || r.every > maxEvery {
		return nil, &apikey.ArgumentError{Field: "Every", Problem: fmt.Sprintf("must be %s to %s", minEvery, maxEvery)}
	}
	if r.now == nil {
		r.now = time.Now
	}
	return r, nil
}

// checkMilestones expects them in ascending order.
func checkMilestones(sorted []int) error {
	problem := ""
	switch {
	case len(sorted) > maxMilestones:
		problem = fmt.Sprintf("must be at most %d", maxMilestones)
	case sorted[0] < 1 || sorted[len(sorted)-1] > maxMilestone:
		problem = fmt.Sprintf("must be 1 to %d days each", maxMilestone)
	case len(slices.Compact(slices.Clone(sorted))) < len(sorted):
		problem = "must not repeat"
	default:
		return nil
	}
	return &apikey.ArgumentError{Field: "Milestones", Problem: problem}
}

// isNil also finds the nil function or pointer that an interface may hold.
func isNil(n Notifier) bool {
	v := reflect.ValueOf(n)
	return !v.IsValid() || (v.Kind() == reflect.Func || v.Kind() == reflect.Pointer) && v.IsNil()
}

// Run makes a pass, as Once does, now and then every Config.Every, and returns nil when ctx ends. A
// pass that fails is made up for by the next; Config.OnPass is told of it. It starts no goroutine:
//
//	go r.Run(ctx)
//
// The notifier's context ends with ctx. Run fails only where the Reminder was not made by [New], or ctx is
// nil, with [apikey.ErrUnavailable].
func (r *Reminder) Run(ctx context.Context) error {
	if err := r.ready(ctx); err != nil {
		return err
	}
	ticker := time.NewTicker(r.every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		report, err := r.Once(ctx)
		r.tell(report, err)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	return nil
}

// ready reports what no call can work with.
func (r *Reminder) ready(ctx context.Context) error {
	switch {
	case r == nil || r.keys == nil:
		return fmt.Errorf("%w: the reminder was not made by New", apikey.ErrUnavailable)
	case ctx == nil:
		return fmt.Errorf("%w: the context is nil", apikey.ErrUnavailable)
	}
	return nil
}

// tell hands what came of a pass to Config.OnPass, whose panic must not end the reminders.
func (r *Reminder) tell(report Report, err error) {
	if r.onPass == nil {
		return
	}
	defer func() { recover() }()
	r.onPass(report, err)
}
