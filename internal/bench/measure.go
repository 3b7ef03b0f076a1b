package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"time"
)

// An entrant takes turns with others, in which its work does something n times.
type entrant struct {
	name string
	work func(ctx context.Context, n int) (turn, error)
}

// A turn is what was measured in one: how long it took without what it needed first, and how many
// nanoseconds an operation took, in each phase there was.
type turn struct {
	took   time.Duration
	phases []float64
}

// times are what entrants took: by entrant, phase, pass and round.
type times [][][][]float64

// A figure is the median of passes, with the lowest and the highest of them.
type figure struct{ median, low, high float64 }

// compete lets entrants take turns of a few milliseconds. On a machine that does other work as well,
// which comes and goes by the second, neighbours in time are the only ones to compare.
func compete(ctx context.Context, entrants []entrant, p plan, rounds int, collect bool, tick func()) (times, error) {
	sizes := make([]int, len(entrants))
	for i, e := range entrants {
		var err error
		if sizes[i], err = size(ctx, e, p.turn); err != nil {
			return nil, err
		}
	}
	t := make(times, len(entrants))
	for pass := range p.passes {
		for round := range rounds {
			for k := range entrants {
				// Each has every other before it at times, and who comes last in one round is first in the next.
				i := (k + round) % len(entrants)
				if (pass+round)%2 == 1 {
					i = len(entrants) - 1 - i
				}
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				if collect {
					runtime.GC() // the garbage of one is not for the next to clear away
				}
				turn, err := entrants[i].work(ctx, sizes[i])
				if err != nil {
					return nil, fmt.Errorf("%s: %w", entrants[i].name, err)
				}
				t.note(i, pass, turn.phases)
				tick()
			}
		}
	}
	return t, nil
}

// note adds what a turn took.
func (t times) note(entrant, pass int, phases []float64) {
	for phase, ns := range phases {
		if len(t[entrant]) == phase {
			t[entrant] = append(t[entrant], nil)
		}
		passes := t[entrant][phase]
		if len(passes) == pass {
			passes = append(passes, nil)
		}
		passes[pass] = append(passes[pass], ns)
		t[entrant][phase] = passes
	}
}

// size returns how often an entrant works in a turn of about the given time. It goes by the shortest of
// three tries: one that was held up would leave the entrant with turns too short to mean anything.
func size(ctx context.Context, e entrant, long time.Duration) (int, error) {
	for n := 1; ; n *= 4 {
		took := time.Duration(math.MaxInt64)
		for range 3 {
			turn, err := e.work(ctx, n)
			if err = cmp.Or(err, ctx.Err()); err != nil {
				return 0, fmt.Errorf("%s: %w", e.name, err)
			}
			if took = min(took, turn.took); took > 50*long {
				break // nothing holds anybody up for so long
			}
		}
		if took >= long/3 {
			return max(1, int(float64(n)*float64(long)/float64(took))), nil
		}
	}
}

// time returns what an operation of a phase took.
func (t times) time(entrant, phase int) figure {
	var passes []float64
	for _, rounds := range t[entrant][phase] {
		passes = append(passes, median(rounds))
	}
	return summary(passes)
}

// ratio returns how many times as long as another's an operation took, by the rounds that both were in.
func (t times) ratio(entrant, phase, other, otherPhase int) figure {
	var passes []float64
	for pass, rounds := range t[entrant][phase] {
		var ratios []float64
		for round, ns := range rounds {
			ratios = append(ratios, ns/t[other][otherPhase][pass][round])
		}
		passes = append(passes, median(ratios))
	}
	return summary(passes)
}

func summary(passes []float64) figure {
	return figure{median(passes), slices.Min(passes), slices.Max(passes)}
}

// median returns the middle of some numbers, of two middles their mean, and NaN of none.
func median(of []float64) float64 {
	if len(of) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(of))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

var (
	errRefused  = errors.New("a good token was refused")
	errAccepted = errors.New("a token that opens nothing was accepted")
)

// A picker picks tokens at random, the same ones in the same order in each run.
type picker struct {
	tokens []string
	next   int
}

func newPicker(tokens []string, seed uint64) *picker {
	r := rand.New(rand.NewPCG(seed, 42))
	d := &picker{tokens: make([]string, 4096)}
	for i := range d.tokens {
		d.tokens[i] = tokens[r.IntN(len(tokens))]
	}
	return d
}

func (d *picker) token() string {
	d.next = (d.next + 1) % len(d.tokens)
	return d.tokens[d.next]
}

// accept has n tokens accepted and returns how long it took.
func accept(ctx context.Context, v verify, d *picker, n int) (time.Duration, error) {
	start := time.Now()
	for range n {
		ok, err := v(ctx, d.token())
		if err != nil {
			return 0, err
		}
		if !ok {
			return 0, errRefused
		}
	}
	return time.Since(start), nil
}

// together has n tokens accepted by each of several goroutines and returns how long it took them all.
func together(ctx context.Context, verifiers []verify, pickers []*picker, n int) (time.Duration, error) {
	var wg sync.WaitGroup
	errs := make([]error, len(verifiers))
	start := time.Now()
	for g, v := range verifiers {
		wg.Go(func() {
			_, errs[g] = accept(ctx, v, pickers[g], n)
		})
	}
	wg.Wait()
	return time.Since(start), errors.Join(errs...)
}
