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
// transaction where the database has them for changes of a schema. Each also records its number in
// the table <table>_schema, so that Migrate finds what a tool has applied. A tool does not find what
// Migrate has: to go over to one, tell it that the files up to that number are applied. There is no
// way down, since going down would delete every key; a tool that is told to go down does nothing.
//
// Goose (github.com/pressly/goose/v3) takes them as they are, beside other migrations under a name of
// its own for the table where it keeps count:
//
//	files := sqlstore.Migrations(sqlstore.Postgres)
//	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
//		goose.WithTableName("latchkey_goose_version"))
//	…
//	_, err = provider.Up(ctx)
//	…
//	err = st.Check(ctx)
//
// Tern (github.com/jackc/tern/v2) takes them with
//
//	m, err := migrate.NewMigrator(ctx, conn, "latchkey_version")
//	err = m.LoadMigrations(sqlstore.Migrations(sqlstore.Postgres))
//	err = m.Migrate(ctx)
//
// Atlas works on a directory: write them there, such as with os.CopyFS, then run
//
//	atlas migrate hash --dir "file://latchkey?format=goose"
//	atlas migrate apply --dir "file://latchkey?format=goose" --url "$DATABASE_URL"
//
// Migrations panics if the dialect is not one of this package's.
func Migrations(d Dialect) fs.FS {
	if d.dialect() == nil {
		panic("sqlstore: the dialect must be SQLite, Postgres or MySQL")
	}
	files, err := fs.Sub(migrations, "migrations/"+string(d))
	if err != nil {
		panic(err) // not reached: the path is valid
	}
	return files
}

// Migrate brings the schema up to the version that this package knows: it creates the table where
// there is none and changes nothing where there is nothing to change. It is never called but by the
// application. Any number of processes may call it at once.
//
// A schema of a later version, left by a newer release of the application, is an error and stays as
// it is. On SQLite and PostgreSQL all changes of a version are made, or none; on MySQL, where changes
// of a schema commit at once, a version that was cut off midway is completed by the next call.
//
// The store must be on a *sql.DB, a *sql.Conn or a *sql.Tx. On a *sql.Tx the changes become part of
// the caller's transaction. MySQL would commit that, so Migrate refuses a *sql.Tx there, and it must
// not be called on a *sql.Conn on which a transaction was begun by hand.
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

// Check reports an error if the schema is missing, or of a version other than the one that this
// package knows, or lacks a column: what Migrate, or whoever else applies [Migrations], has yet to
// do, or a newer release has done already. It changes nothing. Called at the start of a program that
// does not migrate itself, it finds out before the first key is refused for want of a table.
func (s *Store) Check(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		err = s.check(ctx, s.db)
	}
	if err != nil {
		return fail(ctx, "check", err)
	}
	return nil
}

func (s *Store) check(ctx context.Context, db DB) error {
	texts, err := s.texts()
	if err != nil {
		return err
	}
	version, err := s.version(ctx, db)
	switch {
	case err != nil:
		return err
	case version == 0:
		return fmt.Errorf("there is no schema of table %s yet: it is for Migrate, or a tool that applies Migrations, to create", s.table)
	case version > 0 && version < len(texts):
		return fmt.Errorf("the schema of table %s is at version %d, and this program needs version %d: it is for Migrate to change",
			s.table, version, len(texts))
	case version != len(texts):
		return s.tooNew(version, len(texts))
	}
	return s.hasColumns(ctx, db)
}

// hasColumns finds out a table of another program that was there already, and one that is missing.
func (s *Store) hasColumns(ctx context.Context, db DB) error {
	texts := []string{"SELECT {columns} FROM {table}{by active} WHERE owner = '' LIMIT 0"}
	if s.lock != "" {
		texts = append(texts, "SELECT creates FROM {owners} WHERE owner = '' LIMIT 0")
	}
	for _, text := range texts {
		rows, err := db.QueryContext(ctx, s.sql(text))
		if err != nil {
			return err
		}
		if err := errors.Join(rows.Close(), rows.Err()); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) tooNew(version, known int) error {
	return fmt.Errorf("the schema of table %s is at version %d, and this program knows those up to %d", s.table, version, known)
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
		if s.dialect.inside != "" {
			if _, err := db.ExecContext(ctx, s.dialect.inside); err == nil {
				return errors.New("the connection is inside a transaction")
			}
		}
		return s.migrateOn(ctx, db)
	case *sql.Tx:
		if s.dialect.begin == "" {
			return errors.New("a change of the schema would commit the caller's transaction")
		}
		return s.upgradeInside(ctx, db)
	}
	return errors.New("the store is not on a *sql.DB, *sql.Conn or *sql.Tx")
}

// migrateOn upgrades, together with whoever else does. No lock keeps them apart, for lack of one that
// every engine has: of two that apply the same migration one fails, on a table, a column or at the
// latest the number that is there already, and finds what it was about to do done.
func (s *Store) migrateOn(ctx context.Context, conn *sql.Conn) error {
	for version := 0; ; {
		err := s.upgradeOn(ctx, conn)
		if err == nil || ctx.Err() != nil {
			return err
		}
		now, unknown := s.version(ctx, conn)
		if unknown != nil || now <= version {
			return err
		}
		version = now
	}
}

// upgradeOn upgrades in a transaction, where there can be one, that database/sql knows nothing of,
// because it can't begin one that locks at once.
func (s *Store) upgradeOn(ctx context.Context, conn *sql.Conn) error {
	if s.dialect.begin == "" {
		return s.upgrade(ctx, conn)
	}
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

// upgradeInside upgrades in the caller's transaction, wholly or not at all: a caller who commits in
// spite of the error would otherwise leave half a schema behind that no later Migrate can complete.
func (s *Store) upgradeInside(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, "SAVEPOINT latchkey_migrate"); err != nil {
		return err
	}
	err := s.upgrade(ctx, tx)
	if err != nil {
		// If this fails, so has the whole transaction.
		tx.ExecContext(context.WithoutCancel(ctx), "ROLLBACK TO SAVEPOINT latchkey_migrate")
		return err
	}
	_, err = tx.ExecContext(ctx, "RELEASE SAVEPOINT latchkey_migrate")
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
		return s.tooNew(version, len(texts))
	}
	for _, text := range texts[version:] {
		if err := s.apply(ctx, tx, text); err != nil {
			return err
		}
	}
	return s.hasColumns(ctx, tx)
}

// apply executes the statements of one migration.
func (s *Store) apply(ctx context.Context, tx DB, text string) error {
	if s.dialect.adapt != nil {
		var err error
		if text, err = s.dialect.adapt(ctx, tx, text); err != nil {
			return err
		}
	}
	for statement := range strings.SplitSeq(text, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// version returns the number of the last migration that was applied, 0 if none was. It fails on a
// connection that the store can't keep its promises on.
func (s *Store) version(ctx context.Context, tx DB) (int, error) {
	if s.dialect.sane != nil {
		if err := s.dialect.sane(ctx, tx); err != nil {
			return 0, err
		}
	}
	table := s.table + "_schema"
	if s.dialect.quotesTable {
		table = s.name("_schema")
	}
	var tables, version int
	err := tx.QueryRowContext(ctx, s.sql(s.dialect.hasTable), table).Scan(&tables)
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
