package bearer_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// A slow lookup is a guarded server whose store answers no sooner than the client leaves.
type slowLookup struct {
	*fixture
	srv      *httptest.Server
	reading  chan struct{} // closed once the store is asked
	returned chan struct{} // closed once the guard is through with the request
}

func newSlowLookup(t *testing.T) *slowLookup {
	t.Helper()
	s := &slowLookup{fixture: newFixture(t), reading: make(chan struct{}), returned: make(chan struct{})}
	s.store.get = func(ctx context.Context, _ string) (store.Record, error) {
		close(s.reading)
		<-ctx.Done()
		return store.Record{}, ctx.Err()
	}
	guarded := s.guard.Handler(s.spy)
	s.srv = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(s.returned)
		guarded.ServeHTTP(w, r)
	}))
	t.Cleanup(s.srv.Close)
	return s
}

// requireLeft holds what is known of a client that left to be neither a success nor a bad key.
func (f *fixture) requireLeft(t *testing.T) {
	t.Helper()
	require.Zero(t, f.spy.saw().calls)
	told := f.told()
	require.Len(t, told, 1)
	require.ErrorIs(t, told[0], apikey.ErrUnavailable)
	require.ErrorIs(t, told[0], context.Canceled)
	require.NotErrorIs(t, told[0], apikey.ErrInvalid)
}

// Row A50: a client that leaves during the lookup. It ends only if the guard's goroutine does.
func TestDisconnect(t *testing.T) {
	t.Run("A50 direct", func(t *testing.T) {
		// First, since a bubble notices at once a goroutine that does not end.
		synctest.Test(t, func(t *testing.T) {
			s := newSlowLookup(t)
			ctx, cancel := context.WithCancel(t.Context())
			r := request{auth: []string{"Bearer " + good}}.withDefaults().made(t, "http://api.example")
			w := httptest.NewRecorder()
			go s.srv.Config.Handler.ServeHTTP(w, r.WithContext(ctx))
			<-s.reading
			synctest.Wait()
			require.Empty(t, s.told(), "the guard must wait for the store")
			cancel()
			<-s.returned
			synctest.Wait()
			s.requireLeft(t)
			requireRefusal(t, c4, received(t, w.Result()))
		})
	})
	t.Run("A50 TCP", func(t *testing.T) {
		s := newSlowLookup(t)
		s.srv.Start()
		conn, err := net.Dial("tcp", s.srv.Listener.Addr().String())
		require.NoError(t, err)
		_, err = io.WriteString(conn, request{auth: []string{"Bearer " + good}}.withDefaults().text())
		require.NoError(t, err)
		<-s.reading
		require.NoError(t, conn.Close())
		<-s.returned
		s.requireLeft(t)
	})
	t.Run("A50 HTTP2", func(t *testing.T) {
		s := newSlowLookup(t)
		s.srv.EnableHTTP2 = true
		s.srv.StartTLS()
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-s.reading
			cancel() // resets the stream
		}()
		r := request{auth: []string{"Bearer " + good}}.withDefaults().made(t, s.srv.URL)
		_, err := s.srv.Client().Do(r.WithContext(ctx))
		require.ErrorIs(t, err, context.Canceled)
		<-s.returned
		s.requireLeft(t)
	})
}
