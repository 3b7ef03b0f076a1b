package dbtest

import (
	"bytes"
	"net"
	"net/url"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/go-sql-driver/mysql"
	"github.com/rs/zerolog"
	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/sqlstore"
)

// A proxy stands between a pool and its server. It can be stopped and started, and it does what its
// line is told to. Its toxics are there before it starts and stay as long as it does: taking one away
// waits for every connection to let go of it, which one of a server that is down may not.
type proxy struct {
	*toxiproxy.Proxy
	*line
}

// throughProxy returns a proxy in front of the server of a data source name, and the name under which
// to open the same database through it.
func (d database) throughProxy(t *testing.T, dsn string, toxic ...string) (p proxy, proxied string) {
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
	l := &line{change: make(chan struct{})}
	quiet := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p = proxy{toxiproxy.NewProxy(quiet, d.name, "127.0.0.1:0", upstream), l}
	for _, description := range toxic {
		_, err := p.Toxics.AddToxicJson(bytes.NewBufferString(description))
		require.NoError(t, err)
	}
	for _, direction := range []string{"upstream", "downstream"} {
		w, err := p.Toxics.AddToxicJson(bytes.NewBufferString(`{"type": "latchkey", "stream": "` + direction + `"}`))
		require.NoError(t, err)
		*w.Toxic.(*end) = end{l, direction == "upstream"}
	}
	p.start(t)
	t.Cleanup(func() { p.stop(t) })
	return p, rename(p.Listen)
}

// stop takes the server away: its port is closed, and so is every connection.
func (p proxy) stop(t *testing.T) {
	t.Helper()
	p.tell(nil)
	within(t, "the proxy stops", p.Stop)
}

func (p proxy) start(t *testing.T) {
	t.Helper()
	eventually(t, "the proxy has its port", func() (bool, error) {
		err := p.Start()
		return err == nil, err
	})
}

// A line carries what passes through a proxy, one piece at a time. With a single connection at work
// its pieces are requests and answers, in turn.
type line struct {
	mu     sync.Mutex
	fault  fault
	change chan struct{} // closed when another fault is told
	opened int           // connections so far
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
	close(l.change)
	l.change = make(chan struct{})
}

func (l *line) decide(up bool, data []byte) (fate, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault == nil {
		return pass, l.change
	}
	return l.fault(up, data), l.change
}

// connections returns how many were opened so far.
func (l *line) connections() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opened
}

// An end is one direction of a line, a toxic in terms of the proxy.
type end struct {
	line *line
	up   bool
}

func init() { toxics.Register("latchkey", new(end)) }

// Pipe implements [toxics.Toxic]. It takes whatever comes until nothing more does, so that nobody
// waits for it, and waits for nobody for ever: what no longer writes to a connection that has ended
// does not tell.
func (e *end) Pipe(stub *toxics.ToxicStub) {
	defer stub.Close()
	if e.up {
		e.line.mu.Lock()
		e.line.opened++
		e.line.mu.Unlock()
	}
	for piece := range stub.Input {
		f, change := e.line.decide(e.up, piece.Data)
		for f == hold {
			<-change
			f, change = e.line.decide(e.up, piece.Data)
		}
		if stub.Closed() {
			continue
		}
		if f == half {
			piece.Data = piece.Data[:len(piece.Data)/2]
		}
		if f != cut && stub.WriteOutput(piece, 5*time.Second) != nil {
			f = cut
		}
		if f != pass {
			stub.Close()
		}
	}
}

// isCommit reports whether a piece is a COMMIT that goes up, and no mention of one.
func isCommit(up bool, data []byte) bool { return up && commit.Match(data) }

var commit = regexp.MustCompile(`(?i)[^_a-z]commit\x00?$`)

// holds reports whether a piece that goes up holds a text.
func holds(text string) func(up bool, data []byte) bool {
	return func(up bool, data []byte) bool { return up && bytes.Contains(data, []byte(text)) }
}

// A moment is one at which the connection of a request can be lost, as often as is asked for.
type moment struct {
	name string
	lose func(is func(up bool, data []byte) bool, times int) fault
}

var moments = []moment{
	{"before it arrives", func(is func(bool, []byte) bool, times int) fault { return asking(is, times, cut) }},
	// Nobody is told what comes of it, and maybe nothing does.
	{"as it arrives", func(is func(bool, []byte) bool, times int) fault { return asking(is, times, last) }},
	{"with the answer", func(is func(bool, []byte) bool, times int) fault { return answering(is, times, cut) }},
	{"amid the answer", func(is func(bool, []byte) bool, times int) fault { return answering(is, times, half) }},
}

// asking deals with requests.
func asking(is func(bool, []byte) bool, times int, f fate) fault {
	return func(up bool, data []byte) fate {
		if times > 0 && is(up, data) {
			times--
			return f
		}
		return pass
	}
}

// answering deals with the first piece of the answers to requests.
func answering(is func(bool, []byte) bool, times int, f fate) fault {
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
