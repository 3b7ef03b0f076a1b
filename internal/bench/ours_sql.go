package main

import (
	"context"
	"database/sql"
	"errors"
)

// sqlSubjects are the floor and latchkey on a database with so many keys each. Closing the
// subjects drops the database, and a second one for the keys with a pepper. There may be some to close
// beside an error.
func sqlSubjects(ctx context.Context, e engine, rows int, withPepper bool, filled func(n int)) (subjects []*subject, err error) {
	t, err := e.table(ctx, rows, filled)
	if err != nil {
		return nil, err
	}
	floor := &subject{
		name:   "floor",
		origin: originFloor,
		where:  e.name,
		does:   "a prepared SELECT of the same row by its id, and nothing else",
		tokens: t.tokens,
		verifier: func() verify {
			read := t.reader()
			return func(ctx context.Context, token string) (bool, error) {
				err := read(ctx, token)
				if errors.Is(err, sql.ErrNoRows) {
					return false, nil
				}
				return err == nil, err
			}
		},
		wrong:   nil, // the row is there, whatever the secret
		garbage: floorGarbage,
		close:   t.drop,
	}
	// Closed in reverse: what runs in the background goes before the database.
	subjects = []*subject{floor, ours(t.keys, t.keys, t.tokens, "", e.name)}
	front, err := cachedSubject(t.keys, t.tokens, e.name)
	if err != nil {
		return subjects, err
	}
	if front != nil {
		subjects = append(subjects, front)
	}
	if !withPepper {
		return subjects, nil
	}
	pepper, err := newPepper()
	if err != nil {
		return subjects, err
	}
	pt, err := e.table(ctx, rows, nil, pepper)
	if err != nil {
		return subjects, err
	}
	s := ours(pt.keys, pt.keys, pt.tokens, peppered, e.name)
	stop := s.close
	s.close = func() error { return errors.Join(stop(), pt.drop()) }
	return append(subjects, s), nil
}
