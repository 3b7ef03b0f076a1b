package bench

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/sqlstore"
)

// openSQLite returns a service on a fresh file with a thousand keys, and their tokens.
func openSQLite(b *testing.B) (*sql.DB, *apikey.Service, []string) {
	b.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(b.TempDir(), "keys.db")+
		"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	st, err := sqlstore.New(db, sqlstore.SQLite, sqlstore.Config{})
	if err != nil {
		b.Fatal(err)
	}
	if err := st.Migrate(context.Background()); err != nil {
		b.Fatal(err)
	}
	keys := newService(b, st)
	return db, keys, issue(b, keys, 1000)
}

func BenchmarkVerifySQLite(b *testing.B) {
	_, keys, tokens := openSQLite(b)
	verify(b, keys, tokens)
}

// BenchmarkFloorSQLite reads the same rows by a prepared point SELECT of the same columns, and does
// nothing with them.
func BenchmarkFloorSQLite(b *testing.B) {
	db, _, tokens := openSQLite(b)
	ctx := context.Background()
	stmt, err := db.PrepareContext(ctx, `SELECT id, owner, prefix, alias, label, hint, scopes, contacts, metadata, scheme, hash,
		created_at, updated_at, expires_at, revoked_at, revoked_reason, last_used_at, version FROM latchkey_keys WHERE id = ?`)
	if err != nil {
		b.Fatal(err)
	}
	defer stmt.Close()
	var id, owner, prefix, label, hint, scopes, contacts, metadata, scheme, reason string
	var alias sql.NullString
	var hash []byte
	var created, updated, expires, revoked, used sql.NullInt64
	var version int64
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		token := tokens[i%len(tokens)]
		if err := stmt.QueryRowContext(ctx, token[13:33]).Scan(&id, &owner, &prefix, &alias, &label, &hint, &scopes, &contacts,
			&metadata, &scheme, &hash, &created, &updated, &expires, &revoked, &reason, &used, &version); err != nil {
			b.Fatal(err)
		}
	}
}
