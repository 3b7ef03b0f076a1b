package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/opengovsg/latchkey/store"
)

var mysql = dialect{
	name:  MySQL,
	quote: "`",

	// By an index of owners an update under REPEATABLE READ, in a transaction of the caller's, would lock
	// the gaps where that owner's other keys are about to be.
	byID: " FORCE INDEX (PRIMARY)",
	by:   func(index string) string { return " FORCE INDEX (" + index + ")" },

	// The default, REPEATABLE READ, counts in a snapshot that may be older than the lock, and locks
	// gaps between rows, which makes deadlocks of writes that have no row in common.
	isolation: sql.LevelReadCommitted,

	neverMixes: true,
	sane:       saneMySQL,

	hasTable: "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?",

	create: insertRecord,
	// An insert that finds the row takes an exclusive lock on it because it may update it. A plain
	// one takes a shared lock, and two of those who then want more are a deadlock; a SELECT … FOR
	// UPDATE that finds no row locks the gap where others are about to insert theirs.
	lock: "INSERT INTO {owners} (owner, creates) VALUES (?, 1) ON DUPLICATE KEY UPDATE creates = creates + 1",

	insert: insertMySQL,
	widths: widthsMySQL,

	// Who inserts what a unique index may have first shares the lock of whatever stands there, also of a
	// deleted row that is not cleaned away yet, and of the gap in front of it, which all of them then
	// want for themselves.
	takesTurns: true,

	// What no use names keeps what it has. The index keeps a small table from being locked whole.
	touch: `
UPDATE {table} FORCE INDEX (PRIMARY)
SET last_used_at = GREATEST(COALESCE(last_used_at, -9223372036854775808), CASE id`,
	apply: touchMySQL,

	purge:  "DELETE FROM {table} WHERE " + isStale + " AND id IN (",
	remove: removeMySQL,
}

// saneMySQL refuses a connection on which what a store wrote without a transaction would never be
// committed, and one whose text the server converts on its way: what does not exist in the other
// character set becomes a question mark, and one owner another.
func saneMySQL(ctx context.Context, db DB) error {
	var commits, keeps bool
	err := db.QueryRowContext(ctx, "SELECT @@autocommit, @@character_set_client = @@character_set_connection").Scan(&commits, &keeps)
	switch {
	case err != nil:
		return err
	case !commits:
		return errors.New("autocommit must be on")
	case !keeps:
		return errors.New("character_set_connection must be the same as character_set_client")
	}
	return nil
}

func insertMySQL(ctx context.Context, s *Store, rec *store.Record, max int) error {
	var err error
	if max <= 0 {
		_, err = s.exec(ctx, &s.create, values(rec)...)
	} else {
		err = s.inTx(ctx, func(tx DB) error {
			if err := s.takeTurn(ctx, tx, rec, max); err != nil {
				return err
			}
			_, err := s.execOn(ctx, tx, s.create.text, values(rec)...)
			return err
		})
	}
	// INSERT IGNORE would ignore more than a duplicate: it also cuts values to fit.
	if classify(err) == duplicate {
		return store.ErrExists
	}
	return err
}

// widthsMySQL refuses what its column can't hold. Where sql_mode is not strict, which each
// connection may set, MySQL would cut it, and a key would belong to an owner whose name is cut.
func widthsMySQL(rec *store.Record) error {
	for _, c := range []struct {
		name  string
		len   int
		width int
	}{
		{"id", len(rec.ID), 20},
		{"owner", len(rec.Owner), 255},
		{"prefix", len(rec.Prefix), 32},
		{"alias", len(rec.Alias), 255},
		{"label", len(rec.Label), 1020},
		{"hint", len(rec.Hint), 32},
		{"scopes", len(rec.Scopes), 1<<24 - 1},
		{"contacts", len(rec.Contacts), 1<<24 - 1},
		{"metadata", len(rec.Metadata), 1<<24 - 1},
		{"scheme", len(rec.Scheme), 255},
		{"hash", len(rec.Hash), 1024},
		{"revoked_reason", len(rec.RevokedReason), 1020},
		{"prior_hint", len(rec.PriorHint), 32},
		{"prior_scheme", len(rec.PriorScheme), 255},
		{"prior_hash", len(rec.PriorHash), 1024},
	} {
		if c.len > c.width {
			return fmt.Errorf("%d bytes do not fit into the %d of column %s", c.len, c.width, c.name)
		}
	}
	return nil
}

// touchBlock is how many uses go into one statement. The server looks through all of them for each
// row, which with 500 takes longer than to send five statements.
const touchBlock = 100

// touchMySQL writes the last ids first, as the primary key has them: a statement locks its rows in
// that order, and batches whose blocks end at different ids must do the same from block to block.
func touchMySQL(ctx context.Context, s *Store, uses []store.Use) error {
	size := min(len(uses), touchBlock)
	text := s.touch.text + strings.Repeat(" WHEN ? THEN ?", size) + " END) WHERE id IN (" + marks(size) + ")"
	return s.inTx(ctx, func(tx DB) error {
		st, err := tx.PrepareContext(ctx, text)
		if err != nil {
			return err
		}
		defer st.Close()
		args := make([]any, 3*size)
		for end := len(uses); end > 0; end -= size {
			for i := range size {
				use := uses[max(end-1-i, 0)] // the first is repeated where there are too few
				args[2*i], args[2*i+1], args[2*size+i] = use.ID, use.At.UnixMicro(), use.ID
			}
			if _, err := st.ExecContext(ctx, args...); err != nil {
				return err
			}
		}
		return nil
	})
}

func removeMySQL(ctx context.Context, s *Store, before int64, limit int) (int64, error) {
	return s.removeChosen(ctx, before, limit, func(ids []string) (n int64, err error) {
		args := []any{before, before}
		for _, id := range ids {
			args = append(args, id)
		}
		err = s.inTx(ctx, func(tx DB) error {
			n, err = affected(s.execOn(ctx, tx, s.purge.text+marks(len(ids))+")", args...))
			return err
		})
		return n, err
	})
}

// marks returns n question marks.
func marks(n int) string { return "?" + strings.Repeat(", ?", n-1) }
