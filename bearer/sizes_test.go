package bearer_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/bearer"
)

// A nowhere is a response writer that allocates nothing itself.
type nowhere struct {
	header http.Header
	status int
}

func (w *nowhere) Header() http.Header         { return w.header }
func (w *nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (w *nowhere) WriteHeader(status int)      { w.status = status }

// allocs returns how many allocations h makes for a request with the given headers.
func allocs(t *testing.T, h http.Handler, wantStatus int, auth ...string) float64 {
	t.Helper()
	r := request{auth: auth}.withDefaults().made(t, "http://api.example")
	w := &nowhere{header: make(http.Header)}
	n := testing.AllocsPerRun(100, func() {
		clear(w.header)
		w.status = http.StatusOK
		h.ServeHTTP(w, r)
	})
	require.Equal(t, wantStatus, w.status)
	return n
}

// requireNoAllocs holds Check to refuse such headers with the error and without an allocation.
func requireNoAllocs(t *testing.T, g *bearer.Guard, want error, auth ...string) {
	t.Helper()
	r := request{auth: auth}.withDefaults().made(t, "http://api.example")
	var err error
	require.Zero(t, testing.AllocsPerRun(100, func() { _, err = g.Check(r, "email:send") }))
	require.ErrorIs(t, err, want)
}

// Row A15: what a request with ten thousand headers costs is what one with two costs.
func TestManyHeaders(t *testing.T) {
	const many = 10_000
	f := newFixture(t)
	t.Run("A15 answer", func(t *testing.T) {
		repeated := row{want: c1, request: request{auth: slices.Repeat([]string{"Bearer x"}, many)}}
		for _, way := range ways(t, f.guard.Handler(f.spy)) {
			t.Run(way.name, func(t *testing.T) { f.try(t, way, repeated) })
		}
	})
	quiet := bearer.New(f.keys, bearer.Config{})
	for name, value := range map[string]string{"good": "Bearer " + good, "bad": "Bearer x", "Basic": basic("a:b")} {
		t.Run("A15 allocations "+name, func(t *testing.T) {
			lines := slices.Repeat([]string{value}, many)
			requireNoAllocs(t, quiet, bearer.ErrMalformedHeader, lines...)
			h := quiet.Handler(f.spy)
			require.Equal(t, allocs(t, h, 400, lines[:2]...), allocs(t, h, 400, lines...))
		})
	}
	require.Zero(t, f.store.reads.Load())
	require.Zero(t, f.spy.saw().calls)
}

// Rows A28 and A30: what a token costs to refuse does not depend on how long it is.
func TestLongValues(t *testing.T) {
	const long = 1_000_000
	f := newFixture(t)
	quiet := bearer.New(f.keys, bearer.Config{})
	h := quiet.Handler(f.spy)
	for _, tt := range []struct {
		name, first, repeated, last string
		want                        error
		status                      int
	}{
		{"A28 letters", "Bearer ", "a", "", apikey.ErrMalformed, 401},
		{"A28 after K", "Bearer " + good, "a", "", apikey.ErrMalformed, 401},
		{"A28 padding after K", "Bearer " + good, "=", "", apikey.ErrMalformed, 401},
		{"A30 dots", "Bearer ", ".", "", apikey.ErrMalformed, 401},
		{"A30 underscores", "Bearer ", "_", "", apikey.ErrMalformed, 401},
		{"A30 hyphens", "Bearer ", "-", "", apikey.ErrMalformed, 401},
		{"A30 spaces", "Bearer", " ", "", bearer.ErrMalformedHeader, 400},
		{"A30 words", "Bearer ", "a ", "a", bearer.ErrMalformedHeader, 400},
		{"A30 schemes", "", "Bearer ", "", bearer.ErrMalformedHeader, 400},
		{"A30 commas", "Bearer ", ",", "", bearer.ErrMalformedHeader, 400},
		{"A30 tabs first", "", "\t", "Bearer", bearer.ErrMalformedHeader, 400},
		{"A30 colons", "", ":", "", bearer.ErrNoCredentials, 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			short := tt.first + strings.Repeat(tt.repeated, 100) + tt.last
			value := tt.first + strings.Repeat(tt.repeated, long/len(tt.repeated)) + tt.last
			requireNoAllocs(t, quiet, tt.want, short)
			requireNoAllocs(t, quiet, tt.want, value)
			require.Equal(t, allocs(t, h, tt.status, short), allocs(t, h, tt.status, value))
		})
	}
	require.Zero(t, f.store.reads.Load())
	require.Zero(t, f.spy.saw().calls)
}

// A guard costs a request with a good key two allocations: the request's copy and its context.
func TestGuardAllocations(t *testing.T) {
	f := newFixture(t)
	var id string
	bare := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if key, ok := apikey.FromContext(r.Context()); ok {
			id = key.ID
		}
	})
	guard := bearer.New(f.keys, bearer.Config{})
	base := allocs(t, bare, 200, "Bearer "+good)
	require.Empty(t, id)
	for name, guarded := range map[string]http.Handler{
		"Handler":  guard.Handler(bare),
		"Require":  guard.Require("email:send", "report:read")(bare),
		"Optional": guard.Optional(bare),
	} {
		t.Run(name, func(t *testing.T) {
			id = ""
			n := allocs(t, guarded, 200, "Bearer "+good)
			require.Equal(t, goodID, id)
			require.LessOrEqual(t, n, base+2, fmt.Sprintf("%v allocations without the guard", base))
		})
	}
}
