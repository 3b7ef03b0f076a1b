package dbtest

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/store"
)

// However many statements a batch of uses takes on MySQL, it locks its records from the last id to the
// first: of two batches none holds a record that the other waits for while it waits for one of those.
func TestTouchLocksInOneOrder(t *testing.T) {
	const uses = 250
	d := engines[2]
	db := d.open(t)
	st := d.migrated(t, db)
	var batch []store.Use
	for i := range uses {
		require.NoError(t, st.Create(t.Context(), sample(i), 0))
		batch = append(batch, store.Use{ID: sample(i).ID, At: now})
	}
	tx, err := db.Begin()
	require.NoError(t, err)
	defer tx.Rollback()
	exec(t, tx, "SELECT id FROM latchkey_keys WHERE id = ? FOR UPDATE", sample(0).ID)

	done := make(chan error, 1)
	go func() { done <- st.Touch(context.Background(), batch) }()
	d.untilWaiting(t, db)
	for i := 1; i < uses; i++ {
		_, err := db.ExecContext(t.Context(), "SELECT id FROM latchkey_keys WHERE id = ? FOR UPDATE NOWAIT", sample(i).ID)
		require.Error(t, err, "record %d is not locked while the batch waits for the first", i)
	}
	require.NoError(t, tx.Rollback())
	require.NoError(t, <-done)
	require.Equal(t, uses, count(t, db, "SELECT COUNT(*) FROM latchkey_keys WHERE last_used_at IS NOT NULL"))
}
