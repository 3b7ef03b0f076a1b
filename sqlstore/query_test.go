package sqlstore

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/store"
)

func TestSelectList(t *testing.T) {
	at := now.UnixMicro()
	for _, c := range []struct {
		query store.Query
		text  string
		args  []any
	}{
		{store.Query{}, "", nil},
		{store.Query{Owner: "o", After: "a"}, "{by owner} WHERE owner = ? AND id < ?", []any{"o", "a"}},
		{store.Query{Owner: "o", Prefix: "p", Alias: "x"}, "{by alias} WHERE owner = ? AND prefix = ? AND alias = ?", []any{"o", "p", "x"}},
		{store.Query{ExpiresFrom: now, State: store.Active, At: now},
			"{by expires} WHERE expires_at >= ? AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)", []any{at, at}},
		{store.Query{ExpiresBefore: now, State: store.Expired, At: now},
			"{by expires} WHERE expires_at < ? AND revoked_at IS NULL AND expires_at <= ?", []any{at, at}},
		{store.Query{ChangedSince: now, State: store.Revoked, At: now}, "{by updated} WHERE updated_at >= ? AND revoked_at IS NOT NULL", []any{at}},
	} {
		c.query.Limit = 7
		text, args, ok := sqlite.selectList(&c.query)
		require.True(t, ok)
		require.Equal(t, "SELECT {columns} FROM {table}"+c.text+" ORDER BY id DESC LIMIT ?", text)
		require.Equal(t, append(c.args, 7), args)
	}
}

// Rows M17 and M20: no value ever becomes part of a text, whatever it holds.
func TestSelectListOfAnything(t *testing.T) {
	const attack = `x' OR '1'='1"; DROP TABLE latchkey_keys; -- {table} ?`
	texts := make(map[string]bool)
	for mask := range 1 << 9 {
		for state := store.AnyState - 1; state <= store.Revoked+1; state++ {
			q := store.Query{State: state, At: now, Limit: 1 << 62}
			for i, set := range []func(){
				func() { q.Owner = attack },
				func() { q.Prefix = attack },
				func() { q.Alias = attack },
				func() { q.After = attack },
				func() { q.ExpiresFrom = now.Add(time.Duration(mask)) },
				func() { q.ExpiresBefore = now },
				func() { q.ChangedSince = now },
				func() { q.PriorExpiresFrom = now },
				func() { q.PriorExpiresBefore = now },
			} {
				if mask>>i&1 == 1 {
					set()
				}
			}
			text, args, ok := sqlite.selectList(&q)
			if known := state >= store.AnyState && state <= store.Revoked; !known {
				require.False(t, ok, "an unknown state selects nothing")
				continue
			}
			require.True(t, ok)
			require.NotContains(t, text, "DROP")
			require.Equal(t, strings.Count(text, "?"), len(args))
			texts[text] = true
		}
	}
	require.Len(t, texts, 1<<9*4, "one text for each combination of fields and no more")
}
