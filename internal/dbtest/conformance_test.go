package dbtest

import (
	"testing"

	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

func TestConformance(t *testing.T) {
	onEach(t, databases, func(t *testing.T, d database) {
		db := d.open(t)
		d.migrated(t, db)
		storetest.Run(t, func(t *testing.T) store.Store { return d.emptied(t, db) })
	})
}
