package importer_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/examples/postman/importer"
	"github.com/opengovsg/latchkey/examples/postman/importer/importertest"
)

// BenchmarkImport imports 100 000 rows, of which 80 000 are of keys that live, and once more, when they are
// there. With -short there are 5 000.
func BenchmarkImport(b *testing.B) {
	rows := 100_000
	if testing.Short() {
		rows = 5_000
	}
	n := int64(rows)
	source := importertest.NewSource(b)
	source.Fill(b, rows, noon())
	for _, target := range importertest.Targets {
		b.Run("to="+target.Name, func(b *testing.B) {
			var again time.Duration
			for b.Loop() {
				b.StopTimer()
				i := newImporter(b, source.DSN, target.New(b), config(b))
				want := importer.Report{Read: n, Total: n, LastID: n, Deleted: n / 10, Expired: n / 10, Imported: n / 10 * 8}
				b.StartTimer()
				report, err := i.Run(b.Context())
				b.StopTimer()
				require.NoError(b, err)
				want.Elapsed = report.Elapsed
				require.Equal(b, want, report)

				report, err = i.Run(b.Context())
				require.NoError(b, err)
				again += report.Elapsed
				want.Imported, want.There, want.Elapsed = 0, want.Imported, report.Elapsed
				require.Equal(b, want, report)
				b.StartTimer()
			}
			b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(rows*b.N)/again.Seconds(), "again-rows/s")
		})
	}
}
