package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/opengovsg/latchkey/apikey"
)

const (
	owner   = "user_42"
	workers = 4
	rounds  = 3
)

// A story rotates a key under load and says what happens.
type story struct {
	out      io.Writer
	set      setting
	keys     *apikey.Service
	lateUses <-chan apikey.Event
	url      string
}

func (s *story) tell(ctx context.Context) error {
	token, key, err := s.keys.Issue(ctx, apikey.Request{
		Owner: owner, Label: "nightly job", Scopes: []string{"token:rotate"}, ExpiresIn: 24 * time.Hour,
	})
	if err != nil {
		return err
	}
	s.say("issued   …%s  %q, expires %s", key.Hint, key.Label, key.ExpiresAt.Format(time.DateOnly))
	s.say("         %d clients call with it without a pause", workers)

	// The first request that fails ends everything, as the cause of the context's end.
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	c := newClient(s.url, token.Reveal())
	defer c.http.CloseIdleConnections()
	var (
		group sync.WaitGroup
		done  = make(chan struct{})
	)
	for range workers {
		group.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := c.call(ctx); err != nil {
					fail(err)
					return
				}
			}
		})
	}
	for range rounds {
		if err = s.rotate(ctx, c, key.ID); err != nil {
			fail(err)
			break
		}
	}
	close(done)
	group.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	s.say("\n%d rotations under %d requests, %d of them with an old token. None of these failed.", rounds, c.answered.Load(), c.byOld.Load())
	return nil
}

// rotate takes the clients from one token to the next.
func (s *story) rotate(ctx context.Context, c *client, id string) error {
	if err := c.more(ctx, 20); err != nil {
		return err
	}
	old, byOld := c.current(), c.byOld.Load()
	fresh, err := c.renew(ctx)
	if err != nil {
		return err
	}
	key, err := s.keys.Get(ctx, apikey.AnyOwner(id))
	if err != nil {
		return err
	}
	handover, rotated := key.Handover()
	if !rotated || !handover.Pending() {
		return fmt.Errorf("want a key whose new token nobody has used, not %+v", handover)
	}
	s.say("\nrotated  …%s  the next token is …%s; the key expires %s", handover.PriorHint, key.Hint, key.ExpiresAt.Format(time.DateOnly))

	// As long as nobody uses the new token nothing ends.
	if err := c.more(ctx, 20); err != nil {
		return err
	}
	if c.byOld.Load() == byOld {
		return fmt.Errorf("no request was served by the old token")
	}
	for _, step := range []struct{ token, want string }{{old, replaced}, {fresh, current}, {old, replaced}} {
		if err := s.expect(ctx, c, step.token, http.StatusOK, step.want); err != nil {
			return err
		}
	}
	s.say("both     …%s  and …%s are served, and the first use of the new one begins the grace", handover.PriorHint, key.Hint)

	c.use(fresh)
	if err := c.more(ctx, 20); err != nil {
		return err
	}
	// A database that was slow to note the first use is asked again a second later.
	for handover.Pending() {
		if err := pause(ctx); err != nil {
			return err
		}
		if key, err = s.keys.Get(ctx, apikey.AnyOwner(id)); err != nil {
			return err
		}
		handover, _ = key.Handover()
	}
	s.say("swapped  …%s  is what the clients send; …%s has %s from its first use", key.Hint, handover.PriorHint, handover.PriorExpiresAt.Sub(handover.ActivatedAt))

	if err := s.set.until(ctx, handover.PriorExpiresAt); err != nil {
		return err
	}
	if err := s.expect(ctx, c, old, http.StatusUnauthorized, ""); err != nil {
		return err
	}
	select {
	case e := <-s.lateUses:
		s.say("refused  …%s  with 401, and reported: %s of %q", handover.PriorHint, e.Kind, e.Key.Label)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// expect makes a request with the token and expects the status, and the body unless that is empty.
func (s *story) expect(ctx context.Context, c *client, token string, status int, body string) error {
	got, text, err := c.send(ctx, "GET", "/emails", token)
	if err != nil {
		return err
	}
	if got != status || body != "" && text != body {
		return fmt.Errorf("want %d %q, not %d %q", status, body, got, text)
	}
	return nil
}

func (s *story) say(format string, args ...any) {
	fmt.Fprintf(s.out, format+"\n", args...)
}
