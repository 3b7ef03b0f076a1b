// Command bench measures latchkey beside the least that could do the same work, and beside its peers, in
// one binary and one run.
//
//	go run ./internal/bench           # all of it, on up to ten million keys
//	go run ./internal/bench -quick    # two minutes, on up to a hundred thousand keys
//
// Filling a database with ten million keys takes long. It is given 25 minutes on each, and the table says
// where that was not enough.
//
// It writes benchmarks.md and benchmarks.svg to docs, or to the folder of -docs. PostgreSQL and MySQL or
// MariaDB are measured where LATCHKEY_POSTGRES_DSN and LATCHKEY_MYSQL_DSN name a server, as compose.yaml
// says; what it makes there it drops, also when it is interrupted. Nothing is written then.
//
// The benchmarks of its tests are for work on one thing at a time:
//
//	go test -run '^$' -bench . ./internal/bench
//
// Each pair of them, BenchmarkX and BenchmarkFloorX, runs in one binary, so that their ratio holds on any
// machine. Absolute times are the machine's. Where a server has a part in it, BenchmarkRatioX lets the
// two take turns and reports how many floors one takes. The first on each kind of database fills a table
// with a million rows, or with -short ten thousand, which takes half a minute.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const usage = `Bench measures latchkey beside its peers, and writes benchmarks.md and benchmarks.svg. It takes long: a database is given
25 minutes to be filled with ten million keys. SQLite is in a temporary folder; PostgreSQL and MySQL or MariaDB are
measured where LATCHKEY_POSTGRES_DSN and LATCHKEY_MYSQL_DSN name a server.

`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second interrupt ends it at once
	err := run(ctx, os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil && ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "bench: interrupted, nothing is written:", err)
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stderr *os.File) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprint(stderr, usage)
		flags.PrintDefaults()
	}
	isQuick := flags.Bool("quick", false, "finish in two minutes: fewer turns, and no ten million keys")
	docs := flags.String("docs", "docs", "the `folder` that the table and the chart are written to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	// Before hours of measuring, not after them.
	if info, err := os.Stat(*docs); err != nil {
		return fmt.Errorf("-docs: %w", err)
	} else if !info.IsDir() {
		return fmt.Errorf("-docs: %s is not a folder", *docs)
	}
	p := full
	if *isQuick {
		p = quick
	}
	r, err := measure(ctx, p, newProgress(stderr))
	if err != nil {
		return err
	}
	return r.publish(*docs, newProgress(stderr))
}

// measure measures everything.
func measure(ctx context.Context, p plan, show progress) (r report, err error) {
	r.plan, r.machine = p, machine()
	if r.engines, r.missing, err = reachable(ctx); err != nil {
		return r, err
	}
	if r.subjects, err = compare(ctx, p, r.engines, show); err != nil {
		return r, err
	}
	tick, end := show.step(p.memoryKeys, "Weighing %s keys", count(p.memoryKeys))
	r.weights, err = weigh(ctx, p.memoryKeys, tick)
	end()
	if err != nil {
		return r, err
	}
	r.scaled, err = scale(ctx, p, r.engines, r.weights, show)
	return r, err
}

// A plan says how much is measured.
type plan struct {
	name        string
	passes      int           // of each contest
	rounds      int           // of a pass, when all subjects take turns
	scaleRounds int           // of a pass, when those of one store do
	turn        time.Duration // of each entrant in a round

	changeEvery int // verifications there are to a change of a key

	sizes      []int // how many keys there are, in turn; the first is that of the comparison with peers
	goroutines []int

	hashedKeys int // of a peer to which making a key takes milliseconds
	slowKeys   int // tens of milliseconds

	memoryKeys int           // of what is weighed
	patience   time.Duration // with the filling of one table
}

// full is what is published.
var full = plan{
	name:        "full",
	passes:      6,
	rounds:      20,
	scaleRounds: 20,
	turn:        10 * time.Millisecond,
	changeEvery: 100,
	sizes:       []int{1000, 100_000, 10_000_000},
	goroutines:  []int{1, 2, 8, 32},
	hashedKeys:  1000,
	slowKeys:    20,
	memoryKeys:  1_000_000,
	patience:    25 * time.Minute,
}

// quick finishes in two minutes.
var quick = plan{
	name:        "quick",
	passes:      6,
	rounds:      1,
	scaleRounds: 5,
	turn:        2 * time.Millisecond,
	changeEvery: 100,
	sizes:       []int{1000, 100_000},
	goroutines:  []int{1, 2, 8, 32},
	hashedKeys:  100,
	slowKeys:    3,
	memoryKeys:  100_000,
	patience:    30 * time.Second,
}
