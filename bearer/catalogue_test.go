package bearer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/store"
)

// TestCatalogue sends rows A1 to A36 in three ways; the rows after them have tests of their own.
//
// These parts of rows are left to the application, since the guard reads the Authorization header and
// nothing else:
//
//   - A13, second half, and A16: there is no extractor of Basic credentials or of X-API-Key. What is
//     tested is that both are ignored, alone and beside a bearer token.
//   - A17 and A18: nor is there one of query parameters, forms and cookies.
//   - A34: there is no option to accept the secret-token scheme.
//   - A36: there are no metrics. An OnDeny hook can count, and is never given the token.
//   - A37: preflight requests carry no credentials; the application's CORS handling answers them in
//     front of the guard. What is tested is that the guard makes no exception.
//   - A40: there is no list of paths to skip. A route that needs no key is not wrapped.
//   - A42: only the application knows what ends TLS for it, so there is no RequireTLS. What is tested
//     is that plain text and TLS are answered alike, by running every row over both.
//   - A43: addresses and protocols in headers matter to rate limits and redirects, which the guard has
//     none of. What is tested is that they change nothing.
//   - A44, second half: whoever forwards a request strips the identity headers of its own protocol.
//   - A48, A49 and C5: there is no rate limiter. What is tested is that failures lock nobody out.
//   - A50, last part: the guard counts nothing; the reason it gives is not that of a bad key.
func TestCatalogue(t *testing.T) {
	f := newFixture(t)
	all := ways(t, f.guard.Handler(f.spy))
	for _, row := range rows() {
		t.Run(row.name, func(t *testing.T) {
			for _, way := range all {
				t.Run(way.name, func(t *testing.T) { f.try(t, way, row) })
			}
		})
	}
}

// try sends the request of a row and holds the answer, the handler, the store and the hook to it.
func (f *fixture) try(t *testing.T, way way, row row) {
	f.reset()
	res, err := way.send(t, row.request)
	reads, saw, told := f.store.reads.Load(), f.spy.saw(), f.told()

	switch want := row.wants(way.name); want {
	case pass:
		require.NoError(t, err)
		requirePass(t, res)
		require.Equal(t, passed(row.body), saw)
		require.EqualValues(t, 1, reads)
		require.Empty(t, told)
		return
	case unsent:
		require.Error(t, err)
		require.Regexp(t, `invalid header field value|header list larger than`, err.Error())
		secretless(t, err.Error(), row.auth...)
		require.Empty(t, told)
	case x400, x431:
		require.NoError(t, err)
		require.Equal(t, map[code]int{x400: 400, x431: 431}[want], res.status)
		secretless(t, res.dump(), row.auth...)
		require.Empty(t, told, "net/http itself answers")
	default:
		require.NoError(t, err)
		requireRefusal(t, want, res, row.auth...)
		require.Len(t, told, 1)
		secretless(t, fmt.Sprintf("%v %+v %#v", told[0], told[0], told[0]), row.auth...)
		requireReason(t, want, row.reads, told[0])
	}
	require.EqualValues(t, row.reads, reads)
	require.Zero(t, saw.calls, "the handler of a refused request ran")
}

// requireReason holds the reason given to the hook to the answer given to the client.
func requireReason(t testing.TB, want code, reads int, reason error) {
	t.Helper()
	require.Equal(t, want == c0, errors.Is(reason, bearer.ErrNoCredentials))
	require.Equal(t, want == c1, errors.Is(reason, bearer.ErrMalformedHeader))
	require.Equal(t, want == c2, errors.Is(reason, apikey.ErrInvalid))
	require.Equal(t, want == c3, errors.Is(reason, bearer.ErrInsufficientScope))
	// Malformed tokens are neither hashed nor looked up.
	require.Equal(t, want == c2 && reads == 0, errors.Is(reason, apikey.ErrMalformed))
}

// Row A36 and hard rule 9: whoever has a token that opens nothing learns nothing of why.
func TestDeadTokensLookAlike(t *testing.T) {
	f := newFixture(t)
	reasons := map[string]error{
		unknown:    apikey.ErrUnknown,
		wrong:      apikey.ErrUnknown,
		revoked:    apikey.ErrRevoked,
		expired:    apikey.ErrExpired,
		good + "a": apikey.ErrMalformed,
	}
	for _, way := range ways(t, f.guard.Handler(f.spy)) {
		t.Run(way.name, func(t *testing.T) {
			var first *response
			for token, reason := range reasons {
				f.reset()
				res, err := way.send(t, request{auth: []string{"Bearer " + token}})
				require.NoError(t, err)
				requireRefusal(t, c2, res, token)
				told := f.told()
				require.Len(t, told, 1)
				require.ErrorIs(t, told[0], reason)
				require.Zero(t, f.spy.saw().calls)

				res.header.Del("Date")
				if first == nil {
					first = res
				}
				require.Equal(t, first, res)
			}
		})
	}
}

// Row A45: several scopes are all needed, and named.
func TestMissingScope(t *testing.T) {
	f := newFixture(t)
	handler := f.guard.Require("email:send", "key:create")(f.spy)
	for _, way := range ways(t, handler) {
		t.Run("A45 "+way.name, func(t *testing.T) {
			f.reset()
			res, err := way.send(t, request{auth: []string{"Bearer " + good}})
			require.NoError(t, err)
			requireRefusal(t, c3, res, good)
			require.Equal(t, "email:send key:create", parseChallenge(t, res.header.Get("WWW-Authenticate"))["scope"])
			require.Zero(t, f.spy.saw().calls)
			require.EqualValues(t, 1, f.store.reads.Load())
			told := f.told()
			require.Len(t, told, 1)
			requireReason(t, c3, 1, told[0])
			require.Contains(t, told[0].Error(), goodID)
			secretless(t, told[0].Error(), good)
		})
	}
}

// A fault of the store is no refusal: the key may be good.
func TestStoreFault(t *testing.T) {
	f := newFixture(t)
	f.store.get = func(context.Context, string) (store.Record, error) {
		return store.Record{}, errors.New("connection refused")
	}
	for _, way := range ways(t, f.guard.Handler(f.spy)) {
		for name, token := range map[string]string{"good": good, "revoked": revoked, "unknown": unknown} {
			t.Run(name+" "+way.name, func(t *testing.T) {
				f.reset()
				res, err := way.send(t, request{auth: []string{"Bearer " + token}})
				require.NoError(t, err)
				requireRefusal(t, c4, res, token)
				require.False(t, strings.Contains(res.dump(), "refused"), "the answer tells of the fault")
				require.Zero(t, f.spy.saw().calls)
				told := f.told()
				require.Len(t, told, 1)
				require.ErrorIs(t, told[0], apikey.ErrUnavailable)
				requireReason(t, c4, 1, told[0])
			})
		}
	}
}
