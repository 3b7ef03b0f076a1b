package main

import (
	"context"
	"fmt"
	"time"
)

// garbagePerToken is how many tokens that open nothing there are to one that is good, in a flood.
const garbagePerToken = 10

func per(took time.Duration, n int) float64 { return float64(took.Nanoseconds()) / float64(n) }

// still verifies good tokens, and nothing else happens.
func (s *subject) still() entrant {
	v, d := s.verifier(), newPicker(s.tokens, 1)
	return entrant{s.title(), func(ctx context.Context, n int) (turn, error) {
		if err := s.ready(ctx, v, d, n); err != nil {
			return turn{}, err
		}
		took, err := accept(ctx, v, d, n)
		return turn{took, []float64{per(took, n)}}, err
	}}
}

// ready has a turn begin where many before it would have left off: whoever had the processor in between
// has driven this one's keys out of its caches.
func (s *subject) ready(ctx context.Context, v verify, d *picker, n int) error {
	if err := s.warm(ctx, v); err != nil {
		return err
	}
	_, err := accept(ctx, v, d, n/3)
	return err
}

// warm presents every token once where the first time reads a database, as others in between may have
// let time pass or changed a key.
func (s *subject) warm(ctx context.Context, v verify) error {
	if !s.warms {
		return nil
	}
	for _, token := range s.tokens {
		if _, err := v(ctx, token); err != nil {
			return err
		}
	}
	return nil
}

// changing changes a key before every so many verifications. The first phase is those, and the second
// the changes.
func (s *subject) changing(every int) entrant {
	v, d, of := s.verifier(), newPicker(s.tokens, 2), newPicker(s.tokens, 3)
	return entrant{s.title() + " while keys change", func(ctx context.Context, n int) (turn, error) {
		if err := s.ready(ctx, v, d, n*every); err != nil {
			return turn{}, err
		}
		var verifying, changing time.Duration
		for range n {
			start := time.Now()
			if err := s.change(ctx, of.token()); err != nil {
				return turn{}, err
			}
			changing += time.Since(start)
			took, err := accept(ctx, v, d, every)
			if err != nil {
				return turn{}, err
			}
			verifying += took
		}
		return turn{verifying + changing, []float64{per(verifying, n*every), per(changing, n)}}, nil
	}}
}

// flood has ten tokens refused for each that is accepted. The first phase is the good ones, and the
// second the garbage.
func (s *subject) flood() entrant {
	v, d := s.verifier(), newPicker(s.tokens, 4)
	return entrant{s.title() + " in a flood", func(ctx context.Context, n int) (turn, error) {
		garbage := make([]string, n)
		for i := range garbage {
			garbage[i] = s.garbage() // each is new: nobody who floods sends the same again
		}
		if err := s.ready(ctx, v, d, n); err != nil {
			return turn{}, err
		}
		var refusing, accepting time.Duration
		good := 0
		for done := 0; done < n; {
			// A hundred at a time, as good tokens come in between and not after.
			some := garbage[done:min(done+100, n)]
			start := time.Now()
			for _, token := range some {
				ok, err := v(ctx, token)
				if err != nil {
					return turn{}, err
				}
				if ok {
					return turn{}, errAccepted
				}
			}
			refusing += time.Since(start)
			done += len(some)
			more := max(1, len(some)/garbagePerToken)
			took, err := accept(ctx, v, d, more)
			if err != nil {
				return turn{}, err
			}
			accepting += took
			good += more
		}
		return turn{refusing + accepting, []float64{per(accepting, good), per(refusing, n)}}, nil
	}}
}

// parallel verifies good tokens by several goroutines. A verification is one of all theirs: what they do
// at once counts once.
func (s *subject) parallel(goroutines int) entrant {
	verifiers := make([]verify, goroutines)
	pickers := make([]*picker, goroutines)
	for g := range goroutines {
		verifiers[g], pickers[g] = s.verifier(), newPicker(s.tokens, uint64(10+g))
	}
	return entrant{fmt.Sprintf("%s by %d", s.title(), goroutines), func(ctx context.Context, n int) (turn, error) {
		if err := s.warm(ctx, verifiers[0]); err != nil {
			return turn{}, err
		}
		if _, err := together(ctx, verifiers, pickers, (n+2)/3); err != nil { // which opens the connections, too
			return turn{}, err
		}
		took, err := together(ctx, verifiers, pickers, n)
		return turn{took, []float64{per(took, n*goroutines)}}, err
	}}
}
