package importer_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/emaildomain"
	"github.com/opengovsg/latchkey/examples/postman/importer"
	"github.com/opengovsg/latchkey/examples/postman/importer/importertest"
)

// noon is when these tests take place.
func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// config is what most of these tests import with.
func config(t testing.TB) importer.Config {
	t.Helper()
	officers, err := emaildomain.New(".gov.sg")
	require.NoError(t, err)
	return importer.Config{Prefix: "postman_live", Owners: officers, Now: noon}
}

// newImporter returns an importer from one database into another.
func newImporter(t testing.TB, from, to string, c importer.Config) *importer.Importer {
	t.Helper()
	source, err := importer.OpenSource(from)
	require.NoError(t, err)
	t.Cleanup(func() { source.Close() })
	i, err := importer.New(source, importertest.Open(t, to), c)
	require.NoError(t, err)
	return i
}

// run imports, and returns the report without the time it took, and the rows with a reason.
func run(t testing.TB, from, to string, c importer.Config) (importer.Report, []importer.Row) {
	t.Helper()
	var rows []importer.Row
	c.OnBatch = func(batch []importer.Row, _ importer.Report) {
		for _, row := range batch {
			if row.Reason != "" {
				rows = append(rows, row)
			}
		}
	}
	report, err := newImporter(t, from, to, c).Run(t.Context())
	require.NoError(t, err)
	require.Positive(t, report.Elapsed)
	report.Elapsed = 0
	requireSum(t, report)
	return report, rows
}

// requireSum asserts that each row is counted under one outcome.
func requireSum(t testing.TB, r importer.Report) {
	t.Helper()
	require.Equal(t, r.Read, r.Imported+r.There+r.Deleted+r.Revoked+r.Expired+r.Refused)
}

// kept returns how many keys a database has, and how many of them are active, by what it holds.
func kept(t testing.TB, dsn string) (all, active int64) {
	t.Helper()
	db := importertest.Open(t, dsn)
	require.NoError(t, db.QueryRow("SELECT COUNT(*), COALESCE(SUM(CASE WHEN revoked_at IS NULL THEN 1 ELSE 0 END), 0) FROM latchkey_keys").Scan(&all, &active))
	return all, active
}
