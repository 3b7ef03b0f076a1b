package dbtest

import (
	"bytes"
	"net"
	"net/url"
	"regexp"
	"sync"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/go-sql-driver/mysql"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/sqlstore"
)

// A proxy stands between a pool and its server. It can be stopped and started, and it does what its
// line is told to.
type proxy struct {
	*toxiproxy.Proxy
	*line
}

// throughProxy returns a proxy in front of the server of a data source name, and the name under which
// to open the same database through it.
func (d database) throughProxy(t *testing.T, dsn string) (p proxy, proxied string) {
	t.Helper()
	var upstream string
	var rename func(addr string) string
	if d.dialect == sqlstore.Postgres {
		u, err := url.Parse(dsn)
		require.NoError(t, err)
		upstream = u.Host
		if u.Port() == "" {
			upstream = net.JoinHostPort(u.Hostname(), "5432")
		}
		rename = func(addr string) string { u.Host = addr; return u.String() }
	} else {
		cfg, err := mysql.ParseDSN(dsn)
		require.NoError(t, err)
		require.Equal(t, "tcp", cfg.Net, "the proxy stands between TCP connections")
		upstream = cfg.Addr
		rename = func(addr string) string { cfg.Addr = addr; return cfg.FormatDSN() }
	}
	l := new(line)
	quiet := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p = proxy{toxiproxy.NewProxy(quiet, d.name, "127.0.0.1:0", upstream), l}
	for _, direction := range []string{"upstream", "downstream"} {
		w, err := p.Toxics.AddToxicJson(bytes.NewBufferString(`{"type": "latchkey", "stream": "` + direction + `"}`))
		require.NoError(t, err)
		*w.Toxic.(*end) = end{l, direction == "upstream"}
	}
	require.NoError(t, p.Start())
	t.Cleanup(func() { l.tell(nil); p.Stop() })
	return p, rename(p.Listen)
}

// A line carries what passes through a proxy, one piece at a time. With a single connection at work
// its pieces are requests and answers, in turn.
type line struct {
	mu     sync.Mutex
	fault  fault
	change chan struct{} // closed when another fault is told
}

// A fault decides what becomes of a piece that goes up to the server or down from it. A nil fault
// passes everything.
type fault func(up bool, data []byte) fate

type fate int

const (
	pass fate = iota
	cut       // the piece is lost and so is the connection
	last      // the piece arrives and the connection is lost
	half      // a part of the piece arrives and the connection is lost
	hold      // the piece waits for the next fault to decide
)

// tell replaces the fault.
func (l *line) tell(f fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = f
	if l.change != nil {
		close(l.change)
	}
	l.change = make(chan struct{})
}

func (l *line) decide(up bool, data []byte) (fate, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.change == nil {
		l.change = make(chan struct{})
	}
	if l.fault == nil {
		return pass, l.change
	}
	return l.fault(up, data), l.change
}

// An end is one direction of a line, a toxic in terms of the proxy.
type end struct {
	line *line
	up   bool
}

func init() {
	toxics.Register("latchkey", new(end))
	mysql.SetLogger(new(mysql.NopLogger)) // which would tell of every connection that is lost here
}

// Pipe implements [toxics.Toxic].
func (e *end) Pipe(stub *toxics.ToxicStub) {
	for piece := range stub.Input {
		for {
			f, change := e.line.decide(e.up, piece.Data)
			if f == hold {
				<-change
				continue
			}
			if !stub.Closed() {
				if f == half {
					piece.Data = piece.Data[:len(piece.Data)/2]
				}
				if f != cut {
					stub.Output <- piece
				}
				if f != pass {
					stub.Close()
				}
			}
			break
		}
	}
	stub.Close()
}

// isCommit reports whether a piece is a COMMIT that goes up, and no mention of one.
func isCommit(up bool, data []byte) bool { return up && commit.Match(data) }

var commit = regexp.MustCompile(`(?i)[^_a-z]commit\x00?$`)

// holds reports whether a piece that goes up holds a text.
func holds(text string) func(up bool, data []byte) bool {
	return func(up bool, data []byte) bool { return up && bytes.Contains(data, []byte(text)) }
}

// The moments at which the connection of a request can be lost.
var moments = map[string]func(is func(up bool, data []byte) bool, times int) fault{
	// The request never arrives.
	"before it arrives": func(is func(up bool, data []byte) bool, times int) fault {
		return func(up bool, data []byte) fate {
			if times > 0 && is(up, data) {
				times--
				return cut
			}
			return pass
		}
	},
	// The request arrives, and the connection is gone before anybody knows what comes of it.
	"as it arrives": func(is func(up bool, data []byte) bool, times int) fault {
		return func(up bool, data []byte) fate {
			if times > 0 && is(up, data) {
				times--
				return last
			}
			return pass
		}
	},
	// The request is carried out, and the answer is lost.
	"with the answer": func(is func(up bool, data []byte) bool, times int) fault { return answering(is, times, cut) },
	// The request is carried out, and a part of the answer arrives.
	"amid the answer": func(is func(up bool, data []byte) bool, times int) fault { return answering(is, times, half) },
}

// answering deals with the first piece of the answers to requests.
func answering(is func(up bool, data []byte) bool, times int, f fate) fault {
	sent := false
	return func(up bool, data []byte) fate {
		switch {
		case times > 0 && is(up, data):
			times--
			sent = true
		case !up && sent:
			sent = false
			return f
		}
		return pass
	}
}
