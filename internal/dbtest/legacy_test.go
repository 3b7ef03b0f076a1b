package dbtest

import (
	"testing"

	"github.com/opengovsg/latchkey/internal/servicetest"
)

// Row P29 on real databases: what Postman's first API issued opens, and is derived slowly once.
func TestPostmanMove(t *testing.T) {
	onEach(t, databases, func(t *testing.T, d database) {
		servicetest.RunPostman(t, d.migrated(t, d.open(t)), "../../apikey/legacy/testdata/postman-legacy.json")
	})
}
