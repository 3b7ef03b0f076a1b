package dbtest

import (
	"testing"

	"github.com/opengovsg/latchkey/internal/servicetest"
	"github.com/opengovsg/latchkey/store"
)

func TestService(t *testing.T) {
	onEach(t, databases, func(t *testing.T, d database) {
		db := d.open(t)
		d.migrated(t, db)
		servicetest.Run(t, func(t *testing.T) store.Store { return d.emptied(t, db) })
	})
}
