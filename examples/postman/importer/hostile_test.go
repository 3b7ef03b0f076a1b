package importer_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/examples/postman/databasetest"
	"github.com/opengovsg/latchkey/examples/postman/importer"
	"github.com/opengovsg/latchkey/examples/postman/importer/importertest"
)

// hash is one as the earlier system has them, different for each n.
func hash(n int) string { return fmt.Sprintf("siti_v1_%030d.", n) }

// good is a row that can be imported.
func good(id int64) importertest.Row {
	return importertest.Row{
		ID: id, User: 1, Label: fmt.Sprint("team ", id), Hash: hash(int(id)), LastFive: "abcde", Contacts: []string{"team@agency.gov.sg"},
		Created: noon().AddDate(0, -1, 0), Until: noon().AddDate(0, 5, 0),
	}
}

// loosened takes away what the earlier system's tables forbid: a row may be as bad as a hand can make it.
func loosened(t testing.TB) importertest.Source {
	t.Helper()
	source := importertest.NewSource(t)
	source.AddUser(t, 1, "Siti@Agency.gov.sg")
	for _, change := range []string{
		"DROP CONSTRAINT api_keys_user_id_fkey", "ALTER user_id DROP NOT NULL", "ALTER label DROP NOT NULL", "ALTER hash DROP NOT NULL",
		"ALTER last_five DROP NOT NULL", "ALTER created_at DROP NOT NULL", "ALTER valid_until DROP NOT NULL", "ALTER label TYPE text",
		"ALTER hash TYPE text", "ALTER last_five TYPE text", "ALTER notification_contacts TYPE text[]",
	} {
		_, err := source.Exec("ALTER TABLE api_keys " + change)
		require.NoError(t, err)
	}
	return source
}

// TestHostileRows has rows that a hand broke among good ones. Each is refused with the column that is wrong,
// and the good ones are imported all the same.
func TestHostileRows(t *testing.T) {
	source := loosened(t)
	source.AddUser(t, 2, "adam@evilgov.sg")
	source.AddUser(t, 3, "adam canary@agency.gov.sg")
	for n, bad := range []struct{ set, want string }{
		{"label = NULL", "label must not be blank"},
		{"label = ' '", "label must not be blank"},
		{"label = repeat('é', 256)", "label must be at most 255 characters"},
		{"label = 'canary' || chr(27) || '[2J'", "label must be one line of UTF-8 without control characters"},
		{"label = 'canary' || chr(8232)", "label must be one line of UTF-8 without control characters"},
		{"hash = NULL", "hash must be 1 to 4096 bytes"},
		{"hash = ''", "hash must be 1 to 4096 bytes"},
		{"hash = 'siti_v2_' || repeat('x', 31)", "hash must be spelled like what postman kept of its tokens"},
		{"hash = '_v1_' || repeat('x', 31)", "hash must be spelled like what postman kept of its tokens"},
		{"hash = 'siti_v1_' || repeat('x', 30)", "hash must be spelled like what postman kept of its tokens"},
		{"hash = 'siti_v1_' || repeat('x', 31) || chr(10)", "hash must be spelled like what postman kept of its tokens"},
		{"hash = 'siti_v1_$2b$10$canary'", "hash must be spelled like what postman kept of its tokens"},
		{"hash = repeat('canary', 100000)", "hash must be 1 to 4096 bytes"},
		{"last_five = NULL", "last_five must not be empty"},
		{"last_five = 'canarycanary'", "last_five must be at most 8 bytes"},
		{"last_five = chr(7)", "last_five must be visible"},
		{"valid_until = NULL", "valid_until must be a time"},
		{"valid_until = 'infinity'", "valid_until must be a time"},
		{"valid_until = '2029-01-01'", "valid_until must lie ahead by at most 366 days"},
		{"valid_until = '294276-12-31'", "valid_until must lie ahead by at most 366 days"},
		{"created_at = NULL", "created_at must be a time"},
		{"created_at = '-infinity'", "created_at must be a time"},
		{"created_at = '2026-11-24'", "created_at must lie between 1970 and now"},
		{"created_at = '0044-03-15 BC'", "created_at must lie between 1970 and now"},
		{"notification_contacts = ARRAY['canary']", "notification_contacts must be plain e-mail addresses"},
		{"notification_contacts = ARRAY['a@agency.gov.sg', 'Adam <canary@agency.gov.sg>']", "notification_contacts must be plain e-mail addresses"},
		{"notification_contacts = ARRAY[NULL]", "notification_contacts must be a list of addresses"},
		{"notification_contacts = ARRAY[['a@agency.gov.sg'], ['b@agency.gov.sg']]", "notification_contacts must be a list of addresses"},
		{"notification_contacts = (SELECT array_agg(n || '@agency.gov.sg') FROM generate_series(1, 51) AS n)", "notification_contacts must be at most 50 addresses, not 51"},
		{"user_id = NULL", "user_id is that of no user"},
		{"user_id = 99", "user_id is that of no user"},
		{"user_id = 2", "user_id is that of a user whose address is not admitted: its domain is not one of those allowed"},
		{"user_id = 3", "user_id is that of a user whose address is not admitted: it must be a plain address, name@domain, in ASCII"},
		{"hash = '" + hash(1) + "'", "hash is that of a row before"},
	} {
		t.Run(bad.set, func(t *testing.T) {
			id := int64(2 * (n + 1)) // between two good ones
			_, err := source.Exec("DELETE FROM api_keys")
			require.NoError(t, err)
			source.Add(t, good(1))
			source.Add(t, good(id))
			source.Add(t, good(id+1))
			_, err = source.Exec("UPDATE api_keys SET "+bad.set+" WHERE id = $1", id)
			require.NoError(t, err)
			target := databasetest.SQLite(t)
			c := config(t)
			for _, dry := range []bool{true, false} {
				c.DryRun = dry
				report, rows := run(t, source.DSN, target, c)
				require.Len(t, rows, 1)
				require.Equal(t, importer.Row{ID: id, Outcome: importer.Refused, Reason: rows[0].Reason}, rows[0])
				require.True(t, strings.HasPrefix(rows[0].Reason, bad.want), rows[0].Reason)
				require.Equal(t, importer.Report{Read: 3, Imported: 2, Refused: 1, Total: 3, LastID: id + 1, DryRun: dry, NoTables: dry}, report)
				require.NotContains(t, fmt.Sprint(rows), "canary")
			}
			all, _ := kept(t, target)
			require.Equal(t, int64(2), all)
		})
	}
}

// What looks odd and is right all the same is imported.
func TestOddRows(t *testing.T) {
	source := loosened(t)
	for id, set := range []string{
		"notification_contacts = NULL", "notification_contacts = '{}'", "label = repeat('é', 255)", "label = 'gaji & 工资 <b> %s '' \\'",
		"notification_contacts = ARRAY['b@agency.gov.sg', 'A@agency.gov.sg', 'b@agency.gov.sg']", "created_at = '1970-01-01'", "last_five = 'abc=='",
		"hash = 'ITsupport_v1_' || repeat('./', 15) || '.'", "valid_until = '" + noon().Add(366*24*time.Hour).Format(time.RFC3339) + "'",
		"valid_until = '" + noon().Add(time.Second).Format(time.RFC3339) + "'",
	} {
		source.Add(t, good(int64(id+1)))
		_, err := source.Exec("UPDATE api_keys SET "+set+" WHERE id = $1", id+1)
		require.NoError(t, err)
	}
	for _, target := range importertest.Targets {
		t.Run(target.Name, func(t *testing.T) {
			dsn := target.New(t)
			report, rows := run(t, source.DSN, dsn, config(t))
			require.Empty(t, rows)
			require.Equal(t, int64(10), report.Imported)
			db := importertest.Open(t, dsn)
			for label, want := range map[string]string{
				"team 1": `["siti@agency.gov.sg"]`, "team 2": `["siti@agency.gov.sg"]`, "team 5": `["b@agency.gov.sg","A@agency.gov.sg"]`,
			} {
				var contacts, owner string
				text := "SELECT contacts, owner FROM latchkey_keys WHERE label = '" + label + "'"
				require.NoError(t, db.QueryRow(text).Scan(&contacts, &owner))
				require.Equal(t, want, contacts)
				require.Equal(t, "siti@agency.gov.sg", owner)
			}
		})
	}
}

// A row that is deleted or has expired is that, whatever else is wrong with it.
func TestDeadRows(t *testing.T) {
	source := loosened(t)
	for id, set := range []string{
		"deleted_at = '2026-11-01', label = NULL, created_at = 'infinity', user_id = 99", "deleted_at = '2027-11-01'", "deleted_at = 'infinity', valid_until = NULL",
		"valid_until = '2026-11-23 12:00Z'", "valid_until = '-infinity'", "valid_until = '2024-04-21', hash = NULL",
	} {
		source.Add(t, good(int64(id+1)))
		_, err := source.Exec("UPDATE api_keys SET "+set+" WHERE id = $1", id+1)
		require.NoError(t, err)
	}
	// The same hash as that of a row that is dead is no copy: the earlier system finds the one that lives.
	for id, dead := range map[int64]int{10: 2, 11: 4} {
		again := good(id)
		again.Hash = hash(dead)
		source.Add(t, again)
	}
	target := databasetest.SQLite(t)
	report, rows := run(t, source.DSN, target, config(t))
	require.Equal(t, importer.Report{Read: 8, Total: 8, LastID: 11, Imported: 2, Deleted: 3, Expired: 3}, report)
	require.Len(t, rows, 6)
	all, _ := kept(t, target)
	require.Equal(t, int64(2), all)
}

// An owner with more keys than the service would issue keeps them all.
func TestNoCap(t *testing.T) {
	source := loosened(t)
	for id := range int64(150) {
		source.Add(t, good(id+1))
	}
	report, _ := run(t, source.DSN, databasetest.SQLite(t), config(t))
	require.Equal(t, int64(150), report.Imported)
}

func TestNewRefuses(t *testing.T) {
	source, err := importer.OpenSource("postgres://app:canary@127.0.0.1:1/old")
	require.NoError(t, err)
	defer source.Close()
	target := importertest.Open(t, databasetest.SQLite(t))
	_, err = importer.New(nil, target, config(t))
	require.Error(t, err)
	_, err = importer.New(source, nil, config(t))
	require.Error(t, err)
	for field, change := range map[string]func(*importer.Config){
		"Prefix": func(c *importer.Config) { c.Prefix = "" },
		"Owners": func(c *importer.Config) { c.Owners = nil },
		"Batch":  func(c *importer.Config) { c.Batch = 5001 },
		"After":  func(c *importer.Config) { c.After = -1 },
	} {
		c := config(t)
		change(&c)
		_, err = importer.New(source, target, c)
		require.ErrorContains(t, err, field)
	}
	for _, dsn := range []string{"", "mysql://app:canary@host/old", "postgres://app:canary@host:port/old", "postgres://app:can%zzary@host/old", "postgres://a:b@host/old?sslmode=canary"} {
		_, err := importer.OpenSource(dsn)
		require.Error(t, err)
		require.NotContains(t, err.Error(), "canary")
		require.NotContains(t, err.Error(), "%zz")
	}
}
