package importer

import (
	"context"
	"database/sql"
	"errors"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

const (
	revokedReason = "deleted in the earlier system"
	otherPrefix   = "the database has its key already, under another prefix: import into a database of its own"
	otherRow      = "hash is that of another key that is there already"
)

// batch does with each row what is to be done, all in one transaction, and returns what became of them.
func (i *Importer) batch(ctx context.Context, page []oldRow) (rows []Row, err error) {
	now := i.config.Now()
	steps := make([]step, len(page))
	rows = make([]Row, len(page))
	writes := false
	for n := range page {
		steps[n] = i.plan(&page[n], now)
		rows[n] = steps[n].row
		writes = writes || steps[n].create != nil || steps[n].revoke != ""
	}
	if !writes {
		return rows, nil
	}
	// What an attempt did before the answer to its commit was lost is its own doing, and not that of a
	// run before.
	var before []Row
	err = patiently(ctx, func(ctx context.Context) error {
		if i.config.DryRun {
			return i.foresee(ctx, steps, rows)
		}
		tx, err := i.begin(ctx)
		if err != nil {
			return err
		}
		defer tx.Rollback() // of no effect once the transaction has ended
		if err := i.write(ctx, i.to.Keys.WithTx(tx), steps, rows, before); err != nil {
			return err
		}
		if err = tx.Commit(); err != nil {
			before = append(before[:0], rows...)
		}
		return err
	})
	return rows, err
}

// begin begins a transaction as package sqlstore wishes for it.
func (i *Importer) begin(ctx context.Context) (*sql.Tx, error) {
	if i.to.Dialect == sqlstore.SQLite {
		return i.to.BeginTx(ctx, nil)
	}
	return i.to.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
}

// write takes the steps in a transaction, and sets what became of each row.
func (i *Importer) write(ctx context.Context, st store.Store, steps []step, rows, before []Row) error {
	keys := i.keys.WithStore(st)
	there := false // of the row before, as of most others then: a run that is repeated reads, and writes little
	for n, s := range steps {
		rows[n] = s.row
		again := before != nil && (before[n].Outcome == Imported || before[n].Outcome == Revoked)
		var err error
		switch {
		case s.create != nil:
			rows[n], err = create(ctx, st, s, there, again)
			there = rows[n].Outcome == There
		case s.revoke != "":
			rows[n], err = i.revoke(ctx, keys, s, again)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// create keeps a new record, under no cap: an owner with many keys keeps them all.
func create(ctx context.Context, st store.Store, s step, there, again bool) (Row, error) {
	var row Row
	var kept *store.Record
	var err error
	if there {
		row, kept, err = find(ctx, st, s)
	}
	if kept == nil && err == nil {
		if err = st.Create(ctx, *s.create, 0); !errors.Is(err, store.ErrExists) {
			return s.row, err
		}
		row, kept, err = find(ctx, st, s)
	}
	if again && kept != nil && kept.UpdatedAt.Equal(s.create.UpdatedAt) {
		return s.row, err // by the attempt before
	}
	return row, err
}

// find looks for what is in the way of a record, and returns it where it is that of the same row.
func find(ctx context.Context, st store.Store, s step) (Row, *store.Record, error) {
	kept, err := st.Get(ctx, s.create.ID)
	switch {
	case err == nil && kept.Prefix != s.create.Prefix:
		return Row{s.row.ID, Refused, otherPrefix}, nil, nil
	case err == nil:
		return Row{s.row.ID, There, ""}, &kept, nil
	case !errors.Is(err, store.ErrNotFound):
		return s.row, nil, err
	}
	return Row{s.row.ID, Refused, otherRow}, nil, nil
}

// revoke ends the key of a row that was deleted after it was taken over: whoever deleted it meant it to
// end, and its token would open the door here for as long as it was to live.
func (i *Importer) revoke(ctx context.Context, keys *apikey.Service, s step, again bool) (Row, error) {
	ended, err := i.active(ctx, keys, s.revoke)
	if err != nil {
		return s.row, err
	}
	if ended {
		_, err = keys.Revoke(ctx, apikey.AnyOwner(s.revoke), revokedReason)
	}
	if ended || again {
		s.row.Outcome = Revoked
	}
	return s.row, err
}

// active reports whether there is a key with the id that a token may still open.
func (i *Importer) active(ctx context.Context, keys *apikey.Service, id string) (bool, error) {
	key, err := keys.Get(ctx, apikey.AnyOwner(id))
	if errors.Is(err, apikey.ErrNotFound) {
		return false, nil
	}
	return err == nil && key.State(i.config.Now()) == apikey.StateActive, err
}
