package main

import (
	"context"
	"errors"
	"slices"
)

// A compared subject is what one took, undisturbed, while keys change and in a flood of garbage, beside
// the floor of its store and beside latchkey there.
type compared struct {
	name, where, does, source string
	origin                    origin
	keys                      int // with tokens

	time, floor figure            // of a verification, and times the floor's
	of          map[string]figure // times that of latchkey, by variant; for peers

	changes                *changed
	refusal, flooded, calm figure // of garbage, of a good token among it, and that times an undisturbed one
}

// A changed subject is what verifications took while keys change, times an undisturbed one, and what a
// change took.
type changed struct{ time, calm, change figure }

// compare lets all subjects take turns on the smallest size.
func compare(ctx context.Context, p plan, engines []engine, show progress) (c []compared, err error) {
	tick, end := show.step(3+3*len(engines), "Preparing")
	subjects, err := prepare(ctx, p, engines, tick)
	end()
	defer func() { err = errors.Join(err, closeAll(subjects)) }()
	if err != nil {
		return nil, err
	}
	for _, s := range subjects {
		if err := s.check(ctx); err != nil {
			return nil, err
		}
	}
	show.line("%d subjects accept what is good and refuse the rest.", len(subjects))

	entrants, places := line(subjects, p.changeEvery)
	tick, end = show.step(p.passes*p.rounds*len(entrants), "Verifying by turns")
	t, err := compete(ctx, entrants, p, p.rounds, true, func() { tick(1) })
	end()
	if err != nil {
		return nil, err
	}
	for i, s := range subjects {
		c = append(c, s.compared(t, subjects, places, i))
		show.line("  %-40s %12s", s.title(), duration(c[i].time.median))
	}
	return c, nil
}

// prepare makes every subject. There may be some to close beside an error.
func prepare(ctx context.Context, p plan, engines []engine, tick func(n int)) (subjects []*subject, err error) {
	keys := p.sizes[0]
	groups := []func() ([]*subject, error){
		func() ([]*subject, error) { return memorySubjects(ctx, keys, true, func(int) {}) },
		func() ([]*subject, error) { return modulePeers(ctx, p) },
		func() ([]*subject, error) { return hashPeers(ctx, p) },
	}
	for _, e := range engines {
		groups = append(groups,
			func() ([]*subject, error) { return sqlSubjects(ctx, e, keys, true, nil) },
			func() ([]*subject, error) { return writingPeers(ctx, e) },
			func() ([]*subject, error) { return cachingPeers(ctx, e) },
		)
	}
	for _, group := range groups {
		made, err := group()
		subjects = append(subjects, made...)
		if err != nil {
			return subjects, err
		}
		tick(1)
	}
	return subjects, nil
}

// The places of a subject's entrants; -1 for none.
type place struct{ still, changing, flood int }

// line makes the entrants of subjects, and says which is whose.
func line(subjects []*subject, changeEvery int) (entrants []entrant, places []place) {
	add := func(e entrant) int {
		entrants = append(entrants, e)
		return len(entrants) - 1
	}
	for _, s := range subjects {
		at := place{still: add(s.still()), changing: -1}
		if s.change != nil {
			at.changing = add(s.changing(changeEvery))
		}
		at.flood = add(s.flood())
		places = append(places, at)
	}
	return entrants, places
}

// compared reads off what the i-th subject took.
func (s *subject) compared(t times, subjects []*subject, places []place, i int) compared {
	at := places[i]
	floor := slices.IndexFunc(subjects, func(other *subject) bool { return other.origin == originFloor && other.where == s.where })
	c := compared{
		name: s.name, where: s.where, does: s.does, source: s.source, origin: s.origin, keys: len(s.tokens),
		time:    t.time(at.still, 0),
		floor:   t.ratio(at.still, 0, places[floor].still, 0),
		flooded: t.time(at.flood, 0),
		calm:    t.ratio(at.flood, 0, at.still, 0),
		refusal: t.time(at.flood, 1),
	}
	if at.changing >= 0 {
		c.changes = &changed{t.time(at.changing, 0), t.ratio(at.changing, 0, at.still, 0), t.time(at.changing, 1)}
	}
	if s.origin == originModule || s.origin == originRecreated {
		c.of = make(map[string]figure)
		for k, other := range subjects {
			if other.origin == originOurs && other.where == s.where {
				c.of[other.name] = t.ratio(at.still, 0, places[k].still, 0)
			}
		}
	}
	return c
}
