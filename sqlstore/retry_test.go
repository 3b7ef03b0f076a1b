package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/store"
)

// A call that keeps losing against others is given up after some repetitions, and at once when the
// context ends.
func TestRepeatEnds(t *testing.T) {
	st, err := New(new(fake).pool(t), Postgres, Config{})
	require.NoError(t, err)
	calls := 0
	err = st.repeat(t.Context(), mayRepeatLost, func() error { calls++; return stateError("40001") })
	require.Equal(t, stateError("40001"), err)
	require.Equal(t, 1+maxRepeats, calls)

	ctx, cancel := context.WithCancel(t.Context())
	calls = 0
	err = st.repeat(ctx, mayRepeatLost, func() error { calls++; cancel(); return driver.ErrBadConn })
	require.Equal(t, driver.ErrBadConn, err)
	require.Equal(t, 1, calls)

	calls = 0
	err = st.repeat(t.Context(), mayRepeatLost, func() error {
		if calls++; calls == 2 {
			return nil
		}
		return driver.ErrBadConn
	})
	require.NoError(t, err)
	require.Equal(t, 2, calls)
}

func TestReadOnlyIsSaid(t *testing.T) {
	err := fail(t.Context(), "create", stateError("25006"))
	require.EqualError(t, err, "sqlstore: create: the database takes no writes: state")
	require.ErrorIs(t, err, stateError("25006"))
}

// Behind a pooler that hands out another connection each time, nothing is prepared ahead.
func TestUnprepared(t *testing.T) {
	f := new(fake)
	st, err := New(f.pool(t), Postgres, Config{Unprepared: true})
	require.NoError(t, err)
	for _, c := range calls {
		if c.name != "migrate" {
			c.do(t.Context(), st)
		}
	}
	require.NotContains(t, f.since(), "prepare")
}

// A driver of MySQL that is told to puts arguments into the text by itself, and escapes them for another
// character set than the server may read it in. So it never sees the two together.
func TestMySQLNeverMixes(t *testing.T) {
	for _, cfg := range []Config{{}, {Unprepared: true}} {
		f := new(fake)
		db := f.pool(t)
		st, err := New(db, MySQL, cfg)
		require.NoError(t, err)
		for _, c := range calls {
			if c.name != "migrate" {
				c.do(t.Context(), st)
			}
		}
		tx, err := db.Begin()
		require.NoError(t, err)
		for _, c := range calls {
			if c.name != "migrate" {
				c.do(t.Context(), st.WithTx(tx))
			}
		}
		require.NoError(t, tx.Rollback())
		require.Contains(t, f.since(), "prepare")
		require.False(t, f.mixed)
	}
}

func TestNumber(t *testing.T) {
	require.Equal(t, "a = $1 AND b IN ($2, $3)", number("a = ? AND b IN (?, ?)"))
	require.Equal(t, "", number(""))
	require.Equal(t, "$1", number("?"))
}

func TestArray(t *testing.T) {
	require.Equal(t, `{}`, array(nil))
	require.Equal(t, `{"a","","NULL","b\"c\\d","{e,f}"," "}`, array([]string{"a", "", "NULL", `b"c\d`, "{e,f}", " "}))
}

// A text column that has no width of its own would be cut to fit.
func TestEveryTextHasAWidth(t *testing.T) {
	fields := reflect.TypeFor[store.Record]()
	texts := 0
	for i := range fields.NumField() {
		if fields.Field(i).Type.Kind() != reflect.String {
			continue
		}
		texts++
		var rec store.Record
		reflect.ValueOf(&rec).Elem().Field(i).SetString(strings.Repeat("x", 1<<24))
		err := widthsMySQL(&rec)
		require.Error(t, err, fields.Field(i).Name)
		require.NotContains(t, err.Error(), "xx")
	}
	require.Equal(t, 15, texts)
}

// CockroachDB takes no collation in a column and has no need of it.
func TestAdaptPostgres(t *testing.T) {
	for version, want := range map[string]string{
		"PostgreSQL 15.4 on x86_64-pc-linux-gnu":         `id text COLLATE "C" NOT NULL`,
		"PostgreSQL 11.2-YB-2.20 on x86_64-pc-linux-gnu": `id text COLLATE "C" NOT NULL`,
		"CockroachDB CCL v24.1.0 (x86_64-pc-linux-gnu)":  `id text NOT NULL`,
	} {
		f := &fake{query: func(context.Context, string) (driver.Rows, error) { return &oneText{text: version}, nil }}
		text, err := adaptPostgres(t.Context(), f.pool(t), `id text COLLATE "C" NOT NULL`)
		require.NoError(t, err)
		require.Equal(t, want, text)
	}
	f := &fake{query: func(context.Context, string) (driver.Rows, error) { return nil, errDriver }}
	_, err := adaptPostgres(t.Context(), f.pool(t), "")
	require.True(t, errors.Is(err, errDriver))
}

// oneText is one row that holds a text.
type oneText struct {
	oneZero
	text string
}

func (r *oneText) Next(dest []driver.Value) error {
	err := r.oneZero.Next(dest)
	if err == nil {
		dest[0] = r.text
	}
	return err
}
