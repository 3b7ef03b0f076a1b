package dbtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/sqlstore"
)

// A load is workers that issue, present and revoke keys of their own until they are told to stop, and
// hold every answer to what they know.
type load struct {
	door          *door
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

func startLoad(door *door) *load {
	l := &load{door: door, stop: make(chan struct{})}
	for worker := range 6 {
		l.workers.Go(func() { l.work(fmt.Sprint("user_", worker)) })
	}
	return l
}

func (l *load) work(owner string) {
	ctx := context.Background()
	for {
		select {
		case <-l.stop:
			return
		default:
		}
		token, key, err := l.door.Issue(ctx, apikey.Request{Owner: owner, Label: "load"})
		if !l.answered(err) {
			require.Equal(l, apikey.Token{}, token)
			continue
		}
		l.present(ctx, token.Reveal(), http.StatusOK)
		if key.ID[len(key.ID)-1]&1 == 0 {
			l.keep(&l.open, token.Reveal())
			continue
		}
		_, err = l.door.Revoke(ctx, apikey.Ref{Owner: owner, ID: key.ID}, "load")
		if l.answered(err) {
			l.present(ctx, token.Reveal(), http.StatusUnauthorized)
			l.keep(&l.ended, token.Reveal())
		}
	}
}

// present sends a request whose answer is known, unless nobody can tell.
func (l *load) present(ctx context.Context, token string, want int) {
	code := l.door.ask(ctx, l, token)
	if code == http.StatusServiceUnavailable {
		l.faults.Add(1)
		return
	}
	require.Equal(l, want, code, "a fault is neither a key nor a refusal")
	l.works.Add(1)
}

func (l *load) answered(err error) bool {
	if err != nil {
		requireUnavailable(l, err)
		l.faults.Add(1)
		return false
	}
	l.works.Add(1)
	return true
}

func (l *load) keep(list *[]string, token string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*list = append(*list, token)
}

// requireWorks waits until calls are answered again.
func (l *load) requireWorks(t *testing.T) {
	t.Helper()
	enough := l.works.Load() + 60
	eventually(t, "calls are answered", func() (bool, error) { return l.works.Load() > enough, l.failed() })
}

func (l *load) failed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.problems) > 0 {
		return fmt.Errorf("%s", l.problems[0])
	}
	return nil
}

// requireKept stops the load and asserts that nothing it was told has been lost.
func (l *load) requireKept(t *testing.T, beside *door) {
	t.Helper()
	close(l.stop)
	l.workers.Wait()
	require.Empty(t, l.problems)
	for _, token := range l.open {
		beside.requireOpen(t, token)
	}
	for _, token := range l.ended {
		beside.requireRefused(t, token)
	}
	require.NotEmpty(t, l.open)
	require.NotEmpty(t, l.ended)
}

// networked are one way for each server.
var networked = engines[1:]

// Rows F6 and F31: all connections of the application are killed by the server, again and again.
func TestFireF6F31Killed(t *testing.T) {
	onEach(t, servers, func(t *testing.T, d database) {
		dsn := d.fresh(t)
		name := "latchkey_" + strings.ToLower(rand.Text()) // of whom to kill
		victim := dsn
		if d.dialect == sqlstore.Postgres {
			victim += "&application_name=" + name
		}
		db := d.pool(t, victim)
		t.Cleanup(requireNoneLeft(t, db))
		admin := d.pool(t, dsn)
		if d.dialect == sqlstore.MySQL {
			require.NoError(t, admin.QueryRow(`SELECT DATABASE()`).Scan(&name))
		}
		beside := newDoor(t, d.migrated(t, one(admin)))
		l := startLoad(newDoor(t, d.store(t, db)))
		killed := 0
		for range 10 {
			l.requireWorks(t)
			killed += kill(t, d, admin, name)
		}
		require.Positive(t, killed)
		l.requireWorks(t)
		l.requireKept(t, beside)
	})
}

// kill has the server end the connections of a name, and not those of admin.
func kill(t *testing.T, d database, admin *sql.DB, name string) (killed int) {
	t.Helper()
	if d.dialect == sqlstore.Postgres {
		return count(t, admin, `SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = $1`, name)
	}
	rows, err := admin.Query(`SELECT id FROM information_schema.processlist WHERE db = ? AND id <> CONNECTION_ID()`, name)
	require.NoError(t, err)
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		require.NoError(t, rows.Scan(&id))
		ids = append(ids, id)
	}
	require.NoError(t, rows.Err())
	for _, id := range ids {
		if _, err := admin.Exec(fmt.Sprint("KILL ", id)); err == nil { // or it was gone already
			killed++
		}
	}
	return killed
}

// Row F31: a server is stopped and started again under load, in each way there is. Nothing that was
// acknowledged is lost and the pool is as good as new.
func TestFireF31Restarted(t *testing.T) {
	onEach(t, networked, func(t *testing.T, d database) {
		s := newPrivate(t, d)
		t.Setenv(s.variable(), s.admin())
		s.requireAnswers(t, d)
		dsn := strings.Replace(d.fresh(t), "synchronous_commit=off", "synchronous_commit=on", 1)
		db := d.pool(t, dsn)
		t.Cleanup(requireNoneLeft(t, db))
		beside := newDoor(t, d.migrated(t, d.pool(t, dsn)))
		l := startLoad(newDoor(t, d.store(t, db)))
		ways := []syscall.Signal{syscall.SIGKILL, syscall.SIGINT} // SIGINT is PostgreSQL's fast way
		if d.dialect == sqlstore.MySQL {
			ways[1] = syscall.SIGTERM
		}
		for _, how := range ways {
			l.requireWorks(t)
			s.stop(t, how)
			seen := l.faults.Load() + 20
			eventually(t, "calls fail", func() (bool, error) { return l.faults.Load() > seen, l.failed() })
			s.start(t)
			l.requireWorks(t)
		}
		beside.requireRecovers(t, l.open[0])
		l.requireKept(t, beside)
	})
}

// Row F31: a primary is demoted, and writes are refused until it is one again. Keys open all along.
func TestFireF31Demoted(t *testing.T) {
	onEach(t, networked, func(t *testing.T, d database) {
		s := newPrivate(t, d)
		t.Setenv(s.variable(), s.admin())
		s.requireAnswers(t, d)
		dsn := d.fresh(t)
		admin := d.pool(t, dsn)
		d.migrated(t, admin)
		variants := []string{""}
		demote := []string{`ALTER SYSTEM SET default_transaction_read_only = on`, `SELECT pg_reload_conf()`}
		promote := []string{`SET default_transaction_read_only = off`, `ALTER SYSTEM RESET default_transaction_read_only`, `SELECT pg_reload_conf()`}
		if d.dialect == sqlstore.MySQL {
			exec(t, admin, `CREATE USER app@'127.0.0.1'`)
			exec(t, admin, `GRANT SELECT, INSERT, UPDATE, DELETE ON *.* TO app@'127.0.0.1'`) // and not to write when nobody may
			dsn = strings.Replace(dsn, "root@", "app@", 1)
			demote, promote = []string{`SET GLOBAL read_only = 1`}, []string{`SET GLOBAL read_only = 0`}
			variants = append(variants, "rejectReadOnly=true")
		}
		admin.SetMaxOpenConns(1)
		for _, params := range variants {
			t.Run(params, func(t *testing.T) {
				db := d.pool(t, withQuery(dsn, params))
				t.Cleanup(requireNoneLeft(t, db))
				door := newDoor(t, d.store(t, db))
				token, key := door.issue(t)
				for _, query := range demote {
					exec(t, admin, query)
				}
				ref := apikey.Ref{Owner: key.Owner, ID: key.ID}
				eventually(t, "writes are refused", func() (bool, error) {
					_, err := door.Update(t.Context(), ref, apikey.Changes{Label: new("demoted")})
					return err != nil, nil
				})
				for range conns {
					tok, _, err := door.Issue(t.Context(), request("never"))
					requireUnavailable(t, err)
					require.Equal(t, apikey.Token{}, tok)
					_, err = door.Revoke(t.Context(), ref, "never")
					requireUnavailable(t, err)
					if params == "" {
						require.ErrorContains(t, err, "the database takes no writes")
					}
					door.requireOpen(t, token)
					door.requireRefused(t, nobodys)
				}
				for _, query := range promote {
					exec(t, admin, query)
				}
				eventually(t, "writes are done", func() (bool, error) {
					_, err := door.Revoke(t.Context(), ref, "promoted")
					return err == nil, err
				})
				door.requireRefused(t, token)
				fresh, _ := door.issue(t)
				door.requireOpen(t, fresh)
			})
		}
	})
}
