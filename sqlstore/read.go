package sqlstore

import (
	"context"
	"errors"

	"github.com/opengovsg/latchkey/store"
)

// Get implements [store.Store]. It is one round trip: one prepared SELECT by primary key.
func (s *Store) Get(ctx context.Context, id string) (store.Record, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return store.Record{}, fail(ctx, "get", err)
	}
	var r row
	var found bool
	err := s.repeat(ctx, mayRepeatLost, func() (err error) {
		found, err = s.scan(ctx, &s.get, r.dest(), id)
		return err
	})
	if err != nil {
		return store.Record{}, fail(ctx, "get", err)
	}
	if !found {
		return store.Record{}, store.ErrNotFound
	}
	// Neither a driver that mixes up results (CVE-2025-47907) nor a column with a lenient collation
	// may pass one key off as another.
	if r.rec.ID != id {
		return store.Record{}, errors.New("sqlstore: get: the database answered with another record")
	}
	return r.record(), nil
}

// List implements [store.Store]. By Owner or by Alias it reads the rows it returns and, with other
// fields set as well, those between them. By expiry window or by ChangedSince it reads and sorts
// what lies in the window. All other lists walk the table from the newest record on.
func (s *Store) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	ctx, cancel := s.within(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return nil, fail(ctx, "list", err)
	}
	text, args, ok := s.dialect.selectList(&q)
	if !ok {
		return nil, nil
	}
	var recs []store.Record
	err := s.repeat(ctx, mayRepeatLost, func() (err error) {
		recs, err = s.list(ctx, text, args, q.Limit)
		return err
	})
	if err != nil {
		return nil, fail(ctx, "list", err)
	}
	return recs, nil
}

// listPage is how many records a list has room for at first: most are pages of a screen, and the
// limit of one that looks for changes is far above what it finds.
const listPage = 32

func (s *Store) list(ctx context.Context, text string, args []any, limit int) ([]store.Record, error) {
	st, ok := s.lists.Load(text)
	if !ok {
		st, _ = s.lists.LoadOrStore(text, &statement{text: s.sql(text)})
	}
	rows, closed, err := s.query(ctx, st.(*statement), args...)
	if err != nil {
		return nil, err
	}
	defer closed()
	defer rows.Close()
	var (
		r    row
		dest = r.dest()
		recs []store.Record
	)
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		if recs == nil {
			recs = make([]store.Record, 0, min(limit, listPage))
		}
		recs = append(recs, r.record())
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	// As in scan: rows that end because the context did are only a part.
	return recs, ctx.Err()
}
