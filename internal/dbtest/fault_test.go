package dbtest

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// writes are the methods that write, each given something to do on a store that keeps sample(1) as
// it was created.
var writes = []struct {
	name string
	call func(context.Context, store.Store) error
}{
	{"create", func(ctx context.Context, st store.Store) error { return st.Create(ctx, sample(2), 5) }},
	{"update", func(ctx context.Context, st store.Store) error {
		rec := sample(1)
		rec.Version = 1
		return st.Update(ctx, rec)
	}},
	{"touch", func(ctx context.Context, st store.Store) error {
		return st.Touch(ctx, []store.Use{{ID: sample(1).ID, At: now}})
	}},
	{"purge", func(ctx context.Context, st store.Store) error {
		_, err := st.Purge(ctx, now.AddDate(9, 0, 0), 5)
		return err
	}},
}

// requireReadOnly asserts that nothing can be written, as an outage, and that reading goes on.
func requireReadOnly(t *testing.T, st store.Store, code int) {
	t.Helper()
	for _, write := range writes {
		err := write.call(t.Context(), st)
		requireOutage(t, err)
		require.Equal(t, code, sqliteCode(t, err), write.name)
		rec, err := st.Get(t.Context(), sample(1).ID)
		require.NoError(t, err, "reading goes on")
		require.Equal(t, int64(1), rec.Version)
		require.True(t, rec.LastUsedAt.IsZero())
		recs, err := st.List(t.Context(), store.Query{Limit: 10})
		require.NoError(t, err)
		require.Len(t, recs, 1)
	}
}

// requireOutages asserts that every method fails, as an outage.
func requireOutages(t *testing.T, st *sqlstore.Store) {
	t.Helper()
	for _, write := range writes {
		requireOutage(t, write.call(t.Context(), st))
	}
	rec, err := st.Get(t.Context(), sample(1).ID)
	requireOutage(t, err)
	require.Zero(t, rec)
	recs, err := st.List(t.Context(), store.Query{Limit: 10})
	requireOutage(t, err)
	require.Empty(t, recs)
	requireOutage(t, st.Migrate(t.Context()))
}

// sqliteCode returns the primary result code that an error carries.
func sqliteCode(t *testing.T, err error) int {
	t.Helper()
	var e *sqlite.Error
	require.ErrorAs(t, err, &e)
	return e.Code() & 0xff
}

// Row F35: a writer that can't have the lock fails as an outage and not as a conflict.
func TestBusy(t *testing.T) {
	file := newFile(t)
	holder := one(open(t, file, settings))
	require.NoError(t, migrated(t, holder).Create(t.Context(), sample(1), 0))
	for _, txlock := range []string{"immediate", "deferred"} {
		st := newStore(t, one(open(t, file, "_pragma=busy_timeout(20)&_txlock="+txlock)))
		exec(t, holder, `BEGIN IMMEDIATE`)
		requireReadOnly(t, st, 5)
		err := st.Migrate(t.Context())
		requireOutage(t, err)
		require.Equal(t, 5, sqliteCode(t, err))
		exec(t, holder, `ROLLBACK`)
	}
}

// Row F35: a writer that may wait does.
func TestBusyWaits(t *testing.T) {
	file := newFile(t)
	holder := one(open(t, file, settings))
	migrated(t, holder)
	db := open(t, file, settings)
	exec(t, holder, `BEGIN IMMEDIATE`)
	started := make(chan struct{})
	done := make(chan error)
	st := newStore(t, &signalling{DB: db, started: started})
	go func() { done <- st.Create(context.Background(), sample(1), 0) }()
	<-started
	exec(t, holder, `ROLLBACK`)
	require.NoError(t, <-done)
}

// A signalling database closes a channel when it is about to execute a statement.
type signalling struct {
	sqlstore.DB
	started chan struct{}
}

func (s *signalling) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	close(s.started)
	return s.DB.ExecContext(ctx, query, args...)
}

// Row F36: neither Create nor Touch begins by reading, so that no other writer can come between.
func TestDeferredTransactionsWait(t *testing.T) {
	file := newFile(t)
	deferred := strings.ReplaceAll(settings, "immediate", "deferred")
	var stores []*sqlstore.Store
	for range 4 {
		stores = append(stores, migrated(t, open(t, file, deferred)))
	}
	errs := make(chan error)
	for i, st := range stores {
		go func() {
			var err error
			for j := range 25 {
				rec := sample(100*i + j)
				rec.Owner = fmt.Sprint("user_", i)
				if err = st.Create(context.Background(), rec, 25); err != nil {
					break
				}
				if err = st.Touch(context.Background(), []store.Use{{ID: rec.ID, At: now}, {ID: sample(0).ID, At: now}}); err != nil {
					break
				}
			}
			errs <- err
		}()
	}
	for range stores {
		require.NoError(t, <-errs)
	}
	require.Equal(t, 100, count(t, open(t, file, settings), `SELECT COUNT(*) FROM latchkey_keys WHERE last_used_at IS NOT NULL`))
}

// Row F37: the page limit of a connection stands in for the end of a disk.
func TestDiskFull(t *testing.T) {
	db := one(open(t, newFile(t), settings))
	st := migrated(t, db)
	require.NoError(t, st.Create(t.Context(), sample(1), 0))
	pages := count(t, db, `PRAGMA page_count`)
	require.Equal(t, pages, count(t, db, fmt.Sprintf(`PRAGMA max_page_count = %d`, pages)))

	full := sample(2)
	full.Metadata = strings.Repeat("x", 100_000)
	err := st.Create(t.Context(), full, 5)
	requireOutage(t, err)
	require.Equal(t, 13, sqliteCode(t, err))
	_, err = st.Get(t.Context(), full.ID)
	require.ErrorIs(t, err, store.ErrNotFound, "nothing is half kept")
	rec, err := st.Get(t.Context(), sample(1).ID)
	require.NoError(t, err)
	require.Equal(t, sample(1).Hash, rec.Hash)

	count(t, db, `PRAGMA max_page_count = 1000000`)
	require.NoError(t, st.Create(t.Context(), full, 2))
}

// Row F38.
func TestReadOnly(t *testing.T) {
	for _, readOnly := range []string{"mode=ro", "_pragma=query_only(1)"} {
		file := newFile(t)
		require.NoError(t, migrated(t, open(t, file, settings)).Create(t.Context(), sample(1), 0))
		for _, txlock := range []string{"immediate", "deferred"} {
			requireReadOnly(t, newStore(t, open(t, file, readOnly+"&_txlock="+txlock)), 8)
		}
	}
}

func TestClosedDatabase(t *testing.T) {
	onEach(t, databases, func(t *testing.T, d database) {
		db := d.open(t)
		cold, warm := d.store(t, db), d.migrated(t, db)
		require.NoError(t, warm.Create(t.Context(), sample(1), 0))
		_, err := warm.Get(t.Context(), sample(1).ID)
		require.NoError(t, err)
		require.NoError(t, db.Close())
		requireOutages(t, cold)
		requireOutages(t, warm)
	})
}

// Row P22: only NULL means never.
func TestZeroTimeIsNotNever(t *testing.T) {
	onEach(t, databases, func(t *testing.T, d database) {
		db := d.open(t)
		st := d.migrated(t, db)
		for i, column := range []string{"expires_at", "revoked_at", "last_used_at"} {
			rec := sample(i)
			rec.ExpiresAt = now.AddDate(1, 0, 0)
			require.NoError(t, st.Create(t.Context(), rec, 0))
			exec(t, db, `UPDATE latchkey_keys SET `+column+` = -62135596800000000 WHERE id = '`+rec.ID+`'`)
			recs, err := st.List(t.Context(), store.Query{Owner: rec.Owner, Limit: 1})
			require.NoError(t, err)
			got, err := st.Get(t.Context(), rec.ID)
			require.NoError(t, err)
			require.Equal(t, recs, []store.Record{got})
			require.Equal(t, column == "last_used_at", got.Active(now), column)
			require.False(t, got.ExpiresAt.IsZero())
			require.Equal(t, column == "revoked_at", !got.RevokedAt.IsZero())
			require.Equal(t, column == "last_used_at", !got.LastUsedAt.IsZero())
		}
	})
}

// A row of the wrong types can't be written, not even by hand.
func TestStrict(t *testing.T) {
	db := open(t, newFile(t), settings)
	require.NoError(t, migrated(t, db).Create(t.Context(), sample(1), 0))
	for _, wrong := range []string{
		`id = x'00'`, `id = NULL`, `owner = x'00'`, `hash = 'text'`, `hash = NULL`, `expires_at = '2026-03-01'`,
		`expires_at = 1.5`, `revoked_at = ''`, `version = NULL`, `created_at = NULL`,
	} {
		_, err := db.Exec(`UPDATE latchkey_keys SET ` + wrong)
		require.Error(t, err, wrong)
	}
}

// Table C-4: where sql_mode is not strict MySQL cuts what does not fit, and says so to nobody.
func TestNothingIsCut(t *testing.T) {
	for _, d := range databases[4:] {
		d.params = strings.TrimPrefix(d.params+"&sql_mode=''", "&")
		db := d.open(t)
		st := d.migrated(t, db)
		require.NoError(t, st.Create(t.Context(), sample(0), 1))
		for column, set := range map[string]func(*store.Record){
			"id":             func(r *store.Record) { r.ID += "0" },
			"owner":          func(r *store.Record) { r.Owner = strings.Repeat("o", 256) },
			"prefix":         func(r *store.Record) { r.Prefix = strings.Repeat("p", 33) },
			"alias":          func(r *store.Record) { r.Alias = strings.Repeat("a", 256) },
			"label":          func(r *store.Record) { r.Label = strings.Repeat("l", 1021) },
			"hint":           func(r *store.Record) { r.Hint = strings.Repeat("h", 33) },
			"scopes":         func(r *store.Record) { r.Scopes = strings.Repeat("s", 1<<24) },
			"contacts":       func(r *store.Record) { r.Contacts = strings.Repeat("c", 1<<24) },
			"metadata":       func(r *store.Record) { r.Metadata = strings.Repeat("m", 1<<24) },
			"scheme":         func(r *store.Record) { r.Scheme = strings.Repeat("s", 256) },
			"hash":           func(r *store.Record) { r.Hash = store.Hash(strings.Repeat("h", 1025)) },
			"revoked_reason": func(r *store.Record) { r.RevokedReason = strings.Repeat("r", 1021) },
		} {
			rec := sample(1)
			set(&rec)
			for _, max := range []int{0, 5} {
				err := st.Create(t.Context(), rec, max)
				requireOutage(t, err)
				require.ErrorContains(t, err, "of column "+column)
			}
			rec.Version = 1
			if err := st.Update(t.Context(), rec); err != store.ErrNotFound {
				requireOutage(t, err)
			}
		}
		recs, err := st.List(t.Context(), store.Query{Limit: 10})
		require.NoError(t, err)
		require.Len(t, recs, 1)
	}
}

// The widest columns hold what the service can ask them to.
func TestLargestRecord(t *testing.T) {
	onEach(t, databases, func(t *testing.T, d database) {
		st := d.migrated(t, d.open(t))
		rec := sample(1)
		rec.Label, rec.RevokedReason = strings.Repeat("\U0001f511", 255), strings.Repeat("\U0001f511", 255)
		rec.Owner, rec.Alias = strings.Repeat("o", 255), strings.Repeat("a", 255)
		rec.Scopes = strings.TrimSpace(strings.Repeat(strings.Repeat("s", 100)+" ", 64))
		rec.Contacts = `["` + strings.Repeat(`\u003c`, 50*254) + `"]`
		rec.Metadata = `{"":"` + strings.Repeat(`\u003c`, 64*(64+1024)) + `"}`
		require.NoError(t, st.Create(t.Context(), rec, 1))
		got, err := st.Get(t.Context(), rec.ID)
		require.NoError(t, err)
		rec.Version = 1
		require.True(t, rec == got)
		for _, q := range []store.Query{{Owner: rec.Owner}, {Alias: rec.Alias}, {ChangedSince: now}, {ExpiresBefore: now.AddDate(1, 0, 0)}, {}} {
			q.Limit = 10
			recs, err := st.List(t.Context(), q)
			require.NoError(t, err)
			require.Len(t, recs, 1)
			require.True(t, rec == recs[0])
		}
	})
}
