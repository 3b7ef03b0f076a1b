package bearer_test

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// A request is what a test sends, in whichever way.
type request struct {
	method  string   // GET where empty
	target  string   // "/" where empty
	auth    []string // the values of its Authorization headers
	header  http.Header
	body    string
	trailer http.Header
}

func (r request) withDefaults() request {
	if r.method == "" {
		r.method = http.MethodGet
	}
	if r.target == "" {
		r.target = "/"
	}
	return r
}

// A response is what came back.
type response struct {
	status int
	header http.Header
	body   string
}

func received(t testing.TB, res *http.Response) *response {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return &response{res.StatusCode, res.Header, string(body)}
}

// dump returns all that the response tells.
func (r *response) dump() string { return fmt.Sprint(r.status, r.header, r.body) }

// A way is one of the ways in which a request reaches a handler. An error is that of a client that
// refuses to send the request.
type way struct {
	name string
	send func(*testing.T, request) (*response, error)
}

// The names of the ways.
const (
	overTCP = "TCP"
	overH2  = "HTTP2"
	direct  = "direct"
)

// ways serves h over TCP, where requests are written by hand since no client sends most of them, over
// HTTP/2, and without a server, as under adapters that filter less than net/http does. When a way's
// send returns, h has returned as well.
func ways(t *testing.T, h http.Handler) []way {
	t.Helper()
	var running sync.RWMutex
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running.RLock()
		defer running.RUnlock()
		h.ServeHTTP(w, r)
	})
	settled := func(send func(*testing.T, request) (*response, error)) func(*testing.T, request) (*response, error) {
		return func(t *testing.T, r request) (*response, error) {
			res, err := send(t, r.withDefaults())
			running.Lock()
			defer running.Unlock()
			return res, err
		}
	}

	plain := httptest.NewServer(handler)
	t.Cleanup(plain.Close)
	h2 := httptest.NewUnstartedServer(handler)
	h2.EnableHTTP2 = true
	h2.StartTLS()
	t.Cleanup(h2.Close)
	// The client learns the server's limits from the first connection, before the rows.
	_, err := sendH2(t, h2, request{}.withDefaults())
	require.NoError(t, err)

	return []way{
		{overTCP, settled(func(t *testing.T, r request) (*response, error) {
			return sendTCP(t, plain.Listener.Addr().String(), r), nil
		})},
		{overH2, settled(func(t *testing.T, r request) (*response, error) { return sendH2(t, h2, r) })},
		{direct, settled(func(t *testing.T, r request) (*response, error) { return sendDirect(t, handler, r), nil })},
	}
}

// sendTCP writes the request as it is spelled.
func sendTCP(t *testing.T, addr string, r request) *response {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	// A server that has seen enough answers and closes before all is written.
	go io.WriteString(conn, r.text())
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: r.method})
	require.NoError(t, err)
	return received(t, res)
}

// text spells the request in HTTP/1.1.
func (r request) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n", r.method, r.target)
	for _, value := range r.auth {
		fmt.Fprintf(&b, "Authorization: %s\r\n", value)
	}
	lines := func(h http.Header) {
		for _, name := range slices.Sorted(maps.Keys(h)) {
			for _, value := range h[name] {
				fmt.Fprintf(&b, "%s: %s\r\n", name, value)
			}
		}
	}
	lines(r.header)
	switch {
	case r.trailer != nil:
		names := slices.Sorted(maps.Keys(r.trailer))
		fmt.Fprintf(&b, "Transfer-Encoding: chunked\r\nTrailer: %s\r\n\r\n", strings.Join(names, ", "))
		if r.body != "" {
			fmt.Fprintf(&b, "%x\r\n%s\r\n", len(r.body), r.body)
		}
		b.WriteString("0\r\n")
		lines(r.trailer)
		b.WriteString("\r\n")
	case r.body != "":
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(r.body), r.body)
	default:
		b.WriteString("\r\n")
	}
	return b.String()
}

// made returns the request as a value of package http.
func (r request) made(t testing.TB, base string) *http.Request {
	t.Helper()
	var body io.Reader = http.NoBody
	if r.body != "" || r.trailer != nil {
		body = struct{ io.Reader }{strings.NewReader(r.body)} // of unknown length, as a trailer needs
	}
	req, err := http.NewRequestWithContext(t.Context(), r.method, base+r.target, body)
	require.NoError(t, err)
	if r.auth != nil {
		req.Header["Authorization"] = r.auth
	}
	maps.Copy(req.Header, r.header) // as they are spelled
	req.Trailer = r.trailer
	return req
}

func sendH2(t *testing.T, srv *httptest.Server, r request) (*response, error) {
	t.Helper()
	res, err := srv.Client().Do(r.made(t, srv.URL))
	if err != nil {
		return nil, err
	}
	require.Equal(t, 2, res.ProtoMajor)
	return received(t, res), nil
}

// sendDirect sets the header map directly.
func sendDirect(t *testing.T, h http.Handler, r request) *response {
	t.Helper()
	req := r.withDefaults().made(t, "http://api.example")
	body := &watchedBody{Reader: strings.NewReader(r.body)}
	req.Body = body
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	if w.Code >= 400 {
		require.Zero(t, body.reads, "the body of a refused request was read")
	}
	return received(t, w.Result())
}

// A watchedBody counts how often it is read.
type watchedBody struct {
	io.Reader
	reads int
}

func (b *watchedBody) Read(p []byte) (int, error) {
	b.reads++
	return b.Reader.Read(p)
}

func (b *watchedBody) Close() error { return nil }
