package reminder

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/opengovsg/latchkey/apikey"
)

// maxOutages is how many keys in a row the store may fail for until a pass ends: one that is down
// takes its time for each. A single record that can't be read keeps nobody else from being told.
const maxOutages = 5

// A Report counts what came of a pass, one key each.
type Report struct {
	Sent       int // the notifier was told
	Failed     int // nobody was told, and the next pass tries again
	NoContacts int // a milestone is due, and there is nobody to tell
	Done       int // told before, or right now by another instance
}

// String spells the numbers on one line, such as "3 sent, 0 failed, 1 without contacts, 20 done before".
func (r Report) String() string {
	return fmt.Sprintf("%d sent, %d failed, %d without contacts, %d done before", r.Sent, r.Failed, r.NoContacts, r.Done)
}

// Once makes one pass: it tells the notifier of every key of which a milestone is due and was not told
// yet, one after the other. A notifier that fails or panics for one key keeps none of the others from
// being told, and neither does the store, until it has failed for five in a row.
//
// The error joins what failed, for the first ten keys, and tells how many more there are. Where the
// store could not answer it wraps [apikey.ErrUnavailable], and the error of ctx where that ended; the Report
// then counts what was done until then. Of the errors of Notifier and Fallback it has the beginning of the
// text, without what looks like an address, and nothing for errors.Is: they may be about people.
func (r *Reminder) Once(ctx context.Context) (Report, error) {
	if err := r.ready(ctx); err != nil {
		return Report{}, err
	}
	var (
		report  Report
		failed  failures
		outages int
	)
	for t, err := range r.tasks(ctx, &report) {
		if t == nil {
			failed.end(err)
			break
		}
		sent := false
		if err == nil {
			sent, err = r.send(ctx, t, &report)
		}
		if err == nil {
			outages = 0
			continue
		}
		if !sent {
			report.Failed++
		}
		failed.add(t.Key.ID, err)
		if !errors.Is(err, apikey.ErrUnavailable) {
			outages = 0
		} else if outages++; outages == maxOutages {
			failed.end(fmt.Errorf("reminder: the pass ended early: %w", apikey.ErrUnavailable))
			break
		}
	}
	return report, failed.join()
}

// Plan iterates over the notices that Once would give now, in no order that can be relied on. It sends
// and writes nothing, but asks Config.Fallback; where that fails for a key, the error comes with a notice
// of that key without contacts, and the iteration goes on. Any other error ends it: one that wraps
// [apikey.ErrUnavailable], or the one of ctx.
func (r *Reminder) Plan(ctx context.Context) iter.Seq2[Notice, error] {
	return func(yield func(Notice, error) bool) {
		if err := r.ready(ctx); err != nil {
			yield(Notice{}, err)
			return
		}
		for t, err := range r.tasks(ctx, new(Report)) {
			switch {
			case t == nil:
				yield(Notice{}, err)
				return
			case err != nil:
				err = fmt.Errorf("reminder: key %s: %w", t.Key.ID, err)
			}
			if !yield(t.Notice, err) {
				return
			}
		}
	}
}

// A task is a notice to give.
type task struct {
	Notice
	since    time.Time // when the milestone was reached
	fallback []string  // the contacts, where they are not the key's own
}

// tasks iterates over the notices that are due and not given yet, and counts the others. An error comes
// with the task that Fallback failed for, or with none, at the end.
func (r *Reminder) tasks(ctx context.Context, report *Report) iter.Seq2[*task, error] {
	return func(yield func(*task, error) bool) {
		now := r.now()
		for key, err := range r.keys.Expiring(ctx, now, r.horizon(now)) {
			if err == nil {
				err = ctx.Err() // a page of keys is in memory, and needs no context
			}
			if err != nil {
				yield(nil, err)
				return
			}
			n, since, due := r.due(key, now)
			if !due {
				continue
			}
			if !key.RemindedFor().Before(since) {
				report.Done++
				continue
			}
			t := &task{Notice: n, since: since}
			t.Contacts = key.Contacts()
			if len(t.Contacts) == 0 && r.fallback != nil {
				t.fallback, err = r.ask(ctx, key)
				t.Contacts = t.fallback
			}
			if err == nil && len(t.Contacts) == 0 {
				report.NoContacts++
				continue
			}
			if !yield(t, err) {
				return
			}
		}
	}
}

// ask returns whom Fallback names.
func (r *Reminder) ask(ctx context.Context, key apikey.Key) (contacts []string, err error) {
	defer func() {
		if recover() != nil {
			contacts, err = nil, errors.New("the fallback panicked")
		}
	}()
	contacts, err = r.fallback(ctx, key)
	if err != nil {
		return nil, errors.New(plain(err.Error(), contacts))
	}
	return slices.Clone(contacts), nil
}

// errMoved ends a reminder that is no longer due.
var errMoved = errors.New("the key has changed")

// send gives the notice, unless somebody else did, and reports whether it was given.
func (r *Reminder) send(ctx context.Context, t *task, report *Report) (bool, error) {
	asked, told := false, t.Contacts
	ref := apikey.Ref{Owner: t.Key.Owner, ID: t.Key.ID}
	sent, err := r.keys.Remind(ctx, ref, t.since, func(ctx context.Context, key apikey.Key) error {
		// The key may have changed since it was listed, and a day may have passed.
		n, since, _ := r.due(key, r.now())
		if n.Contacts = key.Contacts(); len(n.Contacts) == 0 {
			n.Contacts = slices.Clone(t.fallback)
		}
		if !since.Equal(t.since) || len(n.Contacts) == 0 {
			return errMoved // what is due now, the next pass finds
		}
		asked, told = true, slices.Clone(n.Contacts)
		return r.notifier.Notify(ctx, n)
	})
	switch {
	case sent:
		report.Sent++ // also where the store could not be told
	case asked:
		err = errors.New(plain(err.Error(), told))
	case errors.Is(err, errMoved), errors.Is(err, apikey.ErrNotFound):
		err = nil
	case err == nil:
		report.Done++
	}
	return sent, err
}
