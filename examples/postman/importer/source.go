package importer

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/stdlib"
)

// OpenSource opens the earlier system's database, postgres://user:password@host/name, for reading only: the
// server itself refuses every write. So a replica does as well as the primary. It asks the database nothing
// yet, and no error repeats the data source name. Close it in the end.
//
// PgBouncer lets the setting that does this pass only where its ignore_startup_parameters names it, and
// ignores it then; name the server itself.
func OpenSource(dsn string) (*sql.DB, error) {
	if !strings.HasPrefix(dsn, "postgres://") && !strings.HasPrefix(dsn, "postgresql://") {
		return nil, errors.New("the earlier system's data source name must begin with postgres://")
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("the earlier system's data source name is none that PostgreSQL's driver takes")
	}
	config.RuntimeParams["default_transaction_read_only"] = "on"
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "postman import"
	}
	return stdlib.OpenDB(*config), nil
}

// selectPage reads by the primary key, so that each page costs the same and holds no snapshot open in
// between: what is deleted while this runs is seen to be. Contacts are read as JSON, in which an array may
// hold nulls and other arrays.
const selectPage = `
SELECT k.id, k.hash, k.label, k.last_five, k.valid_until, to_json(k.notification_contacts)::text, k.created_at, k.deleted_at, u.email
FROM api_keys AS k LEFT JOIN users AS u ON u.id = k.user_id
WHERE k.id > $1 ORDER BY k.id LIMIT $2`

// selectCopies finds the rows whose hash a live row before them has. Only the first can be found by its
// token, here as there. The server sorts the table once.
const selectCopies = `
SELECT id FROM (
  SELECT id, row_number() OVER (PARTITION BY hash ORDER BY id) AS n
  FROM api_keys WHERE deleted_at IS NULL AND valid_until > $1
) AS live WHERE n > 1`

// An oldRow is a row of the earlier system's table, with the address of its user. Any of it may be NULL.
type oldRow struct {
	id                             int64
	hash, label, lastFive          sql.NullString
	contacts, email                sql.NullString
	validUntil, created, deletedAt pgtype.Timestamptz // which may be infinite
}

// page returns the rows after an id, by their ids.
func (i *Importer) page(ctx context.Context, after int64) (page []oldRow, err error) {
	err = patiently(ctx, func(ctx context.Context) error {
		page = page[:0]
		rows, err := i.from.QueryContext(ctx, selectPage, after, i.config.Batch)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r oldRow
			err := rows.Scan(&r.id, &r.hash, &r.label, &r.lastFive, &r.validUntil, &r.contacts, &r.created, &r.deletedAt, &r.email)
			if err != nil {
				return err
			}
			page = append(page, r)
		}
		return rows.Err()
	})
	return page, err
}

// count returns how many rows there are to read.
func (i *Importer) count(ctx context.Context) (n int64, err error) {
	err = patiently(ctx, func(ctx context.Context) error {
		return i.from.QueryRowContext(ctx, "SELECT count(*) FROM api_keys WHERE id > $1", i.config.After).Scan(&n)
	})
	return n, err
}

func (i *Importer) findCopies(ctx context.Context) (copies map[int64]bool, err error) {
	err = patiently(ctx, func(ctx context.Context) error {
		copies = make(map[int64]bool)
		rows, err := i.from.QueryContext(ctx, selectCopies, i.config.Now())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			if err := rows.Scan(&id); err != nil {
				return err
			}
			copies[id] = true
		}
		return rows.Err()
	})
	return copies, err
}
