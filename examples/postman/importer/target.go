package importer

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// foresee sets what would become of each row, and writes nothing.
func (i *Importer) foresee(ctx context.Context, steps []step, rows []Row) error {
	keys := i.keys.WithStore(i.target)
	for n, s := range steps {
		rows[n] = s.row
		switch {
		case s.create != nil:
			row, kept, err := find(ctx, i.target, s)
			if err != nil {
				return err
			}
			if kept == nil && row.Reason == otherRow {
				// Nothing has that id; perhaps nothing is in the way at all.
				others, err := i.target.List(ctx, store.Query{Alias: s.create.Alias, Limit: 1})
				if err != nil {
					return err
				}
				if len(others) == 0 {
					row = s.row
				}
			}
			rows[n] = row
		case s.revoke != "":
			active, err := i.active(ctx, keys, s.revoke)
			if err != nil {
				return err
			}
			if active {
				rows[n].Outcome = Revoked
			}
		}
	}
	return nil
}

// hasTables reports whether the target has tables of keys, and fails if they are of another release.
func (i *Importer) hasTables(ctx context.Context) (bool, error) {
	if i.to == nil {
		return false, nil
	}
	var tables int
	look := map[sqlstore.Dialect]string{
		sqlstore.SQLite:   "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '" + sqlstore.DefaultTable + "'",
		sqlstore.Postgres: "SELECT COUNT(to_regclass(quote_ident(current_schema()) || '." + sqlstore.DefaultTable + "'))",
		sqlstore.MySQL:    "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '" + sqlstore.DefaultTable + "'",
	}[i.to.Dialect]
	err := patiently(ctx, func(ctx context.Context) error { return i.to.QueryRowContext(ctx, look).Scan(&tables) })
	if err != nil || tables == 0 {
		return false, err
	}
	return true, i.to.Ready(ctx)
}

const (
	attempts       = 6
	attemptTimeout = time.Minute
	firstPause     = 100 * time.Millisecond // and twice as long each time
)

// patiently calls f until it succeeds, for a few seconds: a database that restarts, fails over or sees a
// deadlock is there again soon, and everything here may be done twice. An attempt that takes a minute is
// given up, since a server that falls silent would otherwise be waited for without end.
func patiently(ctx context.Context, f func(context.Context) error) error {
	for n := 0; ; n++ {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		err := f(attempt)
		cancel()
		if ended := ctx.Err(); err != nil && ended != nil {
			return ended
		}
		if err == nil || hopeless(err) || n == attempts-1 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(firstPause << n):
		}
	}
}

// hopeless reports whether PostgreSQL will say the same again: what is asked of it does not exist, or is
// not allowed.
func hopeless(err error) bool {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return false
	}
	switch refused.Code[:2] {
	case "22", "28", "3D", "42":
		return true
	}
	return false
}
