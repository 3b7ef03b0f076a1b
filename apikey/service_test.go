package apikey_test

import (
	"testing"

	"github.com/opengovsg/latchkey/internal/servicetest"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

func TestServiceOnMemstore(t *testing.T) {
	servicetest.Run(t, func(t *testing.T) store.Store { return new(memstore.Store) })
}
