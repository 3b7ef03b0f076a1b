package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/opengovsg/latchkey/store"
)

const (
	// maxRepeats bounds how often a call is repeated that lost against another one. Each of those
	// was the other one's success.
	maxRepeats = 5

	// firstPause is the longest pause before the first repetition, and doubles with each.
	firstPause = 2 * time.Millisecond
)

// Whether a call may be repeated once after its connection was lost, and with it the answer: that
// needs a call which may take effect twice and comes out right.
const (
	mayRepeatLost   = true
	neverRepeatLost = false
)

// repeat calls f, and calls it again after a deadlock or the like, of which the database took
// everything back, and once after a lost connection if lost allows that. It never goes on once the
// context has ended. In a transaction of the caller's it calls f once: what came before f in that
// transaction is gone too.
func (s *Store) repeat(ctx context.Context, lost bool, f func() error) error {
	err := f()
	for n := 0; err != nil && s.pool != nil && n < maxRepeats; n++ {
		switch classify(err) {
		case conflicting, forgotten:
		case lostConnection:
			if !lost {
				return err
			}
			lost = false
		default:
			return err
		}
		if !pause(ctx, firstPause<<n) {
			return err
		}
		err = f()
	}
	return err
}

// inTurn runs f on s, or where a write of a record with an alias has failed before and the dialect says so,
// in a transaction that waits for all others of these. One that lost against forty others would lose against
// those of them that lost as well, as often as they all try again at once.
//
// It waits at the row of the empty owner, which no key has. Having written there, it is not the one that
// InnoDB lets give way to those who try for the first time, as they have written less.
func (s *Store) inTurn(ctx context.Context, repeated bool, rec *store.Record, f func(in *Store) error) error {
	if !repeated || rec.Alias == "" || !s.dialect.takesTurns {
		return f(s)
	}
	return s.inTx(ctx, func(tx DB) error {
		if _, err := s.execOn(ctx, tx, s.lock, ""); err != nil {
			return err
		}
		return f(s.WithTx(tx.(*sql.Tx)))
	})
}

// within bounds a call that its caller does not. A request waits for as long as its client does, and a
// server that hangs would collect them all.
func (s *Store) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, bounded := ctx.Deadline(); bounded || s.pool == nil || s.timeout < 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, s.timeout)
}

// pause waits for a random part of the given time and reports false if the context ended.
func pause(ctx context.Context, longest time.Duration) bool {
	timer := time.NewTimer(rand.N(longest))
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// decided returns a decision as it is, and any other error as a failure.
func decided(ctx context.Context, op string, err error) error {
	switch err {
	case nil, store.ErrExists, store.ErrLimit, store.ErrConflict, store.ErrNotFound:
		return err
	}
	return fail(ctx, op, err)
}

// fail says which operation an error comes from. If the context has ended, errors.Is finds that
// too: drivers differ in what they say then, and some say "interrupted".
func fail(ctx context.Context, op string, err error) error {
	if quotesSettings(err) {
		err = &quiet{err}
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("sqlstore: %s: %w: %w", op, ended, err)
	}
	if classify(err) == readOnly {
		return fmt.Errorf("sqlstore: %s: the database takes no writes: %w", op, err)
	}
	return fmt.Errorf("sqlstore: %s: %w", op, err)
}

// A quiet error keeps another one for errors.Is and errors.As, and not its text.
type quiet struct{ err error }

func (q *quiet) Error() string {
	return "a setting of the data source name is not as the driver or the database has it"
}

func (q *quiet) Unwrap() error { return q.err }
