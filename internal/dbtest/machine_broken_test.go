package dbtest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

// A witness stands for a test that fails and keeps what it says to itself.
type witness struct {
	*testing.T
	failed bool
}

// A verdict is what a witness panics with, to end the test that it stands for.
type verdict struct{}

func (w *witness) Failed() bool          { return w.failed }
func (w *witness) Fail()                 { w.failed = true }
func (w *witness) Error(...any)          { w.failed = true }
func (w *witness) Errorf(string, ...any) { w.failed = true }
func (w *witness) Log(...any)            {}
func (w *witness) Logf(string, ...any)   {}
func (w *witness) FailNow()              { w.failed = true; panic(verdict{}) }
func (w *witness) Fatal(...any)          { w.FailNow() }
func (w *witness) Fatalf(string, ...any) { w.FailNow() }

// fails reports whether a test fails.
func fails(t *testing.T, test func(w *witness)) bool {
	t.Helper()
	w := &witness{T: t}
	func() {
		defer func() {
			if r := recover(); r != nil {
				require.IsType(t, verdict{}, r)
			}
		}()
		test(w)
	}()
	return w.failed
}

// The machine finds what is broken, and a witness nothing where nothing is.
func TestMachineOfBroken(t *testing.T) {
	setFlag(t, "rapid.nofailfile", "true")
	setFlag(t, "rapid.shrinktime", "0s")
	inMemory := func() store.Store { return new(memstore.Store) }
	require.False(t, fails(t, func(w *witness) { drive(t, w, 25, inMemory) }))
	for name, wrap := range broken {
		caught := func(t *testing.T, open func() store.Store) {
			require.True(t, fails(t, func(w *witness) {
				drive(t, w, 100, func() store.Store { return wrap(open()) })
			}))
		}
		t.Run(name, func(t *testing.T) {
			t.Run("memory", func(t *testing.T) { caught(t, inMemory) })
			onEach(t, engines, func(t *testing.T, d database) { caught(t, d.emptying(t)) })
		})
	}
}
