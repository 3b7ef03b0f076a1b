package importer_test

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/examples/postman/databasetest"
	"github.com/opengovsg/latchkey/examples/postman/importer"
	"github.com/opengovsg/latchkey/examples/postman/importer/importertest"
)

// TestDeletedAfterTheImport deletes keys in the earlier system that were taken over. Another run revokes
// those that are still active, and says so once.
func TestDeletedAfterTheImport(t *testing.T) {
	for _, target := range importertest.Targets {
		t.Run(target.Name, func(t *testing.T) {
			source := loosened(t)
			for id := range int64(6) {
				source.Add(t, good(id+1))
			}
			dsn := target.New(t)
			c := config(t)
			c.Batch = 2
			report, _ := run(t, source.DSN, dsn, c)
			require.Equal(t, importer.Report{Read: 6, Total: 6, LastID: 6, Imported: 6}, report)

			keys, err := apikey.New(importertest.Open(t, dsn).Keys, apikey.Config{Prefix: "postman_live", Now: noon})
			require.NoError(t, err)
			ids := make(map[string]string)
			for key, err := range keys.All(t.Context(), "siti@agency.gov.sg") {
				require.NoError(t, err)
				ids[key.Label] = key.ID
			}
			require.Len(t, ids, 6)
			_, err = keys.Revoke(t.Context(), apikey.AnyOwner(ids["team 2"]), "left the team")
			require.NoError(t, err)
			_, _, err = keys.Rotate(t.Context(), apikey.AnyOwner(ids["team 3"]), apikey.Rotation{Grace: time.Hour})
			require.NoError(t, err)
			_, err = source.Exec("UPDATE api_keys SET deleted_at = '2026-11-22', label = NULL WHERE id <= 3")
			require.NoError(t, err)
			// What the owner changes here stays, whatever is changed there.
			_, err = keys.Update(t.Context(), apikey.AnyOwner(ids["team 4"]), apikey.Changes{Contacts: []string{"new@agency.gov.sg"}})
			require.NoError(t, err)
			_, err = source.Exec("UPDATE api_keys SET notification_contacts = NULL, valid_until = '2027-01-01' WHERE id = 4")
			require.NoError(t, err)

			want := importer.Report{Read: 6, Total: 6, LastID: 6, Revoked: 2, Deleted: 1, There: 3, DryRun: true}
			c.DryRun = true
			report, _ = run(t, source.DSN, dsn, c)
			require.Equal(t, want, report)
			_, active := kept(t, dsn)
			require.Equal(t, int64(5), active, "a dry run revokes nothing")

			c.DryRun, want.DryRun = false, false
			report, rows := run(t, source.DSN, dsn, c)
			require.Equal(t, want, report)
			require.Equal(t, []importer.Outcome{importer.Revoked, importer.Deleted, importer.Revoked}, []importer.Outcome{rows[0].Outcome, rows[1].Outcome, rows[2].Outcome})
			for label, reason := range map[string]string{"team 1": "deleted in the earlier system", "team 2": "left the team", "team 3": "deleted in the earlier system"} {
				key, err := keys.Get(t.Context(), apikey.AnyOwner(ids[label]))
				require.NoError(t, err)
				require.Equal(t, apikey.StateRevoked, key.State(noon()))
				require.Equal(t, reason, key.RevokedReason)
			}
			key, err := keys.Get(t.Context(), apikey.AnyOwner(ids["team 4"]))
			require.NoError(t, err)
			require.Equal(t, []string{"new@agency.gov.sg"}, key.Contacts())
			require.Equal(t, good(4).Until, key.ExpiresAt)

			want.Revoked, want.Deleted = 0, 3
			report, _ = run(t, source.DSN, dsn, c)
			require.Equal(t, want, report, "once more")
		})
	}
}

// The keys of one row can't be those of two services on one table.
func TestOtherPrefix(t *testing.T) {
	source := loosened(t)
	source.Add(t, good(1))
	source.Add(t, good(2))
	target := databasetest.SQLite(t)
	c := config(t)
	c.Prefix = "postman_test"
	_, _ = run(t, source.DSN, target, c)
	c.Prefix = "postman_live"
	for _, c.DryRun = range []bool{true, false} {
		report, rows := run(t, source.DSN, target, c)
		require.Equal(t, int64(2), report.Refused)
		require.Equal(t, "the database has its key already, under another prefix: import into a database of its own", rows[1].Reason)
	}
}

// A row that is found anew with another time of creation is another key, whose hash is taken.
func TestTakenHash(t *testing.T) {
	source := loosened(t)
	source.Add(t, good(1))
	target := databasetest.SQLite(t)
	_, _ = run(t, source.DSN, target, config(t))
	_, err := source.Exec("UPDATE api_keys SET created_at = created_at - interval '1 hour'")
	require.NoError(t, err)
	c := config(t)
	for _, c.DryRun = range []bool{true, false} {
		_, rows := run(t, source.DSN, target, c)
		require.Equal(t, []importer.Row{{ID: 1, Outcome: importer.Refused, Reason: "hash is that of another key that is there already"}}, rows)
	}
}

func TestAfter(t *testing.T) {
	source := loosened(t)
	for id := range int64(5) {
		source.Add(t, good(id+1))
	}
	c := config(t)
	c.After = 3
	report, _ := run(t, source.DSN, databasetest.SQLite(t), c)
	require.Equal(t, importer.Report{Read: 2, Total: 2, LastID: 5, Imported: 2}, report)
	c.After = 5
	report, _ = run(t, source.DSN, databasetest.SQLite(t), c)
	require.Equal(t, importer.Report{LastID: 5}, report)
}

// A dry run writes nothing, also not to a database that has no tables or no keys.
func TestDryRun(t *testing.T) {
	source := loosened(t)
	source.Add(t, good(1))
	c := config(t)
	c.DryRun = true
	for _, target := range importertest.Targets {
		t.Run(target.Name, func(t *testing.T) {
			dsn := target.New(t)
			want := importer.Report{Read: 1, Total: 1, LastID: 1, Imported: 1, DryRun: true, NoTables: true}
			report, _ := run(t, source.DSN, dsn, c)
			require.Equal(t, want, report)
			db := importertest.Open(t, dsn)
			require.ErrorContains(t, db.Ready(t.Context()), "no schema", "there are still no tables")
			require.NoError(t, db.Keys.Migrate(t.Context()))
			want.NoTables = false
			report, _ = run(t, source.DSN, dsn, c)
			require.Equal(t, want, report)
			all, _ := kept(t, dsn)
			require.Zero(t, all)
		})
	}
}

// A dry run on a file changes not a byte of it.
func TestDryRunLeavesTheFile(t *testing.T) {
	source := loosened(t)
	source.Add(t, good(1))
	dsn := databasetest.SQLite(t)
	_, _ = run(t, source.DSN, dsn, config(t))
	source.Add(t, good(2))
	before, err := os.ReadFile(dsn)
	require.NoError(t, err)
	c := config(t)
	c.DryRun = true
	report, _ := run(t, source.DSN, dsn, c)
	require.Equal(t, importer.Report{Read: 2, Total: 2, LastID: 2, Imported: 1, There: 1, DryRun: true}, report)
	after, err := os.ReadFile(dsn)
	require.NoError(t, err)
	require.True(t, string(before) == string(after))
}

// Tables of another release are no empty database.
func TestDryRunOnOtherTables(t *testing.T) {
	source := loosened(t)
	dsn := databasetest.SQLite(t)
	db := importertest.Open(t, dsn)
	require.NoError(t, db.Keys.Migrate(t.Context()))
	_, err := db.Exec("UPDATE latchkey_keys_schema SET version = version + 100")
	require.NoError(t, err)
	c := config(t)
	for _, c.DryRun = range []bool{true, false} {
		_, err = newImporter(t, source.DSN, dsn, c).Run(t.Context())
		require.ErrorContains(t, err, "schema")
	}
}

// The server itself refuses whatever the importer might write to the earlier system.
func TestSourceIsReadOnly(t *testing.T) {
	source := loosened(t)
	source.Add(t, good(1))
	db, err := importer.OpenSource(source.DSN)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), "DELETE FROM api_keys")
	var refused *pgconn.PgError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "25006", refused.Code)
}

// A database without the earlier system's tables is told of at once.
func TestNoSourceTables(t *testing.T) {
	for _, missing := range []string{"users", "api_keys"} {
		source := loosened(t)
		source.Add(t, good(1))
		_, err := source.Exec("DROP TABLE " + missing + " CASCADE")
		require.NoError(t, err)
		report, err := newImporter(t, source.DSN, databasetest.SQLite(t), config(t)).Run(t.Context())
		require.ErrorContains(t, err, `relation "`+missing+`" does not exist`)
		require.Zero(t, report.Read)
	}
}

// Two people who start the import at once import each key once between them.
func TestTwoAtOnce(t *testing.T) {
	source := importertest.NewSource(t)
	source.Fill(t, 500, noon())
	for _, target := range importertest.Targets {
		t.Run(target.Name, func(t *testing.T) {
			dsn := target.New(t)
			require.NoError(t, importertest.Open(t, dsn).Keys.Migrate(t.Context())) // of two who open a new SQLite file one may fail
			c := config(t)
			c.Batch = 10
			reports := make([]importer.Report, 2)
			errs := make([]error, 2)
			var wg sync.WaitGroup
			for n := range reports {
				i := newImporter(t, source.DSN, dsn, c)
				wg.Go(func() { reports[n], errs[n] = i.Run(t.Context()) })
			}
			wg.Wait()
			for n, r := range reports {
				require.NoError(t, errs[n])
				require.Equal(t, int64(500), r.Read)
				require.Equal(t, int64(400), r.Imported+r.There)
				requireSum(t, r)
			}
			require.Equal(t, int64(400), reports[0].Imported+reports[1].Imported)
			all, _ := kept(t, dsn)
			require.Equal(t, int64(400), all)
		})
	}
}
