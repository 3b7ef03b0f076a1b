package dbtest

import (
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// side is how many numbers are multiplied by themselves for the records of a large table.
func (d database) side() int {
	if raced && d.dialect == sqlstore.SQLite {
		return 100
	}
	return 450
}

// fill puts 202 500 records in. The oldest 400 are of ten owners and all others of two: a planner that
// knows how many records an owner has on average, and not where they are, then likes to walk all
// records from the newest on. All expire on one of 366 days, one in fifty is revoked, one in a hundred
// has an alias.
func fill(t *testing.T, d database, db *sql.DB) {
	t.Helper()
	id, owner, alias := "printf('01m83pph00%010d', i)", "'user_' || (i % 10)", "'alias ' || i"
	switch d.dialect {
	case sqlstore.Postgres:
		id = "'01m83pph00' || lpad(CAST(i AS text), 10, '0')"
	case sqlstore.MySQL:
		id, owner, alias = "CONCAT('01m83pph00', LPAD(i, 10, '0'))", "CONCAT('user_', i % 10)", "CONCAT('alias ', i)"
	}
	hash := map[sqlstore.Dialect]string{
		sqlstore.SQLite:   "CAST('0123456789abcdef0123456789abcdef' AS BLOB)",
		sqlstore.Postgres: "CAST('0123456789abcdef0123456789abcdef' AS bytea)",
		sqlstore.MySQL:    "'0123456789abcdef0123456789abcdef'",
	}[d.dialect]
	exec(t, db, fmt.Sprintf(`
INSERT INTO latchkey_keys (id, owner, prefix, alias, label, hint, scopes, contacts, metadata, scheme, hash,
  created_at, updated_at, expires_at, revoked_at, revoked_reason, grace, prior_hint, prior_scheme, prior_hash, prior_expires_at, version)
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d),
  m (i) AS (SELECT %d * a.i + b.i FROM n a CROSS JOIN n b)
SELECT %s, CASE WHEN i < 400 THEN %s WHEN i %% 2 = 0 THEN 'large' ELSE 'larger' END, 'postman_live', CASE WHEN i %% 100 = 7 THEN %s END,
  'HR reminders', 'e9wCY', 'email:send', '', '', 'sha256', %s,
  %[7]d + i, %[7]d + i, %[7]d + 86400000000 * (i %% 366), CASE WHEN i %% 50 = 9 THEN %[7]d + i END, '',
  0, '', '', %[6]s, CASE WHEN i %% 40 = 3 THEN %[7]d + 86400000000 * (i %% 366) END, 1
FROM m`, d.side()-1, d.side(), id, owner, alias, hash, now.UnixMicro()))
	analyze := "ANALYZE latchkey_keys"
	if d.dialect == sqlstore.MySQL {
		analyze = "ANALYZE TABLE latchkey_keys"
	}
	exec(t, db, analyze)
	require.Equal(t, d.side()*d.side(), count(t, db, "SELECT COUNT(*) FROM latchkey_keys"))
}

// Every query of a service on a large table uses an index, and an owner's page that of the owners,
// whoever the owner is: "large" has half the table, "user_7" forty of its oldest, "nobody" none.
func TestIndexesAtScale(t *testing.T) {
	onEach(t, engines, func(t *testing.T, d database) {
		var db *sql.DB
		var watch *spy
		if d.dialect == sqlstore.MySQL {
			db, watch = newSpy(t, d)
		} else {
			db = d.open(t)
		}
		d.migrated(t, db)
		fill(t, d, db)
		db.SetMaxIdleConns(0) // SQLite reads statistics when a connection opens
		tx, err := db.Begin()
		require.NoError(t, err)
		defer tx.Rollback()
		rec := &recorder{DB: tx}
		st := d.store(t, rec)
		if watch != nil {
			st, watch.rec, rec.spy = d.store(t, tx), rec, watch
		}

		for _, owner := range []string{"large", "user_7", "nobody"} {
			for _, q := range queries {
				if q.query.Owner == "" && owner != "large" {
					continue
				}
				want := []string{"latchkey_keys_" + regexp.MustCompile(`latchkey_keys_(\w+)|PRIMARY`).FindStringSubmatch(q.index)[1]}
				if q.query.Owner != "" {
					q.query.Owner = owner
					if q.query.Alias != "" {
						want = append(want, "latchkey_keys_owner")
					}
					if q.query.State != store.AnyState && owner != "large" {
						want = append(want, "latchkey_keys_active") // few enough to be sorted
					}
				} else {
					// Where most of the table is in the window, or all, the newest of it is found
					// soonest in the order of the ids.
					want = append(want, "PRIMARY", "latchkey_keys_pkey")
				}
				q.query.Limit = 50
				t.Run(owner+" "+q.name, func(t *testing.T) {
					rec.requireIndexes(t, d, func() error { _, err := st.List(t.Context(), q.query); return err }, want...)
				})
			}
			t.Run(owner+" create", func(t *testing.T) {
				key := sample(1)
				key.Owner = owner
				rec.requireIndexes(t, d, func() error {
					require.ErrorIs(t, st.Create(t.Context(), key, 20), store.ErrExists)
					return nil
				}, "latchkey_keys_active", "latchkey_keys_alias", "PRIMARY", "latchkey_keys_pkey")
			})
		}
		for name, call := range map[string]func() error{
			"get":    func() error { _, err := st.Get(t.Context(), sample(1).ID); return err },
			"update": func() error { return st.Update(t.Context(), written(sample(3))) },
			"touch":  func() error { return st.Touch(t.Context(), []store.Use{{ID: sample(1).ID, At: now}}) },
			"touch many": func() error {
				var uses []store.Use
				for i := range 500 {
					uses = append(uses, store.Use{ID: sample(20 * i).ID, At: now})
				}
				return st.Touch(t.Context(), uses)
			},
		} {
			want := []string{"PRIMARY", "latchkey_keys_pkey"}
			if name == "update" && d.dialect != sqlstore.MySQL {
				want = append(want, "latchkey_keys_owner") // which begins with what is asked for, too
			}
			if name == "update" && d.dialect == sqlstore.Postgres {
				want = append(want, "latchkey_keys_alias") // to see whether another record has the alias
			}
			t.Run(name, func(t *testing.T) { rec.requireIndexes(t, d, call, want...) })
		}
		t.Run("purge", func(t *testing.T) {
			for _, days := range []int{-1, 1, 400} {
				rec.requireIndexes(t, d, func() error { _, err := st.Purge(t.Context(), now.AddDate(0, 0, days), 1000); return err },
					"latchkey_keys_expires", "latchkey_keys_revoked", "PRIMARY", "latchkey_keys_pkey")
			}
		})
	})
}

// written returns a record of the large table as it may be updated.
func written(rec store.Record) store.Record {
	rec.Owner, rec.Version = "user_3", 1
	return rec
}

// InnoDB can miss rows when it reads backwards while deleted rows are cleaned away, so no list does.
func TestListsReadForwards(t *testing.T) {
	d := engines[2]
	db := one(d.open(t))
	st := d.migrated(t, db)
	for i := range 50 {
		require.NoError(t, st.Create(t.Context(), sample(i), 0))
	}
	backwards := func() string {
		return table(t, db, "SHOW SESSION STATUS LIKE 'Handler_read_prev'")[0]["Value"]
	}
	before := backwards()
	for _, after := range []string{"", sample(40).ID} {
		for _, q := range []store.Query{{}, {Owner: sample(0).Owner}, {Owner: sample(0).Owner, State: store.Active, At: now}} {
			q.After, q.Limit = after, 20
			recs, err := st.List(t.Context(), q)
			require.NoError(t, err)
			require.Len(t, recs, 20)
		}
	}
	require.Equal(t, before, backwards())
}

// requireIndexes asserts that whatever call runs reaches the keys by one of the indexes.
func (r *recorder) requireIndexes(t *testing.T, d database, call func() error, indexes ...string) {
	t.Helper()
	r.ran, r.args = nil, nil
	if r.spy != nil {
		r.spy.on = true
	}
	require.NoError(t, call())
	if r.spy != nil {
		r.spy.on = false // the EXPLAINs that follow are none of the store's
	}
	require.NotEmpty(t, r.ran)
	used := 0
	for i, query := range r.ran {
		for _, step := range d.plan(t, r.DB, query, r.args[i]) {
			used++
			require.Contains(t, append(indexes, "unique"), step, "%s\n%s", query, d.name)
		}
	}
	require.NotZero(t, used)
}

var (
	indexOfSQLite   = regexp.MustCompile(`^(?:SEARCH|SCAN) \w+(?: USING (?:COVERING )?(?:INDEX )?(\w+))?`)
	indexOfPostgres = regexp.MustCompile(`(?:Index(?: Only)? Scan(?: Backward)? using|Bitmap Index Scan on) (\w+)|(Seq Scan) on latchkey_keys\b`)
)

// plan returns by which indexes a statement reaches the keys, or something else where by none.
func (d database) plan(t *testing.T, db sqlstore.DB, query string, args []any) (indexes []string) {
	t.Helper()
	switch d.dialect {
	case sqlstore.Postgres:
		// Both with the arguments at hand and for any arguments: a server chooses between the two.
		exec(t, db, "PREPARE p AS "+query)
		defer exec(t, db, "DEALLOCATE p")
		execute := "EXPLAIN EXECUTE p"
		if len(args) > 0 {
			execute += "(" + literals(t, args) + ")"
		}
		for _, mode := range []string{"force_custom_plan", "force_generic_plan"} {
			exec(t, db, "SET LOCAL plan_cache_mode = "+mode)
			for _, line := range table(t, db, execute) {
				for _, m := range indexOfPostgres.FindAllStringSubmatch(line["QUERY PLAN"], -1) {
					if !strings.HasPrefix(m[1], "latchkey_keys_owners") {
						indexes = append(indexes, m[1]+m[2])
					}
				}
			}
		}
	case sqlstore.MySQL:
		for _, line := range table(t, db, "EXPLAIN FORMAT = TRADITIONAL "+query, args...) {
			if strings.Contains(line["Extra"], "after reading const tables") || strings.Contains(line["Extra"], "no matching row in const table") {
				indexes = append(indexes, "unique") // it has been read by a unique index, and there is none
			}
			if line["table"] == "latchkey_keys" && line["select_type"] != "INSERT" {
				indexes = append(indexes, line["key"])
			}
		}
	default:
		for _, line := range table(t, db, "EXPLAIN QUERY PLAN "+query, args...) {
			if m := indexOfSQLite.FindStringSubmatch(line["detail"]); m != nil && strings.Contains(line["detail"], "latchkey_keys") {
				indexes = append(indexes, m[1])
			}
		}
	}
	return indexes
}

// table returns the rows of a query, by the names of its columns.
func table(t *testing.T, db sqlstore.DB, query string, args ...any) (lines []map[string]string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	require.NoError(t, err)
	defer rows.Close()
	names, err := rows.Columns()
	require.NoError(t, err)
	for rows.Next() {
		values := make([]sql.NullString, len(names))
		dest := make([]any, len(names))
		for i := range values {
			dest[i] = &values[i]
		}
		require.NoError(t, rows.Scan(dest...))
		line := make(map[string]string)
		for i, name := range names {
			line[name] = values[i].String
		}
		lines = append(lines, line)
	}
	require.NoError(t, rows.Err())
	return lines
}

// literals writes arguments into an EXECUTE of PostgreSQL.
func literals(t *testing.T, args []any) string {
	t.Helper()
	var list []string
	for _, arg := range args {
		value, err := driver.DefaultParameterConverter.ConvertValue(arg)
		require.NoError(t, err)
		switch v := value.(type) {
		case nil:
			list = append(list, "NULL")
		case []byte:
			list = append(list, `'\x`+hex.EncodeToString(v)+`'`)
		case string:
			list = append(list, "'"+strings.ReplaceAll(v, "'", "''")+"'")
		default:
			list = append(list, fmt.Sprint(v))
		}
	}
	return strings.Join(list, ", ")
}
