package dbtest

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// A recorder keeps the statements that a store runs on a transaction, and their arguments.
type recorder struct {
	sqlstore.DB
	ran  []string
	args [][]any
	spy  *spy // records in its place, where not nil
}

func (r *recorder) record(query string, args []any) {
	r.ran = append(r.ran, query)
	r.args = append(r.args, args)
}

func (r *recorder) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	r.record(query, args)
	return r.DB.ExecContext(ctx, query, args...)
}

func (r *recorder) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	r.record(query, args)
	return r.DB.QueryContext(ctx, query, args...)
}

func (r *recorder) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	r.record(query, args)
	return r.DB.QueryRowContext(ctx, query, args...)
}

func (r *recorder) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	r.record(query, make([]any, strings.Count(query, "?")))
	return r.DB.PrepareContext(ctx, query)
}

// queries are those the service lists by, and the plan of each: the index walked, and whether the
// rows found there are sorted.
var queries = []struct {
	name  string
	query store.Query
	index string
	sorts bool
}{
	{"owner page", store.Query{Owner: "user_42"}, "INDEX latchkey_keys_owner (owner=?)", false},
	{"owner page after", store.Query{Owner: "user_42", After: "01m"}, "INDEX latchkey_keys_owner (owner=? AND id<?)", false},
	{"owner page active", store.Query{Owner: "user_42", After: "01m", State: store.Active, At: now},
		"INDEX latchkey_keys_owner (owner=? AND id<?)", false},
	{"owner page expired", store.Query{Owner: "user_42", After: "01m", State: store.Expired, At: now},
		"INDEX latchkey_keys_owner (owner=? AND id<?)", false},
	{"owner page revoked", store.Query{Owner: "user_42", After: "01m", State: store.Revoked},
		"INDEX latchkey_keys_owner (owner=? AND id<?)", false},
	{"owner page prefix", store.Query{Owner: "user_42", After: "01m", Prefix: "postman_live"},
		"INDEX latchkey_keys_owner (owner=? AND id<?)", false},
	{"owner page expiry", store.Query{Owner: "user_42", After: "01m", ExpiresFrom: now, ExpiresBefore: now.AddDate(0, 0, 28), ChangedSince: now},
		"INDEX latchkey_keys_owner (owner=? AND id<?)", false},
	{"alias", store.Query{Alias: "team-a:0"}, "INDEX latchkey_keys_alias (alias=?)", false},
	{"alias of owner", store.Query{Alias: "team-a:0", Owner: "user_42", Prefix: "postman_live", After: "01m"},
		"INDEX latchkey_keys_alias (alias=? AND id<?)", false},
	{"expiry window", store.Query{ExpiresFrom: now, ExpiresBefore: now.AddDate(0, 0, 28), State: store.Active, At: now, Prefix: "postman_live"},
		"INDEX latchkey_keys_expires (expires_at>? AND expires_at<?)", true},
	{"expiry window after", store.Query{ExpiresFrom: now, ExpiresBefore: now.AddDate(0, 0, 28), After: "01m"},
		"INDEX latchkey_keys_expires (expires_at>? AND expires_at<?)", true},
	{"expiry from", store.Query{ExpiresFrom: now, After: "01m"}, "INDEX latchkey_keys_expires (expires_at>?)", true},
	{"expiry before", store.Query{ExpiresBefore: now, After: "01m"}, "INDEX latchkey_keys_expires (expires_at<?)", true},
	{"prior expiry window", store.Query{PriorExpiresFrom: now, PriorExpiresBefore: now.AddDate(0, 0, 28), State: store.Active, At: now, Prefix: "postman_live"},
		"INDEX latchkey_keys_prior (prior_expires_at>? AND prior_expires_at<?)", true},
	{"changed since", store.Query{ChangedSince: now}, "INDEX latchkey_keys_updated (updated_at>?)", true},
	{"changed since after", store.Query{ChangedSince: now, After: "01m", Prefix: "postman_live"},
		"INDEX latchkey_keys_updated (updated_at>?)", true},
	{"everything after", store.Query{After: "01m"}, "PRIMARY KEY (id<?)", false},
}

// Every plan is asserted on an empty table, and again after ANALYZE where one owner has nearly all
// records: statistics make a scan look cheap then, and it is not for the other owners.
func TestPlans(t *testing.T) {
	db := open(t, newFile(t), settings)
	st := migrated(t, db)
	t.Run("empty", func(t *testing.T) { testPlans(t, db) })

	for i := range 500 {
		rec := sample(i)
		rec.ExpiresAt, rec.Alias = now, fmt.Sprint("alias ", i)
		if i%100 == 0 {
			rec.Owner, rec.RevokedAt = fmt.Sprint("user ", i), now
		}
		require.NoError(t, st.Create(t.Context(), rec, 0))
	}
	exec(t, db, "ANALYZE")
	db.SetMaxIdleConns(0) // statistics are read when a connection opens
	t.Run("one large owner, analysed", func(t *testing.T) { testPlans(t, db) })
}

func testPlans(t *testing.T, db *sql.DB) {
	tx, err := db.Begin()
	require.NoError(t, err)
	defer tx.Rollback()
	rec := &recorder{DB: tx}
	st := newStore(t, rec)

	for _, q := range queries {
		t.Run(q.name, func(t *testing.T) {
			q.query.Limit = 50
			want := []string{"SEARCH latchkey_keys USING " + q.index}
			if q.sorts {
				want = append(want, "USE TEMP B-TREE FOR ORDER BY")
			}
			rec.requirePlans(t, func() error { _, err := st.List(t.Context(), q.query); return err }, want)
		})
	}
	byID := "SEARCH latchkey_keys USING PRIMARY KEY (id=?)"
	t.Run("get", func(t *testing.T) {
		rec.requirePlans(t, func() error {
			_, err := st.Get(t.Context(), "unknown")
			require.ErrorIs(t, err, store.ErrNotFound)
			return nil
		}, []string{byID})
	})
	t.Run("create", func(t *testing.T) {
		key := sample(1_000_000)
		key.Owner = "full"
		require.NoError(t, st.Create(t.Context(), key, 0))
		key.ID = sample(1_000_001).ID
		rec.requirePlans(t, func() error {
			require.ErrorIs(t, st.Create(t.Context(), key, 1), store.ErrLimit)
			return nil
		}, []string{
			"SEARCH latchkey_keys USING COVERING INDEX latchkey_keys_active (owner=? AND revoked_at=? AND expires_at>?)",
			"SEARCH latchkey_keys USING COVERING INDEX latchkey_keys_active (owner=? AND revoked_at=? AND expires_at=?)",
		}, []string{
			byID,
			"SEARCH latchkey_keys USING COVERING INDEX latchkey_keys_alias (alias=?)",
		})
	})
	t.Run("update", func(t *testing.T) {
		rec.requirePlans(t, func() error {
			require.ErrorIs(t, st.Update(t.Context(), store.Record{}), store.ErrNotFound)
			return nil
		}, []string{byID}, []string{byID})
	})
	t.Run("touch", func(t *testing.T) {
		rec.requirePlans(t, func() error { return st.Touch(t.Context(), []store.Use{{At: now}}) }, []string{byID})
	})
	t.Run("purge", func(t *testing.T) {
		rec.requirePlans(t, func() error { _, err := st.Purge(t.Context(), now.AddDate(-9, 0, 0), 10); return err }, []string{
			byID,
			"SEARCH latchkey_keys USING COVERING INDEX latchkey_keys_expires (expires_at<?)",
			"USE TEMP B-TREE FOR ORDER BY", // of no more ids than the limit
			"SEARCH latchkey_keys USING COVERING INDEX latchkey_keys_revoked (revoked_at<?)",
			"USE TEMP B-TREE FOR ORDER BY",
		})
	})
}

// requirePlans asserts that call runs one statement for each of the plans, and that each statement
// touches the table and sorts in the steps of its plan and in no other.
func (r *recorder) requirePlans(t *testing.T, call func() error, plans ...[]string) {
	t.Helper()
	r.ran = nil
	require.NoError(t, call())
	require.Len(t, r.ran, len(plans))
	for i, query := range r.ran {
		require.Equal(t, plans[i], explain(t, r.DB, query), query)
	}
}

// explain returns the steps of a statement's plan that read the table or sort.
func explain(t *testing.T, db sqlstore.DB, query string) (steps []string) {
	t.Helper()
	unset := make([]any, strings.Count(query, "?"))
	rows, err := db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+query, unset...)
	require.NoError(t, err)
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var detail string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &detail))
		if strings.Contains(detail, "latchkey_keys") || strings.Contains(detail, "TEMP B-TREE") {
			steps = append(steps, detail)
		}
	}
	require.NoError(t, rows.Err())
	return steps
}
