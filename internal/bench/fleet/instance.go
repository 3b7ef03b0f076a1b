package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/keycache"
	"github.com/opengovsg/latchkey/sqlstore"
	"github.com/opengovsg/latchkey/store"
)

// An order is what an instance is to do.
type order struct {
	setting
	DSN    string
	Tokens []string
}

// A finding is what came of it, in all or for one instance.
type finding struct {
	Verified, Refused int64
	Gets, Lists       int64
}

func (f *finding) add(g finding) {
	f.Verified += g.Verified
	f.Refused += g.Refused
	f.Gets += g.Gets
	f.Lists += g.Lists
}

// counted counts what is asked of a store.
type counted struct {
	store.Store
	gets, lists atomic.Int64
}

func (c *counted) Get(ctx context.Context, id string) (store.Record, error) {
	c.gets.Add(1)
	return c.Store.Get(ctx, id)
}

func (c *counted) List(ctx context.Context, q store.Query) ([]store.Record, error) {
	c.lists.Add(1)
	return c.Store.List(ctx, q)
}

// instance is the process of one instance.
func instance(in io.Reader, out io.Writer) error {
	signal.Ignore(os.Interrupt) // which a terminal sends to all: the one who started it ends it
	var o order
	decoder := json.NewDecoder(in)
	if err := decoder.Decode(&o); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		io.Copy(io.Discard, io.MultiReader(decoder.Buffered(), in))
		cancel()
	}()
	keys, st, closeDB, err := openKeys(o.DSN)
	if err != nil {
		return err
	}
	defer closeDB()
	cache, err := keycache.New(keys, keycache.Config{MaxAge: o.MaxAge, PollEvery: o.PollEvery})
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { cache.Run(ctx) })
	running.Go(func() { keys.Run(ctx) })

	var f finding
	if err := use(ctx, cache, o, o.MaxAge+time.Second, new(finding)); err != nil {
		return err
	}
	gets, lists := st.gets.Load(), st.lists.Load()
	if err := use(ctx, cache, o, o.Measured, &f); err != nil {
		return err
	}
	f.Gets, f.Lists = st.gets.Load()-gets, st.lists.Load()-lists
	return json.NewEncoder(out).Encode(f)
}

func openKeys(dsn string) (*apikey.Service, *counted, func() error, error) {
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return nil, nil, nil, errors.New("the data source name is none")
	}
	db.SetMaxOpenConns(2) // of a hundred that the server has, for all instances
	db.SetMaxIdleConns(2)
	st, err := sqlstore.New(db, sqlstore.Postgres, sqlstore.Config{})
	if err != nil {
		return nil, nil, nil, errors.Join(err, db.Close())
	}
	c := &counted{Store: st}
	keys, err := apikey.New(c, apikey.Config{Prefix: "fleet_live", MaxPerOwner: 1_000_000})
	if err != nil {
		return nil, nil, nil, errors.Join(err, db.Close())
	}
	return keys, c, db.Close, nil
}

// use verifies tokens for a while, as a Poisson process of the rate for each.
func use(ctx context.Context, v apikey.Verifier, o order, for_ time.Duration, f *finding) error {
	end := time.Now().Add(for_)
	perSecond := o.Rate * float64(len(o.Tokens))
	for next := time.Now(); ; {
		next = next.Add(time.Duration(rand.ExpFloat64() / perSecond * float64(time.Second)))
		if next.After(end) {
			next = end
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(next)):
		}
		if next == end {
			return nil
		}
		if _, err := v.Verify(ctx, o.Tokens[rand.IntN(len(o.Tokens))]); err == nil {
			f.Verified++
		} else {
			f.Refused++
		}
	}
}
