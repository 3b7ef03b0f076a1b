package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// An origin says whose work a subject is.
type origin int

const (
	originFloor     origin = iota
	originOurs             // latchkey
	originModule           // a peer, by its public module
	originRecreated        // what a peer is published to do, in our own words
)

func (o origin) String() string {
	return [...]string{"floor", "latchkey", "module", "re-created"}[o]
}

// inMemory is where a subject is that has no database.
const inMemory = "memory"

// verify reports whether a token opens a key. The error says that nobody could tell.
type verify func(ctx context.Context, token string) (accepted bool, err error)

// A subject is one way to verify tokens, with keys of its own.
type subject struct {
	name   string
	origin origin
	where  string // inMemory, or the name of an engine
	does   string // for each verification
	source string // and version, of a peer

	tokens   []string                  // that open a key
	verifier func() verify             // one for each goroutine
	wrong    func(token string) string // a token of the same key with another secret; nil: nobody looks
	garbage  func() string             // a token of the right form that opens nothing

	// change changes the label of the key of a token; nil where there is nothing to change.
	change func(ctx context.Context, token string) error

	// warms says that the first use of a key is slower than the next.
	warms bool

	close func() error
}

// title names a subject among all.
func (s *subject) title() string { return s.name + ", " + s.where }

// check makes sure that a subject does what it is measured at: it accepts good tokens, also after a
// change, and refuses what opens nothing.
func (s *subject) check(ctx context.Context) error {
	v := s.verifier()
	for _, token := range []string{s.tokens[0], s.tokens[len(s.tokens)/2], s.tokens[len(s.tokens)-1]} {
		if err := s.expect(ctx, v, token, true, "a good token"); err != nil {
			return err
		}
		if s.change != nil {
			if err := s.change(ctx, token); err != nil {
				return fmt.Errorf("%s: a change: %w", s.title(), err)
			}
			if err := s.expect(ctx, v, token, true, "a good token after a change"); err != nil {
				return err
			}
		}
		if s.wrong != nil {
			if err := s.expect(ctx, v, s.wrong(token), false, "another secret"); err != nil {
				return err
			}
		}
		if err := s.expect(ctx, v, s.garbage(), false, "garbage"); err != nil {
			return err
		}
	}
	return nil
}

func (s *subject) expect(ctx context.Context, v verify, token string, want bool, what string) error {
	got, err := v(ctx, token)
	if err != nil {
		return fmt.Errorf("%s: %s: %w", s.title(), what, err)
	}
	if got != want {
		return fmt.Errorf("%s: %s: accepted is %t", s.title(), what, got)
	}
	return nil
}

// flip changes a character of a token near its end, where every character counts.
func flip(token string) string {
	b := []byte(token)
	at := len(b) - 6
	if b[at] == 'a' {
		b[at] = 'b'
	} else {
		b[at] = 'a'
	}
	return string(b)
}

// closeAll closes subjects, the last one first, and returns every error.
func closeAll(subjects []*subject) error {
	var errs []error
	for _, s := range slices.Backward(subjects) {
		if s.close != nil {
			errs = append(errs, s.close())
		}
	}
	return errors.Join(errs...)
}
