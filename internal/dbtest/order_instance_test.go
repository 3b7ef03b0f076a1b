package dbtest

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/keycache"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// An Instance is one of the processes of an application that runs as several. What is exported is
// called by package net/rpc where the instance is another process than the test's.
type Instance struct {
	db *sql.DB
	st store.Store

	mu       sync.Mutex
	peppers  []apikey.Pepper
	services map[time.Duration]*apikey.Service // by what their clocks tell, after now

	cache apikey.Verifier // in front of the service whose clock tells now; nil: none
}

// A Setup says what store an instance opens.
type Setup struct {
	Database int // index in databases; below zero: a store in memory
	DSN      string
	Broken   string // name in broken, or empty

	MaxAge  time.Duration // of a cache, where not zero
	Forever bool          // the cache remembers for longer than it should
}

// Open opens the store.
func (n *Instance) Open(s Setup, _ *bool) error {
	n.st = new(memstore.Store)
	if s.Database >= 0 {
		d := databases[s.Database]
		db, err := sql.Open(d.driver, s.DSN)
		if err != nil {
			return err
		}
		db.SetMaxOpenConns(6)
		db.SetMaxIdleConns(6)
		n.db = db
		if n.st, err = sqlstore.New(db, d.dialect, d.cfg); err != nil {
			return err
		}
	}
	if s.Broken != "" {
		n.st = broken[s.Broken](n.st)
	}
	if err := n.Configure(nil, nil); err != nil || s.MaxAge == 0 {
		return err
	}
	keys, err := n.service(0)
	if err != nil {
		return err
	}
	if s.Forever {
		n.cache = &forever{keys: keys}
		return nil
	}
	n.cache, err = keycache.New(keys, keycache.Config{MaxAge: s.MaxAge})
	return err
}

// Configure restarts the services with other peppers, each given as the byte it is filled with, and
// zero for none.
func (n *Instance) Configure(fills []byte, _ *bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.services = make(map[time.Duration]*apikey.Service)
	n.peppers = nil
	for _, fill := range fills {
		p := apikey.NoPepper
		if fill != 0 {
			var err error
			if p, err = apikey.NewPepper([]byte(strings.Repeat(string(rune(fill)), 32))); err != nil {
				return err
			}
		}
		n.peppers = append(n.peppers, p)
	}
	return nil
}

func (n *Instance) close() error {
	if n.db == nil {
		return nil
	}
	return n.db.Close()
}

// service returns the service whose clock stands still that long after now.
func (n *Instance) service(at time.Duration) (*apikey.Service, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.services[at]; s != nil {
		return s, nil
	}
	s, err := apikey.New(n.st, apikey.Config{
		Prefix:      "postman_live",
		Peppers:     n.peppers,
		Scopes:      granted,
		MaxPerOwner: 100_000,
		Now:         func() time.Time { return now.Add(at) },
	})
	n.services[at] = s
	return s, err
}

// granted are the scopes that a key is created with.
var granted = []string{"email:send", "sms:send"}

// life is how long a key lives, from now, that nobody shortens the life of.
const life = 1000 * time.Hour

// An Op is what an instance is told to do.
type Op struct {
	Kind   string // create, look and issue; verify, update, rotate and revoke, which are those of the service
	Client int    // who does it

	ID    string
	Token string // to verify
	Hash  []byte // of what is created
	Max   int

	Name    string        // the label of a key that is created, the reason of a revocation
	Label   string        // to change to, if not empty
	Scopes  []string      // to change to, if not empty
	Expires time.Duration // after now; to change to, if not zero

	At       time.Duration // what the clock tells, after now
	Patience time.Duration // the context ends after that long; below zero: never
}

// A Result is what came of it.
type Result struct {
	Outcome string
	Text    string // of an error that leaves open what happened
	Token   string // of what was issued
	ID      string
	View    View
}

// A View is what is seen of a key.
type View struct {
	Label, Scopes, Reason string
	Expires               time.Duration // after now
	Version               int64         // only of a look
}

// lost is the outcome of what may have happened or not.
const lost = "lost"

// outcomes are the decisions of the service and of a store.
var outcomes = []struct {
	err  error
	name string
}{
	{apikey.ErrUnknown, "unknown"},
	{apikey.ErrExpired, "expired"},
	{apikey.ErrRevoked, "revoked"},
	{apikey.ErrSuperseded, "superseded"},
	{apikey.ErrNotActive, "inactive"}, // wraps the next one
	{store.ErrConflict, "conflict"},
	{store.ErrNotFound, "missing"},
	{store.ErrExists, "exists"},
	{apikey.ErrInvalidArgument, "argument"},
}

func outcome(err error) string {
	if err == nil {
		return "ok"
	}
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			return o.name
		}
	}
	return lost
}

// Do does what it is told. It returns an error for what should never happen.
func (n *Instance) Do(op Op, r *Result) error {
	s, err := n.service(op.At)
	if err != nil {
		return err
	}
	ctx := context.Background()
	if op.Patience >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, op.Patience)
		defer cancel()
	}
	var (
		rec store.Record
		key apikey.Key
		ref = apikey.Ref{Owner: sample(0).Owner, ID: op.ID}
	)
	switch op.Kind {
	case "create":
		err = n.st.Create(ctx, created(op), op.Max)
	case "look":
		rec, err = n.st.Get(ctx, op.ID)
	case "issue":
		var token apikey.Token
		token, key, err = s.Issue(ctx, apikey.Request{Owner: ref.Owner, Label: op.Name, Scopes: granted, ExpiresIn: life})
		if err == nil {
			r.Token = token.Reveal()
		}
	case "verify":
		verifier := apikey.Verifier(s)
		if n.cache != nil {
			verifier = n.cache
		}
		key, err = verifier.Verify(ctx, op.Token)
	case "rotate": // and end the old token, so that there is one at a time
		var token apikey.Token
		if token, key, err = s.Rotate(ctx, ref, apikey.Rotation{Immediately: true}); err == nil {
			r.Token = token.Reveal()
		}
	case "update":
		changes := apikey.Changes{Scopes: op.Scopes}
		if op.Label != "" {
			changes.Label = &op.Label
		}
		if op.Expires != 0 {
			changes.ExpiresAt = now.Add(op.Expires)
		}
		key, err = s.Update(ctx, ref, changes)
	case "revoke":
		key, err = s.Revoke(ctx, ref, op.Name)
	default:
		return fmt.Errorf("unknown kind %q", op.Kind)
	}
	if r.Outcome = outcome(err); err != nil {
		if r.Outcome == lost {
			r.Text = err.Error()
		}
		return nil
	}
	r.ID = cmp.Or(rec.ID, key.ID)
	switch op.Kind {
	case "create":
	case "look":
		r.View = View{rec.Label, rec.Scopes, rec.RevokedReason, rec.ExpiresAt.Sub(now), rec.Version}
	default:
		r.View = View{key.Label, strings.Join(key.Scopes(), " "), key.RevokedReason, key.ExpiresAt.Sub(now), 0}
	}
	return nil
}

// created returns the record that a create keeps.
func created(op Op) store.Record {
	rec := sample(0)
	rec.ID, rec.Hash, rec.Label = op.ID, store.Hash(op.Hash), op.Name
	rec.Scopes = strings.Join(granted, " ")
	rec.ExpiresAt = now.Add(life)
	return rec
}
