package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed migrations
var migrations embed.FS

// Migrations returns the files that [Store.Migrate] applies, named 0001_….sql and so on in the order
// to apply them in, for use with a migration tool. They create [DefaultTable] and what belongs to
// it; for another name replace every "latchkey_keys" in them. Each file is to be applied once, in a
// transaction. Each also records its number in the table <table>_schema, so that a database may
// be migrated by a tool and by Migrate in turn.
//
// Migrations panics if the dialect is not one of this package's.
func Migrations(d Dialect) fs.FS {
	if d.dialect() == nil {
		panic("sqlstore: unknown dialect")
	}
	files, err := fs.Sub(migrations, "migrations/"+string(d))
	if err != nil {
		panic(err) // not reached: the path is valid
	}
	return files
}

// Migrate brings the schema up to the version that this package knows: it creates the table where
// there is none and changes nothing where there is nothing to change. It is never called but by the
// application. Any number of processes may call it at once, and all of its changes are made, or
// none.
//
// A schema of a later version, left by a newer release of the application, is an error and stays as
// it is. On a *sql.Tx the changes become part of the caller's transaction. The store must be on a
// *sql.DB, a *sql.Conn or a *sql.Tx.
func (s *Store) Migrate(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		err = s.migrate(ctx)
	}
	if err != nil {
		return fail(ctx, "migrate", err)
	}
	return nil
}

func (s *Store) migrate(ctx context.Context) error {
	switch db := s.db.(type) {
	case *sql.DB:
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		return s.migrateOn(ctx, conn)
	case *sql.Conn:
		return s.migrateOn(ctx, db)
	case *sql.Tx:
		return s.upgrade(ctx, db)
	}
	return errors.New("the store is not on a *sql.DB, *sql.Conn or *sql.Tx")
}

// migrateOn upgrades in a transaction that database/sql knows nothing of, because it can't begin one
// that locks at once.
func (s *Store) migrateOn(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, s.dialect.begin)
	if err != nil && ctx.Err() == nil {
		return err // no transaction was begun, and there may be one of the caller's to leave alone
	}
	if err == nil {
		if err = s.upgrade(ctx, conn); err == nil {
			_, err = conn.ExecContext(ctx, "COMMIT")
		}
	}
	if err != nil {
		// Also where the context ended during begin or commit, which may have taken effect even so.
		// The connection must not go back to the pool inside a transaction, so this outlives the
		// context. It can only fail if there is no transaction, or no connection, any more.
		conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	}
	return err
}

// upgrade applies the migrations that the database has not seen.
func (s *Store) upgrade(ctx context.Context, tx DB) error {
	texts, err := s.texts()
	if err != nil {
		return err
	}
	version, err := s.version(ctx, tx)
	if err != nil {
		return err
	}
	if version < 0 || version > len(texts) {
		return fmt.Errorf("the schema of table %s is at version %d, and this program knows those up to %d",
			s.table, version, len(texts))
	}
	for _, text := range texts[version:] {
		for statement := range strings.SplitSeq(text, ";\n") {
			if strings.TrimSpace(statement) == "" {
				continue
			}
			if _, err := tx.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
	}
	return nil
}

// version returns the number of the last migration that was applied, 0 if none was.
func (s *Store) version(ctx context.Context, tx DB) (int, error) {
	var tables, version int
	err := tx.QueryRowContext(ctx, s.dialect.hasTable, s.table+"_schema").Scan(&tables)
	if err != nil || tables == 0 {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0) FROM "+s.name("_schema")).Scan(&version)
	return version, err
}

// texts returns the migrations in their order, for the store's own table.
func (s *Store) texts() ([]string, error) {
	files := Migrations(s.dialect.name)
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		texts = append(texts, strings.ReplaceAll(string(text), DefaultTable, s.table))
	}
	return texts, nil
}
