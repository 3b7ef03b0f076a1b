package dbtest

import (
	"testing"

	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

func TestSQLiteConformance(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return migrated(t, open(t, newFile(t), settings)) })
}
