package sqlstore

import (
	"context"
	"database/sql/driver"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Migrate relies on this of the files of every dialect.
func TestMigrations(t *testing.T) {
	for _, d := range []Dialect{SQLite, Postgres, MySQL} {
		quote := d.dialect().quote
		files := Migrations(d)
		entries, err := fs.ReadDir(files, ".")
		require.NoError(t, err)
		require.NotEmpty(t, entries)
		for i, entry := range entries {
			require.Regexp(t, fmt.Sprintf(`^%04d_[a-z_]+\.sql$`, i+1), entry.Name(), "the numbers have no gaps")
			data, err := fs.ReadFile(files, entry.Name())
			require.NoError(t, err)
			text := string(data)
			require.True(t, strings.HasPrefix(text, "-- +goose Up\n"))
			number := fmt.Sprintf("INSERT INTO %slatchkey_keys_schema%s (version) VALUES (%d);\n", quote, quote, i+1)
			require.True(t, strings.HasSuffix(text, number), "the number comes last and says that all the rest is done")
			if d.dialect().begin == "" {
				require.Equal(t, strings.Count(text, "CREATE "), strings.Count(text, "CREATE TABLE IF NOT EXISTS"), "each statement can be repeated")
			} else {
				require.NotContains(t, text, "IF NOT EXISTS", "a table that is in the way is not taken for ours")
			}
			require.Equal(t, strings.Count(text, DefaultTable), strings.Count(text, quote+DefaultTable), "every name is quoted and can be replaced")
		}
	}
	for _, d := range []Dialect{"", "..", "nothing"} {
		require.PanicsWithValue(t, "sqlstore: the dialect must be SQLite, Postgres or MySQL", func() { Migrations(d) })
	}
}

// Whichever statement of Migrate fails, no transaction stays open, even if the context has ended.
func TestMigrateRollsBack(t *testing.T) {
	for _, c := range []struct {
		fails    string // the beginning of the statement that fails
		ends     bool   // whether the context ends then
		rollback bool
	}{
		{"BEGIN", false, false},
		{"BEGIN", true, true}, // it may have taken effect
		{"SELECT", false, true},
		{"SELECT", true, true},
		{"CREATE", false, true},
		{"CREATE", true, true},
		{"COMMIT", false, true},
		{"COMMIT", true, true},
	} {
		t.Run(fmt.Sprint(c.fails, " ", c.ends), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			step := func(ctx context.Context, query string) error {
				if err := ctx.Err(); err != nil {
					return err
				}
				if !strings.HasPrefix(strings.TrimLeft(withoutComments(query), "\n"), c.fails) {
					return nil
				}
				if c.ends {
					cancel()
				}
				return errDriver
			}
			rolledBack := 0
			f := &fake{
				exec: func(ctx context.Context, query string, _ []driver.NamedValue) (driver.Result, error) {
					if query == "ROLLBACK" && ctx.Err() == nil {
						rolledBack++
					}
					return driver.RowsAffected(0), step(ctx, query)
				},
				query: func(ctx context.Context, query string) (driver.Rows, error) {
					return &oneZero{}, step(ctx, query)
				},
			}
			st, err := New(f.pool(t), SQLite, Config{})
			require.NoError(t, err)
			err = st.Migrate(ctx)
			require.ErrorIs(t, err, errDriver)
			if c.ends {
				require.ErrorIs(t, err, context.Canceled)
			}
			require.Equal(t, c.rollback, rolledBack == 1)
		})
	}
}

func withoutComments(query string) string {
	var lines []string
	for line := range strings.Lines(query) {
		if !strings.HasPrefix(line, "--") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// oneZero is one row that holds the number 0.
type oneZero struct {
	fakeRows
	read bool
}

func (r *oneZero) Columns() []string { return []string{"n"} }

func (r *oneZero) Next(dest []driver.Value) error {
	if r.read {
		return r.fakeRows.Next(nil)
	}
	r.read = true
	dest[0] = int64(0)
	return nil
}
