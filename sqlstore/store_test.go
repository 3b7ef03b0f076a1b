package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/store"
)

var now = time.Date(2026, 3, 1, 9, 30, 0, 123_456_000, time.UTC)

func TestNew(t *testing.T) {
	f := new(fake)
	db := f.pool(t)
	for name, db := range map[string]DB{
		"nil": nil, "nil DB": (*sql.DB)(nil), "nil Conn": (*sql.Conn)(nil), "nil Tx": (*sql.Tx)(nil),
	} {
		st, err := New(db, SQLite, Config{})
		require.Error(t, err, name)
		require.Nil(t, st)
	}
	for _, d := range []Dialect{"", "SQLite", "sqlite ", "../sqlite", "postgresql"} {
		st, err := New(db, d, Config{})
		require.EqualError(t, err, "sqlstore: the dialect must be SQLite, Postgres or MySQL")
		require.Nil(t, st)
	}
	for _, table := range []string{
		"Keys", "1keys", "keys-2", "keys 2", " keys", "a.b", `a"b`, "a`b", "a'b", "a;b", "k\x00", "clés", "\xff", "{table}",
		strings.Repeat("k", 41), "sqlite_keys", "keys_schema", "keys_owners", "keys_owner", "keys_active", "keys_alias", "keys_expires", "keys_prior", "keys_revoked", "keys_updated",
	} {
		st, err := New(db, SQLite, Config{Table: table})
		require.ErrorContains(t, err, "sqlstore: a table name is at most 40 bytes of [a-z_][a-z0-9_]*", table)
		require.Nil(t, st)
	}
	for table, want := range map[string]string{
		"": DefaultTable, "keys": "keys", "_": "_", "k1": "k1", "select": "select", strings.Repeat("k", 40): strings.Repeat("k", 40),
	} {
		st, err := New(db, SQLite, Config{Table: table})
		require.NoError(t, err, table)
		require.Equal(t, want, st.table)
	}
	require.Empty(t, f.since(), "New does not touch the database")

	st, err := New(db, SQLite, Config{Table: "keys"})
	require.NoError(t, err)
	require.Panics(t, func() { st.WithTx(nil) })
}

// Row M33: a data source name may hold a password.
func TestStorePrintsNoDSN(t *testing.T) {
	f := &fake{dsn: "canary"}
	st, err := New(f.pool(t), SQLite, Config{})
	require.NoError(t, err)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(verb, struct{ Store store.Store }{st}), f.dsn)
		require.NotContains(t, fmt.Sprintf(verb, st), f.dsn)
	}
}

// A call is one use of a store's method.
type call struct {
	name string
	do   func(context.Context, *Store) error
}

var canary = store.Record{
	ID: "canary", Owner: "canary", Prefix: "canary", Alias: "canary", Label: "canary", Hint: "canary",
	Scopes: "canary", Contacts: "canary", Metadata: "canary", Scheme: "canary", Hash: "canary",
	RevokedReason: "canary", UpdatedAt: now,
}

var calls = []call{
	{"create", func(ctx context.Context, st *Store) error { return st.Create(ctx, canary, 1) }},
	{"get", func(ctx context.Context, st *Store) error {
		rec, err := st.Get(ctx, canary.ID)
		if rec != (store.Record{}) {
			return errors.New("a record came with an error")
		}
		return err
	}},
	{"list", func(ctx context.Context, st *Store) error {
		recs, err := st.List(ctx, store.Query{Owner: canary.Owner, Limit: 10})
		if recs != nil {
			return errors.New("records came with an error")
		}
		return err
	}},
	{"update", func(ctx context.Context, st *Store) error { return st.Update(ctx, canary) }},
	{"touch", func(ctx context.Context, st *Store) error {
		return st.Touch(ctx, []store.Use{{ID: canary.ID, At: now}})
	}},
	{"purge", func(ctx context.Context, st *Store) error { _, err := st.Purge(ctx, now, 10); return err }},
	{"migrate", func(ctx context.Context, st *Store) error { return st.Migrate(ctx) }},
}

func TestEndedContextReachesNoDatabase(t *testing.T) {
	f := new(fake)
	panics := struct{ DB }{} // whatever is called
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), now)
	defer cancel()
	for _, db := range []DB{f.pool(t), panics} {
		st, err := New(db, SQLite, Config{})
		require.NoError(t, err)
		for _, c := range calls {
			require.ErrorIs(t, c.do(canceled, st), context.Canceled, c.name)
			require.ErrorIs(t, c.do(late, st), context.DeadlineExceeded, c.name)
		}
	}
	require.Empty(t, f.since())
}

func TestNothingToDoReachesNoDatabase(t *testing.T) {
	f := new(fake)
	st, err := New(f.pool(t), SQLite, Config{})
	require.NoError(t, err)
	for _, limit := range []int{0, -1, -1 << 63} {
		recs, err := st.List(t.Context(), store.Query{Owner: "user_42", Limit: limit})
		require.NoError(t, err)
		require.Empty(t, recs)
		n, err := st.Purge(t.Context(), now, limit)
		require.NoError(t, err)
		require.Zero(t, n)
	}
	recs, err := st.List(t.Context(), store.Query{State: store.Revoked + 1, Limit: 10})
	require.NoError(t, err)
	require.Empty(t, recs)
	require.NoError(t, st.Touch(t.Context(), nil))
	require.NoError(t, st.Touch(t.Context(), []store.Use{{ID: "a"}, {ID: "b", At: time.Time{}.AddDate(-1, 0, 0)}}))
	require.Empty(t, f.since())
}
