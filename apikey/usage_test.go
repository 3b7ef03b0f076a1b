package apikey

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

const perShard = maxUses / usageShards

// noteMany notes uses of keys that share a shard, numbered and a minute apart.
func noteMany(u *usage, from, to int) {
	for i := from; i < to; i++ {
		u.note(numbered(i), time.Time{}, time.Unix(int64(i)*60, 0))
	}
}

func numbered(i int) string { return fmt.Sprintf("%019d0", i) }

func requireNoted(t *testing.T, u *usage, from, to int) []store.Use {
	t.Helper()
	uses := u.take()
	require.Len(t, uses, to-from)
	for i, use := range uses {
		require.Equal(t, store.Use{ID: numbered(from + i), At: time.Unix(int64(from+i)*60, 0).UTC()}, use)
	}
	return uses
}

// TestUsageIsBounded holds F42: the oldest uses are dropped for lack of room, counted, and not the newest.
func TestUsageIsBounded(t *testing.T) {
	u := &usage{every: time.Second}
	noteMany(u, 0, perShard)
	require.Zero(t, u.dropped.Load())
	noteMany(u, perShard, perShard+5)
	require.Equal(t, int64(5), u.dropped.Load())
	noteMany(u, perShard, perShard+5)
	require.Equal(t, int64(5), u.dropped.Load(), "what is noted already needs no room")
	u.note("00000000000000000001", time.Time{}, time.Unix(1, 0))
	require.Equal(t, int64(5), u.dropped.Load(), "other shards have room")
	require.Equal(t, "00000000000000000001", u.take()[perShard].ID)

	noteMany(u, 5, perShard+5)
	uses := requireNoted(t, u, 5, perShard+5)
	require.Empty(t, u.take())

	// What is restored is older than what was noted meanwhile, also for what is dropped next.
	noteMany(u, perShard+5, perShard+7)
	u.restore(uses)
	require.Equal(t, int64(7), u.dropped.Load())
	noteMany(u, perShard+7, perShard+8)
	require.Equal(t, int64(8), u.dropped.Load())
	uses = requireNoted(t, u, 8, perShard+8)

	// What was used again meanwhile is newer there.
	u.note(numbered(8), time.Time{}, time.Unix(1_000_000_000, 0))
	u.restore(uses)
	uses = u.take()
	require.Len(t, uses, perShard)
	require.Equal(t, store.Use{ID: numbered(8), At: time.Unix(1_000_000_000, 0).UTC()}, uses[perShard-1])
	require.Equal(t, int64(8), u.dropped.Load())

	u.restore(uses[:1])
	requireNoted(t, u, 9, 10)
}

type failingTouch struct{ store.Store }

func (failingTouch) Touch(context.Context, []store.Use) error { return errors.New("down") }

// TestUsesDroppedAreCounted sees the count in Stats.
func TestUsesDroppedAreCounted(t *testing.T) {
	s, err := New(failingTouch{new(memstore.Store)}, Config{Prefix: "acme_live"})
	require.NoError(t, err)
	noteMany(s.usage, 0, perShard+3)
	require.ErrorIs(t, s.Flush(t.Context()), ErrUnavailable)
	noteMany(s.usage, perShard+3, perShard+4)
	require.Equal(t, int64(4), s.Stats().UsesDropped)
}

// TestUsageHoldsNoPointers holds that what is remembered keeps no token of a request alive, and that the
// garbage collector has nothing to look through.
func TestUsageHoldsNoPointers(t *testing.T) {
	var sh usageShard
	for _, typ := range []reflect.Type{reflect.TypeOf(sh.uses).Key(), reflect.TypeOf(sh.uses).Elem(), reflect.TypeOf(sh.order).Elem()} {
		for typ.Kind() == reflect.Array {
			typ = typ.Elem()
		}
		require.Contains(t, []reflect.Kind{reflect.Uint8, reflect.Int64}, typ.Kind())
	}
}

// TestNotingTwiceAllocatesNothing counts what a verification does on the side.
func TestNotingTwiceAllocatesNothing(t *testing.T) {
	u := &usage{every: time.Second}
	id, now, noted := numbered(1), time.Unix(0, 0), 0
	require.Zero(t, testing.AllocsPerRun(100, func() {
		now = now.Add(time.Second)
		u.note(id, time.Time{}, now)
		noted++
	}))
	require.Equal(t, int64(noted), u.take()[0].At.Unix(), "each was a use to remember")
}
