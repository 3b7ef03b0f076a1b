package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/opengovsg/latchkey/sqlstore"
)

// markdown returns the page of all tables.
func (r *report) markdown() []byte {
	var b bytes.Buffer
	r.introduction(&b)
	r.verification(&b)
	r.peers(&b)
	r.changes(&b)
	r.floods(&b)
	r.scales(&b)
	r.memory(&b)
	r.sources(&b)
	return b.Bytes()
}

// row writes a row of a table.
func row(b *bytes.Buffer, cells ...string) {
	fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
}

// head writes the head of a table. All columns but so many at first are numbers.
func head(b *bytes.Buffer, names int, cells ...string) {
	row(b, cells...)
	for i := range cells {
		if i < names {
			b.WriteString("|---")
		} else {
			b.WriteString("|---:")
		}
	}
	b.WriteString("|\n")
}

func (r *report) introduction(b *bytes.Buffer) {
	command := "go run ./internal/bench"
	if r.plan.name != full.name {
		command += " -" + r.plan.name
	}
	fmt.Fprintf(b, "# Benchmarks\n\nWritten by `%s`, as all figures here are: run it again instead of editing them.\n", command)
	if r.plan.name == full.name {
		b.WriteString("[design.md](design.md#measured) says how the speed is made.\n\n")
	} else {
		b.WriteString("This was a short run, so expect its figures to move from run to run, some of them by half; without\n" +
			"the flag it takes longer, and goes up to ten million keys.\n\n")
	}
	fmt.Fprintf(b, "- %s.\n", r.machine)
	for _, e := range r.engines {
		settings := "with the settings it was found with, the same for all"
		if e.dialect == sqlstore.SQLite {
			settings = "in WAL mode with synchronous=FULL"
		}
		fmt.Fprintf(b, "- %s %s, %s, through %s.\n", e.name, e.release, settings, moduleVersion(e.module))
	}
	for _, m := range r.missing {
		fmt.Fprintf(b, "- %s\n", m)
	}
	fmt.Fprintf(b, `
A section is measured in %d passes of %s or more. In a round every subject has a turn of about %s,
in changing order. A time is the median of the passes' medians, with the lowest and the highest pass. A
ratio is made of turns of the same round, so that other work on the machine, which comes and goes, hits
both; then medians are taken as above. All are in one binary. A turn begins with a third as much that is not
measured, so that it finds its keys in the processor's caches however many others came in between.

Each subject presents good tokens at random, of %s keys where it says nothing else. Before it is measured,
each has shown that it accepts good tokens and refuses others. Caches know every good token when a turn
begins. Ours runs as in an application, with what writes last uses and asks for changes beside it.

`, r.plan.passes, plural(r.plan.rounds, "round"), duration(float64(r.plan.turn)), count(issued))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return count(n) + " " + what + "s"
}

// verification has every subject with its floor.
func (r *report) verification(b *bytes.Buffer) {
	fmt.Fprintf(b, "## Verification\n\nOne goroutine. The floor is the least that could do the work on the same store.\n\n![Time of one verification, on a logarithmic scale](benchmarks.svg)\n\n")
	head(b, 3, "subject", "is", "on", "one verification", "× floor")
	for _, s := range r.subjects {
		row(b, s.called(), s.origin.String(), s.where, spread(s.time), spreadRatio(s.floor))
	}
	b.WriteString("\n")
}

// called is a subject's name, with how many keys it has where those are fewer than others have.
func (s *compared) called() string {
	if s.keys < issued {
		return fmt.Sprintf("%s (%d keys)", s.name, s.keys)
	}
	return s.name
}

// peers has every peer with latchkey on the same store.
func (r *report) peers(b *bytes.Buffer) {
	b.WriteString("## Peers\n\nHow many times as long as latchkey each peer takes on the same store. Below 1 the peer is faster.\n\n")
	variants := r.variants()
	cells := []string{"peer", "is", "on"}
	for _, v := range variants {
		cells = append(cells, "× "+v)
	}
	head(b, 3, cells...)
	for _, s := range r.subjects {
		if s.of == nil {
			continue
		}
		cells := []string{s.called(), s.origin.String(), s.where}
		for _, v := range variants {
			if f, ok := s.of[v]; ok {
				cells = append(cells, spreadRatio(f))
			} else {
				cells = append(cells, "–")
			}
		}
		row(b, cells...)
	}
	b.WriteString("\n")
}

// variants are the names of what latchkey was measured as.
func (r *report) variants() (names []string) {
	seen := make(map[string]bool)
	for _, s := range r.subjects {
		if s.origin == originOurs && !seen[s.name] {
			seen[s.name] = true
			names = append(names, s.name)
		}
	}
	return names
}

func (r *report) changes(b *bytes.Buffer) {
	fmt.Fprintf(b, `## While keys change

A key, drawn at random, gets another label before every %d verifications. The change is not part of their
time, but what it does to a cache is. The ratio is to the same subject while nothing changes.

`, r.plan.changeEvery)
	head(b, 2, "subject", "on", "one verification", "× undisturbed", "the change itself")
	for _, s := range r.subjects {
		if s.changes != nil {
			row(b, s.called(), s.where, spread(s.changes.time), spreadRatio(s.changes.calm), duration(s.changes.change.median))
		}
	}
	b.WriteString("\n")
}

func (r *report) floods(b *bytes.Buffer) {
	fmt.Fprintf(b, `## In a flood of garbage

For each good token %d are presented that have the right form and open nothing, each of them once.
The ratio is of good tokens, to the same subject undisturbed.

`, garbagePerToken)
	head(b, 2, "subject", "on", "to refuse one", "to accept one meanwhile", "× undisturbed")
	for _, s := range r.subjects {
		row(b, s.called(), s.where, spread(s.refusal), duration(s.flooded.median), spreadRatio(s.calm))
	}
	b.WriteString("\n")
}

func (r *report) scales(b *bytes.Buffer) {
	b.WriteString(`## By keys and goroutines

The time that passed, divided by the verifications of all goroutines together: where reads scale on two
processors, two goroutines take half of one's. A thousand of the keys are in use.

`)
	head(b, 3, "keys", "on", "subject", "goroutines", "one verification", "× floor", "× one goroutine")
	for _, s := range r.scaled {
		if s.missing != "" {
			row(b, count(s.keys), s.where, "not measured: "+s.missing, "", "", "", "")
			continue
		}
		row(b, count(s.keys), s.where, s.name, fmt.Sprint(s.goroutines), spread(s.time), ratio(s.floor), ratio(s.alone))
	}
	b.WriteString("\n")
}

func (r *report) memory(b *bytes.Buffer) {
	b.WriteString("## Memory\n\nOf the heap, after a collection, with an owner for every fifty keys and a label and a contact for each.\n\n")
	head(b, 1, "what", "keys", "bytes a key")
	for _, w := range r.weights {
		row(b, w.name, count(w.keys), count(int(w.bytes+0.5)))
	}
	b.WriteString("\n")
}

// sources says what each subject does.
func (r *report) sources(b *bytes.Buffer) {
	b.WriteString(`## What was measured

"Module" is a peer's public module, called as its documentation says. "Re-created" is what a peer is
published to do for each verification, in our own words, since its module could not be had or brings a whole
server; where it stands for a database in memory, or prepares statements that the peer does not, that is
in the peer's favour.

`)
	head(b, 4, "subject", "is", "does", "source")
	seen := make(map[string]bool)
	for _, s := range r.subjects {
		if key := s.name + s.does; !seen[key] {
			seen[key] = true
			row(b, s.name, s.origin.String(), s.does, s.source)
		}
	}
}
