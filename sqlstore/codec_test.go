package sqlstore

import (
	"database/sql"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/store"
)

var numColumns = len(strings.Split(columns, ", "))

// A field that is added to Record and not to the columns would be lost without a trace.
func TestEveryFieldHasAColumn(t *testing.T) {
	fields := reflect.TypeFor[store.Record]().NumField()
	require.Equal(t, fields, numColumns)
	require.Len(t, values(new(store.Record)), fields)
	require.Len(t, new(row).dest(), fields)
}

func TestTimes(t *testing.T) {
	far := time.Date(2999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	for _, at := range []time.Time{now, far, time.UnixMicro(0).UTC(), time.UnixMicro(-1).UTC(), {}, time.Time{}.AddDate(-1, 0, 0)} {
		require.True(t, instantOrNever(orNever(at)) == at, "%v comes back as it was given", at)
		require.True(t, instant(at.UnixMicro()) == at)
	}
	there := time.FixedZone("", 8*60*60)
	require.Equal(t, now, instantOrNever(orNever(now.In(there).Add(999))), "times are kept to the microsecond, in UTC")
	require.False(t, orNever(time.Time{}.In(there)).Valid)
}

// Row P22: only NULL means never.
func TestZeroTimeIsNotNever(t *testing.T) {
	never := sql.NullInt64{}
	zero := sql.NullInt64{Int64: time.Time{}.UnixMicro(), Valid: true}
	require.True(t, instantOrNever(never).IsZero())
	require.Equal(t, time.Time{}.Add(time.Microsecond), instantOrNever(zero))
	require.False(t, instantOrNever(orNever(time.Time{}.Add(time.Nanosecond))).IsZero())
}
