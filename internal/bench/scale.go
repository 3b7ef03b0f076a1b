package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// A scaled subject is what a verification took with so many keys, by so many goroutines: the time that
// passed, divided by how many they made together.
type scaled struct {
	name, where      string
	keys, goroutines int
	time, floor      figure
	alone            figure // times that of one goroutine
	missing          string // why there is no figure
}

// scale measures latchkey and its floor on tables and maps of every size, by one goroutine and by several.
func scale(ctx context.Context, p plan, engines []engine, weights []weight, show progress) (all []scaled, err error) {
	for _, keys := range p.sizes {
		rows, err := scaleMemory(ctx, p, keys, weights, show)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
		for _, e := range engines {
			rows, err := scaleEngine(ctx, p, e, keys, show)
			if err != nil {
				return nil, err
			}
			all = append(all, rows...)
		}
	}
	return all, nil
}

func scaleMemory(ctx context.Context, p plan, keys int, weights []weight, show progress) (rows []scaled, err error) {
	if missing := tooLarge(keys, weights, available("MemAvailable")<<10); missing != "" {
		show.line("%s", missing)
		return []scaled{{where: inMemory, keys: keys, missing: missing}}, nil
	}
	// A heap of gigabytes may not double before it is looked through.
	defer debug.SetGCPercent(debug.SetGCPercent(25))
	tick, end := show.step(keys, "Issuing %s keys in memory", count(keys))
	subjects, err := memorySubjects(ctx, keys, false, tick)
	end()
	defer func() {
		err = errors.Join(err, closeAll(subjects))
		debug.FreeOSMemory() // to the databases
	}()
	if err != nil {
		return nil, err
	}
	return scaleSubjects(ctx, p, subjects, inMemory, keys, show)
}

// tooLarge says why so many keys don't fit into the memory that is free, and nothing where they do or
// nobody knows. A third is for what the collector has not collected.
func tooLarge(keys int, weights []weight, free int) string {
	need := 0.0
	for _, w := range weights {
		if w.resident {
			need += w.bytes * float64(keys) * 4 / 3
		}
	}
	if free == 0 || need < float64(free) {
		return ""
	}
	return fmt.Sprintf("%s keys take %.1f GiB of memory, of which %.1f were free", count(keys), need/(1<<30), float64(free)/(1<<30))
}

func scaleEngine(ctx context.Context, p plan, e engine, keys int, show progress) (rows []scaled, err error) {
	tick, end := show.step(keys, "Filling %s with %s keys", e.name, count(keys))
	patient, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	subjects, err := sqlSubjects(patient, e, keys, false, tick)
	end()
	defer func() { err = errors.Join(err, closeAll(subjects)) }()
	if err != nil && ctx.Err() == nil && patient.Err() != nil {
		missing := fmt.Sprintf("filling it took longer than %s", p.patience)
		show.line("%s", missing)
		return []scaled{{where: e.name, keys: keys, missing: missing}}, nil
	}
	if err != nil {
		return nil, err
	}
	return scaleSubjects(ctx, p, subjects, e.name, keys, show)
}

// scaleSubjects lets subjects of one store take turns, the first of which is the floor, by each number
// of goroutines.
func scaleSubjects(ctx context.Context, p plan, subjects []*subject, where string, keys int, show progress) (rows []scaled, err error) {
	var entrants []entrant
	for _, n := range p.goroutines {
		for _, s := range subjects {
			entrants = append(entrants, s.parallel(n))
		}
	}
	tick, end := show.step(p.passes*p.scaleRounds*len(entrants), "Verifying by turns, %s, %s keys", where, count(keys))
	t, err := compete(ctx, entrants, p, p.scaleRounds, keys <= 10_000, func() { tick(1) })
	end()
	if err != nil {
		return nil, err
	}
	for g, n := range p.goroutines {
		for i, s := range subjects {
			at := g*len(subjects) + i
			rows = append(rows, scaled{
				name: s.name, where: where, keys: keys, goroutines: n,
				time: t.time(at, 0), floor: t.ratio(at, 0, g*len(subjects), 0), alone: t.ratio(at, 0, i, 0),
			})
			show.line("  %-40s %12s", fmt.Sprintf("%s by %s", s.title(), plural(n, "goroutine")), duration(rows[len(rows)-1].time.median))
		}
	}
	return rows, nil
}
