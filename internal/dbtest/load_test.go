package dbtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
)

// A load is workers that issue, present and revoke keys of their own until they are told to stop, and
// hold every answer to what they know.
type load struct {
	door, beside  *door
	good, revoked string // tokens from before, which are presented all along
	stop          chan struct{}
	workers       sync.WaitGroup
	works, faults atomic.Int64 // calls that were answered, and those that were not

	mu       sync.Mutex
	problems []string
	open     []string // tokens of keys whose creation was acknowledged
	ended    []string // and of those whose revocation was
}

// Errorf and FailNow implement [require.TestingT] for goroutines that are not the test's.
func (l *load) Errorf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}
func (l *load) FailNow() { runtime.Goexit() }

// startLoad has workers use one door. The one beside it must work at the beginning and at the end.
func startLoad(t *testing.T, door, beside *door) *load {
	t.Helper()
	l := &load{door: door, beside: beside, stop: make(chan struct{})}
	l.good, _ = beside.issue(t)
	token, key := beside.issue(t)
	_, err := beside.Revoke(bounded(t), apikey.Ref{Owner: key.Owner, ID: key.ID}, "before")
	require.NoError(t, err)
	l.revoked = token
	for worker := range 4 {
		l.workers.Go(func() { l.work(fmt.Sprint("worker_", worker)) })
	}
	t.Cleanup(l.end) // also where the test ends early
	return l
}

func (l *load) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
}

func (l *load) work(owner string) {
	for {
		select {
		case <-l.stop:
			return
		default:
			l.round(owner)
		}
	}
}

func (l *load) round(owner string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	l.present(ctx, l.good, http.StatusOK)
	l.present(ctx, l.revoked, http.StatusUnauthorized)
	token, key, err := l.door.Issue(ctx, apikey.Request{Owner: owner, Label: "load"})
	if !l.answered(err) {
		require.Equal(l, apikey.Token{}, token)
		return
	}
	l.present(ctx, token.Reveal(), http.StatusOK)
	if key.ID[len(key.ID)-1]&1 == 0 {
		l.keep(&l.open, token.Reveal())
		return
	}
	if _, err = l.door.Revoke(ctx, apikey.Ref{Owner: owner, ID: key.ID}, "load"); l.answered(err) {
		l.present(ctx, token.Reveal(), http.StatusUnauthorized)
		l.keep(&l.ended, token.Reveal())
	}
}

// present sends a request whose answer is known, unless nobody can tell.
func (l *load) present(ctx context.Context, token string, want int) {
	code := l.door.ask(ctx, l, token)
	if code == http.StatusServiceUnavailable {
		l.fault()
		return
	}
	require.Equal(l, want, code, "a fault is neither a key nor a refusal")
	l.works.Add(1)
}

func (l *load) answered(err error) bool {
	if err != nil {
		requireUnavailable(l, err)
		l.fault()
		return false
	}
	l.works.Add(1)
	return true
}

// fault counts and pauses: a server that is to come up again needs the processor too.
func (l *load) fault() {
	l.faults.Add(1)
	select {
	case <-l.stop:
	case <-time.After(2 * time.Millisecond):
	}
}

func (l *load) keep(list *[]string, token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*list = append(*list, token)
}

// until waits for what the load brings about, unless it meets a wrong answer first.
func (l *load) until(t *testing.T, what string, f func() bool) {
	t.Helper()
	eventually(t, what, func() (bool, error) { return f() || l.failed() != nil, nil })
	require.NoError(t, l.failed())
}

// requireWorks waits until calls are answered again.
func (l *load) requireWorks(t *testing.T) {
	t.Helper()
	enough := l.works.Load() + 60
	l.until(t, "calls are answered", func() bool { return l.works.Load() > enough })
}

// requireFails waits until calls fail.
func (l *load) requireFails(t *testing.T) {
	t.Helper()
	enough := l.faults.Load() + 40
	l.until(t, "calls fail", func() bool { return l.faults.Load() > enough })
}

func (l *load) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.problems) > 0 {
		return errors.New(l.problems[0])
	}
	return nil
}

// requireKept stops the load and asserts that nothing it was told has been lost.
func (l *load) requireKept(t *testing.T) {
	t.Helper()
	l.end()
	within(t, "the workers stop", l.workers.Wait)
	require.NoError(t, l.failed())
	require.NotEmpty(t, l.open)
	require.NotEmpty(t, l.ended)
	for _, token := range append(l.open, l.good) {
		l.beside.requireOpen(t, token)
	}
	for _, token := range append(l.ended, l.revoked) {
		l.beside.requireRefused(t, token)
	}
}
