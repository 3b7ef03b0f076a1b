package importer_test

import (
	"bytes"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// A proxy stands between a pool and a PostgreSQL server.
type proxy struct {
	net.Listener
	server string

	// loseCommits is how many times the answer to a commit is lost, and the connection with it. The
	// server has committed by then.
	loseCommits atomic.Int64

	mu    sync.Mutex
	conns []net.Conn
	down  bool
}

// throughProxy returns a proxy in front of the server of a data source name, and the name through it.
func throughProxy(t *testing.T, dsn string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	require.NoError(t, err)
	p := &proxy{server: u.Host}
	if u.Port() == "" {
		p.server = net.JoinHostPort(u.Hostname(), "5432")
	}
	p.Listener, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(p.fall)
	go func() {
		for {
			client, err := p.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	u.Host = p.Addr().String()
	return p, u.String()
}

// fall takes the server away for good.
func (p *proxy) fall() {
	p.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	for _, conn := range p.conns {
		conn.Close()
	}
}

func (p *proxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		client.Close()
		return
	}
	p.mu.Lock()
	p.conns = append(p.conns, client, server)
	down := p.down
	p.mu.Unlock()
	if down {
		client.Close()
		server.Close()
	}
	var losing atomic.Bool
	go func() { // answers
		defer client.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil || losing.Load() {
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	defer server.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		// As a query of its own: BEGIN names READ COMMITTED.
		if bytes.Contains(buf[:n], []byte("commit\x00")) && p.loseCommits.Add(-1) >= 0 {
			losing.Store(true)
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}
