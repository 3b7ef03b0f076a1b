// Command fleet measures what many instances with a cache ask of one PostgreSQL, beside what the formulas
// of docs/scaling.md say, and writes both to docs/fleet.md.
//
//	go run ./internal/bench/fleet          # about five minutes
//	go run ./internal/bench/fleet -quick   # less than a minute, and says so
//
// LATCHKEY_POSTGRES_DSN names the PostgreSQL server, as compose.yaml says.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	if len(os.Args) == 2 && os.Args[1] == "instance" {
		err = instance(os.Stdin, os.Stdout)
	} else {
		err = run(ctx, os.Args[1:], os.Stderr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

// A setting is one fleet under one load. Rates are per second.
type setting struct {
	Instances int
	Keys      int
	Rate      float64 // of each key at each instance
	Changes   float64 // of each key
	MaxAge    time.Duration
	PollEvery time.Duration
	Measured  time.Duration // after everything has been remembered once
}

// settings are the fleets that are measured.
func settings(quick bool) (all []setting) {
	instances, keys, measured := 20, 200, 30*time.Second
	if quick {
		instances, keys, measured = 5, 100, 4*time.Second
	}
	for _, maxAge := range []time.Duration{2 * time.Second, 10 * time.Second} {
		for _, rate := range []float64{0.02, 0.2, 1} {
			all = append(all, setting{instances, keys, rate, 0, maxAge, time.Second, measured})
		}
		all = append(all, setting{instances, keys, 1, 0.1, maxAge, time.Second, measured})
		if quick {
			break
		}
	}
	return all
}

func run(ctx context.Context, args []string, progress io.Writer) error {
	flags := flag.NewFlagSet("fleet", flag.ContinueOnError)
	flags.SetOutput(progress)
	quick := flags.Bool("quick", false, "take a minute, for figures that are good for nothing but a look")
	out := flags.String("out", "docs/fleet.md", "the `file` to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var rows []row
	for i, s := range settings(*quick) {
		fmt.Fprintf(progress, "%d of %d: %d instances, %d keys, each used %v and changed %v times a second, MaxAge %s\n",
			i+1, len(settings(*quick)), s.Instances, s.Keys, s.Rate, s.Changes, s.MaxAge)
		found, err := measure(ctx, s)
		if err != nil {
			return err
		}
		rows = append(rows, row{s, found})
	}
	var page bytes.Buffer
	write(&page, rows, *quick)
	return os.WriteFile(*out, page.Bytes(), 0o644)
}
