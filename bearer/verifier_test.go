package bearer_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/store"
)

// A verifier is a double of a service.
type verifier func(ctx context.Context, token string) (apikey.Key, error)

func (v verifier) Verify(ctx context.Context, token string) (apikey.Key, error) { return v(ctx, token) }

// A refusal of the verifier is 401; everything else is 503, since nobody could tell.
func TestVerifierErrors(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want code
	}{
		{apikey.ErrInvalid, c2},
		{apikey.ErrMalformed, c2},
		{apikey.ErrUnknown, c2},
		{apikey.ErrExpired, c2},
		{apikey.ErrRevoked, c2},
		{apikey.ErrCorrupt, c2},
		{&apikey.RefusedError{KeyID: goodID, Err: apikey.ErrRevoked}, c2},
		{fmt.Errorf("cache: %w", apikey.ErrUnknown), c2},
		{errors.Join(errors.New("cache"), apikey.ErrExpired), c2},
		{apikey.ErrUnavailable, c4},
		{fmt.Errorf("%w: %w", apikey.ErrUnavailable, context.Canceled), c4},
		{context.Canceled, c4},
		{context.DeadlineExceeded, c4},
		{store.ErrNotFound, c4},
		{store.ErrConflict, c4},
		{apikey.ErrForbidden, c4},
		{io.EOF, c4},
		{net.ErrClosed, c4},
		{errors.New("apikey: invalid token"), c4},
		{errors.New("surprise"), c4},
	} {
		for name, key := range map[string]apikey.Key{"no key": {}, "key": {ID: goodID, Owner: "user_1"}} {
			t.Run(tt.err.Error()+" and "+name, func(t *testing.T) {
				s := new(spy)
				guard := bearer.New(verifier(func(context.Context, string) (apikey.Key, error) {
					return key, tt.err
				}), bearer.Config{})
				for _, h := range []http.Handler{guard.Handler(s), guard.Require("a:b")(s), guard.Optional(s)} {
					requireRefusal(t, tt.want, sendDirect(t, h, request{auth: []string{"Bearer " + good}}), good)
				}
				r := request{auth: []string{"Bearer " + good}}.withDefaults().made(t, "http://api.example")
				got, err := guard.Check(r)
				require.Zero(t, got)
				require.ErrorIs(t, err, tt.err)
				require.Zero(t, s.saw().calls)
			})
		}
	}
}

// Row F10 above the store: a verifier that forgets its error lets nobody in.
func TestVerifierWithoutKey(t *testing.T) {
	s := new(spy)
	for name, key := range map[string]apikey.Key{"zero": {}, "owner alone": {Owner: "user_1", Label: "label"}} {
		t.Run("F10 "+name, func(t *testing.T) {
			var reason error
			guard := bearer.New(verifier(func(context.Context, string) (apikey.Key, error) {
				return key, nil
			}), bearer.Config{OnDeny: func(_ *http.Request, err error) { reason = err }})
			for _, h := range []http.Handler{guard.Handler(s), guard.Require("a:b")(s), guard.Optional(s)} {
				reason = nil
				requireRefusal(t, c4, sendDirect(t, h, request{auth: []string{"Bearer " + good}}), good)
				require.Error(t, reason)
				require.NotErrorIs(t, reason, apikey.ErrInvalid)
			}
		})
	}
	require.Zero(t, s.saw().calls)
}

// The verifier is asked once, for what the client sent, in the request's context.
func TestVerifierIsAskedOnce(t *testing.T) {
	type contextKey struct{}
	var asked []string
	guard := bearer.New(verifier(func(ctx context.Context, token string) (apikey.Key, error) {
		require.Equal(t, "value", ctx.Value(contextKey{}))
		asked = append(asked, token)
		return apikey.Key{ID: goodID}, nil
	}), bearer.Config{})
	s := new(spy)
	for value, token := range map[string]string{
		"Bearer AbC-._~+/09==":  "AbC-._~+/09==",
		" bearer   AbC \t":      "AbC",
		"BEARER " + good:        good,
		"Bearer a%20b":          "",
		"Bearer AbC=d":          "",
		"Basic QWxhZGRpbjpvcGU": "",
	} {
		asked = nil
		s.reset()
		r := request{auth: []string{value}}.withDefaults().made(t, "http://api.example")
		r = r.WithContext(context.WithValue(r.Context(), contextKey{}, "value"))
		guard.Handler(s).ServeHTTP(httptest.NewRecorder(), r)
		if token == "" {
			require.Empty(t, asked)
			require.Zero(t, s.saw().calls)
			continue
		}
		require.Equal(t, []string{token}, asked)
		require.Equal(t, 1, s.saw().calls)
	}
}

// Row F49: a panic of the handler or of the verifier goes on to net/http, which ends the connection.
func TestPanicsGoOn(t *testing.T) {
	f := newFixture(t)
	told := 0
	config := bearer.Config{OnDeny: func(*http.Request, error) { told++ }}
	broken := bearer.New(verifier(func(context.Context, string) (apikey.Key, error) { panic("boom") }), config)
	guard := bearer.New(f.keys, config)
	for name, h := range map[string]http.Handler{
		"verifier":             broken.Handler(f.spy),
		"verifier of Optional": broken.Optional(f.spy),
		"handler":              guard.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })),
		"handler of Optional":  guard.Optional(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })),
	} {
		t.Run("F49 "+name, func(t *testing.T) {
			r := request{auth: []string{"Bearer " + good}}
			require.PanicsWithValue(t, "boom", func() { sendDirect(t, h, r) })

			srv := httptest.NewUnstartedServer(h)
			srv.Config.ErrorLog = log.New(io.Discard, "", 0)
			srv.Start()
			defer srv.Close()
			conn, err := net.Dial("tcp", srv.Listener.Addr().String())
			require.NoError(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, r.withDefaults().text())
			require.NoError(t, err)
			_, err = bufio.NewReader(conn).ReadByte()
			require.ErrorIs(t, err, io.EOF, "there must be no answer")
		})
	}
	require.Zero(t, told)
	require.Zero(t, f.spy.saw().calls)
}

// Whether there are credentials is asked of the header alone, and of no verifier.
func TestOptionalHoldsToCredentials(t *testing.T) {
	s := new(spy)
	g := bearer.New(verifier(func(context.Context, string) (apikey.Key, error) {
		return apikey.Key{}, fmt.Errorf("upstream guard: %w", bearer.ErrNoCredentials)
	}), bearer.Config{})
	res := sendDirect(t, g.Optional(s), request{auth: []string{"Bearer " + good}})
	require.Zero(t, s.saw().calls)
	requireRefusal(t, c0, res, good)
}

// A verifier made of several may be told "bad" by one and "can't tell" by another.
func TestUnavailableOutweighsInvalid(t *testing.T) {
	s := new(spy)
	g := bearer.New(verifier(func(context.Context, string) (apikey.Key, error) {
		return apikey.Key{}, errors.Join(apikey.ErrUnknown, apikey.ErrUnavailable)
	}), bearer.Config{})
	requireRefusal(t, c4, sendDirect(t, g.Handler(s), request{auth: []string{"Bearer " + good}}), good)
}

// No token is longer than a few hundred bytes, so a verifier is never handed what is.
func TestVerifierSeesNoLongJunk(t *testing.T) {
	s := new(spy)
	g := bearer.New(verifier(func(_ context.Context, token string) (apikey.Key, error) {
		require.NotContains(t, token, " ")
		require.NotContains(t, token, "\x00")
		return apikey.Key{}, apikey.ErrUnknown
	}), bearer.Config{})
	res := sendDirect(t, g.Handler(s), request{auth: []string{"Bearer " + strings.Repeat("a", 4096) + " Bearer \x00x"}})
	requireRefusal(t, c2, res)
}
