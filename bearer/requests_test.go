package bearer_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// Row A18: HTTP/2 is left out, where net/http's server resets the stream of such a trailer itself.
func TestTrailer(t *testing.T) {
	f := newFixture(t)
	for _, way := range ways(t, f.guard.Handler(f.spy)) {
		if way.name == overH2 {
			continue
		}
		t.Run("A18 trailer "+way.name, func(t *testing.T) {
			f.try(t, way, row{want: c0, request: request{method: http.MethodPost, body: "{}",
				trailer: http.Header{"Authorization": {"Bearer " + good}}}})
		})
	}
}

// Row A18: a token in the userinfo of an absolute target, which clients turn into Basic credentials.
func TestUserinfo(t *testing.T) {
	f := newFixture(t)
	tcp := ways(t, f.guard.Handler(f.spy))[0]
	require.Equal(t, overTCP, tcp.name)
	t.Run("A18 userinfo", func(t *testing.T) {
		f.try(t, tcp, row{want: c0, request: request{target: "http://Bearer:" + good + "@api.example/"}})
	})
}

// Rows A37 and A38: no method is an exception, and HEAD is answered like GET but for the body.
func TestMethods(t *testing.T) {
	f := newFixture(t)
	preflight := http.Header{
		"Origin":                         {"https://app.example"},
		"Access-Control-Request-Method":  {"POST"},
		"Access-Control-Request-Headers": {"authorization"},
	}
	for _, way := range ways(t, f.guard.Handler(f.spy)) {
		for _, method := range []string{"OPTIONS", "GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} {
			t.Run("A37 "+method+" "+way.name, func(t *testing.T) {
				f.try(t, way, row{want: c0, request: request{method: method, header: preflight}})
			})
		}
		for name, auth := range map[string][]string{
			"no key": nil, "malformed": {"Bearer"}, "bad key": {"Bearer " + unknown}, "revoked": {"Bearer " + revoked},
		} {
			t.Run("A38 "+name+" "+way.name, func(t *testing.T) {
				get, err := way.send(t, request{auth: auth})
				require.NoError(t, err)
				head, err := way.send(t, request{method: http.MethodHead, auth: auth})
				require.NoError(t, err)
				require.Empty(t, head.body)
				require.NotEmpty(t, get.body)
				get.body = ""
				get.header.Del("Date")
				head.header.Del("Date")
				require.Equal(t, get, head)
				require.Zero(t, f.spy.saw().calls)
			})
		}
	}
}

// Rows A40, A41, A43 and A44: nothing but the Authorization header lets a request in or keeps it out.
func TestNothingElseDecides(t *testing.T) {
	var around []row
	for _, target := range []string{
		"/healthz", "/x/healthz", "//healthz", "/healthz/../admin", "/%68ealthz", "/healthz%2f..%2fadmin",
		"/healthz;/admin", "/healthz?/admin", "/admin?/healthz", "/admin#/healthz", "/.well-known/x", "/favicon.ico",
	} {
		around = append(around, row{name: "A40 " + target, request: request{target: target}})
	}
	for name, headers := range map[string][]string{
		"A41": {
			"User-Agent", "kube-probe/1.33", "User-Agent", "GoogleHC/1.0", "User-Agent", "ELB-HealthChecker/2.0",
			"User-Agent", "Prometheus/3.0",
		},
		"A43": {
			"X-Forwarded-Proto", "https", "X-Forwarded-Proto", "http", "X-Forwarded-For", "127.0.0.1",
			"X-Real-Ip", "127.0.0.1", "Forwarded", "for=127.0.0.1;proto=https", "X-Forwarded-Host", "localhost",
			"X-Original-Url", "/healthz", "X-Rewrite-Url", "/healthz", "X-Http-Method-Override", "OPTIONS",
		},
		"A44": {
			"X-User-Id", "user_2", "X-Owner", "user_2", "X-Key-Id", otherID, "X-Scopes", "admin:*",
			"Remote-User", "user_2", "X-Remote-User", "user_2", "X-Forwarded-User", "user_2",
		},
	} {
		for i := 0; i < len(headers); i += 2 {
			around = append(around, row{name: name + " " + headers[i] + " " + headers[i+1],
				request: request{header: http.Header{headers[i]: {headers[i+1]}}}})
		}
	}

	f := newFixture(t)
	for _, way := range ways(t, f.guard.Handler(f.spy)) {
		for _, row := range around {
			t.Run(row.name+" "+way.name, func(t *testing.T) {
				row.want = c0
				f.try(t, way, row)
				row.auth, row.want, row.reads = []string{"Bearer " + unknown}, c2, 1
				f.try(t, way, row)
				row.auth, row.want = []string{"Bearer " + good}, pass
				f.try(t, way, row)
			})
		}
	}
}

// Row A39: a server that asks for the body of a request it refuses lets anybody fill its disks.
func TestExpectContinue(t *testing.T) {
	f := newFixture(t)
	srv := httptest.NewServer(f.guard.Handler(f.spy))
	t.Cleanup(srv.Close)
	send := func(t *testing.T, token, length string) (net.Conn, *bufio.Reader, *http.Response) {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: api.example\r\nExpect: 100-continue\r\n"+
			"Content-Length: "+length+"\r\nAuthorization: Bearer "+token+"\r\n\r\n")
		require.NoError(t, err)
		r := bufio.NewReader(conn)
		res, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		return conn, r, res
	}
	t.Run("A39 bad key", func(t *testing.T) {
		_, r, res := send(t, unknown, "67108864")
		requireRefusal(t, c2, received(t, res), unknown)
		_, err := r.ReadByte()
		require.ErrorIs(t, err, io.EOF, "the server must close and not wait for the body")
		require.Zero(t, f.spy.saw().calls)
	})
	t.Run("A39 good key", func(t *testing.T) {
		conn, r, res := send(t, good, "5")
		require.Equal(t, http.StatusContinue, res.StatusCode)
		_, err := io.WriteString(conn, "hello")
		require.NoError(t, err)
		res, err = http.ReadResponse(r, nil)
		require.NoError(t, err)
		requirePass(t, received(t, res))
		require.Equal(t, passed("hello"), f.spy.saw())
	})
}

// Row A49: knowing the public id of a key is not enough to lock out who holds it.
func TestNoLockout(t *testing.T) {
	f := newFixture(t)
	handler := f.guard.Handler(f.spy)
	for range 1000 {
		requireRefusal(t, c2, sendDirect(t, handler, request{auth: []string{"Bearer " + wrong}}))
	}
	require.Zero(t, f.spy.saw().calls)
	requirePass(t, sendDirect(t, handler, request{auth: []string{"Bearer " + good}}))
	require.Equal(t, passed(""), f.spy.saw())
}
