package apikey

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opengovsg/latchkey/store"
)

const (
	// remindTimeout bounds one notification. remindLease is how long others leave the key to whoever
	// began to notify, and outlasts that: an instance that dies while it notifies holds up the others no
	// longer.
	remindTimeout = 2 * time.Minute
	remindLease   = 5 * time.Minute
)

// Remind calls notify for the key, unless people were reminded of it for the given instant, or a later
// one, already. Of any number of instances that do this at the same time one calls notify, for which it
// has two minutes, and the store keeps that it did, so that it is done once across instances and
// restarts. Package reminder calls it, with the instants of its milestones.
//
// If notify fails nothing is kept, and the next call tries again. If the process dies in between, or the
// store can't be written after notify succeeded, another call notifies once more, five minutes later
// or after.
//
// Remind reports whether notify was called and succeeded. Where there is nothing to do, as for a key that
// is revoked or expired by now, it returns false and no error. Otherwise it fails with the error of
// notify, with an [*ArgumentError], with [ErrNotFound] as [Service.Get] does, and with [ErrUnavailable].
func (s *Service) Remind(ctx context.Context, ref Ref, due time.Time, notify func(context.Context, Key) error) (bool, error) {
	due = due.UTC().Truncate(time.Microsecond)
	if sec := due.Unix(); sec < 0 || sec > lastSecond {
		return false, &ArgumentError{"due", "must lie between 1970 and 9000"}
	}
	claimed := false
	var lease time.Time
	key, err := s.change(ctx, ref, func(rec *store.Record, now time.Time) error {
		claimed = rec.Active(now) && rec.RemindedFor.Before(due) && !now.Before(rec.RemindingUntil)
		if !claimed {
			return errUnchanged
		}
		lease = now.Add(remindLease)
		rec.RemindingUntil = lease
		return nil
	})
	if !claimed || err != nil {
		return false, err
	}
	failed := call(ctx, key, notify)

	// Also where the context has ended meanwhile: what was sent must not be sent again.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), remindTimeout)
	defer cancel()
	var at time.Time
	key, err = s.change(ctx, ref, func(rec *store.Record, now time.Time) error {
		at = now
		if !rec.RemindingUntil.Equal(lease) {
			return errUnchanged // it took so long that somebody else took over
		}
		rec.RemindingUntil = time.Time{}
		if failed == nil {
			rec.RemindedFor = due
		}
		return nil
	})
	if failed != nil || errors.Is(err, ErrNotFound) { // which it is when purged meanwhile
		return failed == nil, failed
	}
	if err == nil {
		s.observe(ctx, Event{Kind: EventReminded, At: at, Key: key})
	}
	return true, err
}

// call calls notify with a time of its own. A panic is an error like any other: one key must not keep
// others from being reminded.
func call(ctx context.Context, key Key, notify func(context.Context, Key) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, remindTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("apikey: the notifier panicked")
		}
	}()
	return notify(ctx, key)
}
