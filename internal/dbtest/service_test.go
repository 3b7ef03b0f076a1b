package dbtest

import (
	"testing"

	"github.com/opengovsg/latchkey/internal/servicetest"
	"github.com/opengovsg/latchkey/store"
)

func TestServiceOnSQLite(t *testing.T) {
	servicetest.Run(t, func(t *testing.T) store.Store { return migrated(t, open(t, newFile(t), settings)) })
}
