package signin

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/opengovsg/latchkey/sqlstore"
)

// tables are where the codes and the sessions are.
type tables struct {
	db      *sql.DB
	dialect sqlstore.Dialect
}

// What is text compares byte by byte in all three. Times are Unix microseconds.
var schemas = map[sqlstore.Dialect][]string{
	sqlstore.SQLite: {
		`CREATE TABLE IF NOT EXISTS postman_codes (address TEXT NOT NULL PRIMARY KEY, salt BLOB NOT NULL, hash BLOB NOT NULL,
			sent_at INTEGER NOT NULL, sent INTEGER NOT NULL, tries INTEGER NOT NULL, wrong INTEGER NOT NULL) STRICT`,
		`CREATE INDEX IF NOT EXISTS postman_codes_sent ON postman_codes (sent_at)`,
		`CREATE TABLE IF NOT EXISTS postman_sessions (hash BLOB NOT NULL PRIMARY KEY, owner TEXT NOT NULL,
			began_at INTEGER NOT NULL, seen_at INTEGER NOT NULL) STRICT`,
		`CREATE INDEX IF NOT EXISTS postman_sessions_seen ON postman_sessions (seen_at)`,
	},
	sqlstore.Postgres: {
		`CREATE TABLE IF NOT EXISTS postman_codes (address TEXT COLLATE "C" NOT NULL PRIMARY KEY, salt BYTEA NOT NULL, hash BYTEA NOT NULL,
			sent_at BIGINT NOT NULL, sent BIGINT NOT NULL, tries BIGINT NOT NULL, wrong BIGINT NOT NULL)`,
		`CREATE INDEX IF NOT EXISTS postman_codes_sent ON postman_codes (sent_at)`,
		`CREATE TABLE IF NOT EXISTS postman_sessions (hash BYTEA NOT NULL PRIMARY KEY, owner TEXT COLLATE "C" NOT NULL,
			began_at BIGINT NOT NULL, seen_at BIGINT NOT NULL)`,
		`CREATE INDEX IF NOT EXISTS postman_sessions_seen ON postman_sessions (seen_at)`,
	},
	sqlstore.MySQL: {
		`CREATE TABLE IF NOT EXISTS postman_codes (address VARBINARY(254) NOT NULL PRIMARY KEY, salt VARBINARY(16) NOT NULL,
			hash VARBINARY(32) NOT NULL, sent_at BIGINT NOT NULL, sent BIGINT NOT NULL, tries BIGINT NOT NULL, wrong BIGINT NOT NULL,
			INDEX postman_codes_sent (sent_at)) ENGINE = InnoDB`,
		`CREATE TABLE IF NOT EXISTS postman_sessions (hash VARBINARY(32) NOT NULL PRIMARY KEY, owner VARBINARY(254) NOT NULL,
			began_at BIGINT NOT NULL, seen_at BIGINT NOT NULL,
			INDEX postman_sessions_seen (seen_at)) ENGINE = InnoDB`,
	},
}

// Migrate makes the tables that are not there yet, and fails if those that are lack a column. Any number of instances may call it at once.
func (t tables) Migrate(ctx context.Context) error {
	for _, statement := range schemas[t.dialect] {
		_, err := t.db.ExecContext(ctx, statement)
		if err != nil {
			// On PostgreSQL it fails where another instance does the same, which has then done it.
			_, err = t.db.ExecContext(ctx, statement)
		}
		if err != nil {
			return err
		}
	}
	return t.Ready(ctx) // what was there may be another program's
}

// Ready reports whether the database answers and has the tables.
func (t tables) Ready(ctx context.Context) error {
	for _, query := range []string{
		"SELECT address, salt, hash, sent_at, sent, tries, wrong FROM postman_codes WHERE address = ''",
		"SELECT hash, owner, began_at, seen_at FROM postman_sessions WHERE owner = '' LIMIT 0",
	} {
		rows, err := t.db.QueryContext(ctx, query)
		if err != nil {
			return err
		}
		if err := rows.Close(); err != nil {
			return err
		}
	}
	return nil
}

// exec returns how many rows a statement changed.
func (t tables) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	res, err := t.db.ExecContext(ctx, t.spell(statement), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (t tables) row(ctx context.Context, query string, args ...any) *sql.Row {
	return t.db.QueryRowContext(ctx, t.spell(query), args...)
}

// spell turns what SQLite understands into the dialect.
func (t tables) spell(statement string) string {
	switch t.dialect {
	case sqlstore.MySQL:
		if text, ok := strings.CutSuffix(statement, " ON CONFLICT DO NOTHING"); ok {
			return strings.Replace(text, "INSERT", "INSERT IGNORE", 1)
		}
	case sqlstore.Postgres:
		var b strings.Builder
		for i, part := range strings.Split(statement, "?") {
			if i > 0 {
				b.WriteString("$" + strconv.Itoa(i))
			}
			b.WriteString(part)
		}
		return b.String()
	}
	return statement
}
