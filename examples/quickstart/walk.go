package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

const owner = "user_42"

// A counter counts what the store is asked for.
type counter struct {
	store.Store
	gets atomic.Int64
}

func (c *counter) Get(ctx context.Context, id string) (store.Record, error) {
	c.gets.Add(1)
	return c.Store.Get(ctx, id)
}

// A walk takes a key through its life and says what happens.
type walk struct {
	out   io.Writer
	keys  *apikey.Service
	reads *counter
	url   string
	db    string
}

func (w *walk) walk(ctx context.Context) error {
	w.say("An owner has keys. A key's token is shown once; %s keeps only its hash.\n", w.db)
	token, key, err := w.keys.Issue(ctx, apikey.Request{
		Owner:     owner,
		Label:     "HR reminders",
		Scopes:    []string{"email:send"},
		Contacts:  []string{"hr@agency.gov.sg"},
		ExpiresIn: 90 * 24 * time.Hour,
	})
	if err != nil {
		return err
	}
	plain := token.Reveal()
	w.say("issued   %s", plain)
	w.say("         id %s, for %s, may %s, expires %s", key.ID, key.Owner, strings.Join(key.Scopes(), " "), key.ExpiresAt.Format(time.DateOnly))
	w.say("         the same token in a log: %v\n", token)

	typo := plain[:len(plain)-1] + "x"
	if typo == plain {
		typo = plain[:len(plain)-1] + "y"
	}
	for _, step := range []struct {
		what, method, path, token string
		status                    int
		reads                     int64
	}{
		{"with the token", "GET", "/whoami", plain, 200, 1},
		{"with a scope it has", "POST", "/emails", plain, 200, 1},
		{"without its scope", "GET", "/emails", plain, 403, 1},
		{"with a typo", "GET", "/whoami", typo, 401, 0},
		{"without a token", "GET", "/whoami", "", 401, 0},
	} {
		if err := w.call(ctx, step.what, step.method, step.path, step.token, step.status, step.reads); err != nil {
			return err
		}
	}

	w.say("\nThe owner sees its keys, newest first, and never a token again:")
	found := false
	for k, err := range w.keys.All(ctx, owner) {
		if err != nil {
			return err
		}
		found = found || k.ID == key.ID
		w.say("listed   …%s  %-14s %-8s expires %s", k.Hint, k.Label, k.State(time.Now()), k.ExpiresAt.Format(time.DateOnly))
	}
	if !found {
		return errors.New("the key is not in its owner's list")
	}

	if _, err := w.keys.Revoke(ctx, apikey.Ref{Owner: "somebody else", ID: key.ID}, ""); !errors.Is(err, apikey.ErrNotFound) {
		return fmt.Errorf("somebody else's revocation ended with: %v", err)
	}
	w.say("\nSomebody else can't revoke it: for them it is not found. Its owner can, as of now:")
	revoked, err := w.keys.Revoke(ctx, apikey.Ref{Owner: owner, ID: key.ID}, "the walk is over")
	if err != nil {
		return err
	}
	w.say("revoked  …%s  %q", revoked.Hint, revoked.RevokedReason)
	if err := w.call(ctx, "with the token", "GET", "/whoami", plain, 401, 1); err != nil {
		return err
	}
	w.say("\nThat is all of it.")
	return nil
}

// call makes a request and expects the status, and the store to be read so many times.
func (w *walk) call(ctx context.Context, what, method, path, token string, status int, reads int64) error {
	req, err := http.NewRequestWithContext(ctx, method, w.url+path, nil)
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	before := w.reads.gets.Load()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	n := w.reads.gets.Load() - before
	told := strings.TrimSpace(string(body))
	if challenge := res.Header.Get("WWW-Authenticate"); challenge != "" {
		told = challenge
	}
	w.say("%-4s %-8s %-20s %d  store reads: %d  %s", method, path, what, res.StatusCode, n, told)
	if res.StatusCode != status || n != reads {
		return fmt.Errorf("%s %s %s: got status %d and %d store reads, want %d and %d", method, path, what, res.StatusCode, n, status, reads)
	}
	return nil
}

// invite issues a key to play with and says how.
func (w *walk) invite(ctx context.Context) error {
	token, key, err := w.keys.Issue(ctx, apikey.Request{
		Owner: owner, Label: "curl", Scopes: []string{"email:send"}, ExpiresIn: time.Hour,
	})
	if err != nil {
		return err
	}
	w.say("\nServing on %s. Key %s is good for an hour; try:\n", w.url, key.ID)
	for _, line := range []string{
		"curl -i -H 'Authorization: Bearer %[2]s' %[1]s/whoami",
		"curl -i -H 'Authorization: Bearer %[2]s' -X POST %[1]s/emails",
		"curl -i -H 'Authorization: Bearer %[2]s' %[1]s/emails",
		"curl -i %[1]s/whoami",
	} {
		w.say(line, w.url, token.Reveal())
	}
	return nil
}

func (w *walk) say(format string, args ...any) {
	fmt.Fprintf(w.out, format+"\n", args...)
}
