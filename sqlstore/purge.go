package sqlstore

import (
	"context"
	"errors"
	"slices"
)

const isStale = "(expires_at < ? OR revoked_at < ?)"

// chooseStale finds records to purge. Each side asks for the order of its index and ends at the
// limit, so that a call costs the same however much there is to purge or to keep.
const chooseStale = `
(SELECT id FROM {table}{by expires} WHERE expires_at < ? ORDER BY expires_at LIMIT ?)
UNION
(SELECT id FROM {table}{by revoked} WHERE revoked_at < ? ORDER BY revoked_at LIMIT ?)
LIMIT ?`

// removeChosen deletes in two steps: it chooses ids without a lock and then deletes what of them is
// still to be purged. In one statement, rows would be locked in the order of an index on times while
// Touch and others lock them in the order of their ids, and one of the two would fail as a deadlock.
//
// Others may delete or change what was chosen in between. It is then chosen anew, so that a result
// below limit means that nothing is left.
func (s *Store) removeChosen(ctx context.Context, before int64, limit int, remove func(ids []string) (int64, error)) (int64, error) {
	var removed int64
	var last []string
	for stuck := 0; ; {
		room := limit - int(removed)
		var ids []string
		err := s.repeat(ctx, mayRepeatLost, func() (err error) {
			ids, err = s.chosen(ctx, before, room)
			return err
		})
		if err != nil || len(ids) == 0 {
			return removed, err
		}
		var n int64
		// Once an answer is lost nobody can tell how many were deleted.
		err = s.repeat(ctx, neverRepeatLost, func() (err error) {
			n, err = remove(ids)
			return err
		})
		if err != nil {
			return 0, err
		}
		removed += n
		if len(ids) < room || n == int64(room) {
			return removed, nil
		}
		if n == 0 && s.pool == nil {
			// The snapshot of the caller's transaction may show for ever what others have deleted.
			return removed, nil
		}
		if n > 0 || !slices.Equal(ids, last) {
			stuck = 0
		}
		last = ids
		if stuck++; stuck > maxRepeats {
			return removed, errors.New("what there is to delete stays, as if reads went to another server or a policy forbade it")
		}
	}
}

func (s *Store) chosen(ctx context.Context, before int64, limit int) (ids []string, err error) {
	rows, closed, err := s.query(ctx, &s.stale, before, limit, before, limit, limit)
	if err != nil {
		return nil, err
	}
	defer closed()
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, errors.Join(rows.Err(), ctx.Err())
}
