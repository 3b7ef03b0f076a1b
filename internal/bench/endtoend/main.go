// Command endtoend measures what a guard adds to a server: a real one, in a process of its own, over
// loopback, under a real load generator. It writes what it finds to docs/end-to-end.md.
//
//	go run ./internal/bench/endtoend          # about five minutes
//	go run ./internal/bench/endtoend -quick   # less than a minute, and says so
//
// LATCHKEY_POSTGRES_DSN names the PostgreSQL server, as compose.yaml says; without one, what needs it is
// left out.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/opengovsg/latchkey/internal/bench/scratch"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) == 3 && os.Args[1] == "serve" {
		if err := serve(os.Args[2], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "endtoend: serve:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "endtoend:", err)
		os.Exit(1)
	}
}

// A plan is how long everything takes.
type plan struct {
	passes  int
	turn    time.Duration // of one subject in a pass, under one kind of load
	churn   time.Duration // of one subject while its keys change
	workers uint64        // that send one request after another
}

func run(ctx context.Context, args []string, progress io.Writer) error {
	flags := flag.NewFlagSet("endtoend", flag.ContinueOnError)
	flags.SetOutput(progress)
	quick := flags.Bool("quick", false, "take a minute, for figures that are good for nothing but a look")
	out := flags.String("out", "docs/end-to-end.md", "the `file` to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	p := plan{passes: 6, turn: 4 * time.Second, churn: 20 * time.Second, workers: 16}
	if *quick {
		p = plan{passes: 2, turn: time.Second, churn: 3 * time.Second, workers: 16}
	}
	r, err := measure(ctx, p, subjects(), progress)
	if err != nil {
		return err
	}
	var page bytes.Buffer
	r.write(&page, *quick)
	if err := os.WriteFile(*out, page.Bytes(), 0o644); err != nil {
		return err
	}
	if r.wrong() > 0 {
		return errors.New("some answers were wrong; see " + *out)
	}
	return nil
}

// subjects returns the names of the servers that can be measured here, the bare one first.
func subjects() []string {
	names := []string{bare, memory}
	if os.Getenv(scratch.PostgresVariable) != "" {
		names = append(names, postgres, cached)
	}
	return names
}

// measure lets the servers take turns, and then changes the keys of each under load.
func measure(ctx context.Context, p plan, names []string, progress io.Writer) (*report, error) {
	r := &report{plan: p}
	var servers []*server
	defer func() {
		for _, s := range servers {
			s.stop()
		}
	}()
	for _, name := range names {
		s, err := start(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		servers = append(servers, s)
		r.rows = append(r.rows, &row{name: name})
	}
	turn := func(i, pass int, kind string, rate int) ([]answer, error) {
		fmt.Fprintf(progress, "pass %d of %d: %s, %s\n", pass+1, p.passes, servers[i].name, kind)
		answers := load(ctx, servers[i], rate, p.workers, p.turn)
		r.rows[i].answers += len(answers)
		r.rows[i].wrong.add(judge(answers))
		return answers, ctx.Err()
	}
	for pass := range p.passes {
		for i := range servers {
			answers, err := turn(i, pass, "as fast as it goes", 0)
			if err != nil {
				return nil, err
			}
			r.rows[i].throughput = append(r.rows[i].throughput, float64(len(answers))/p.turn.Seconds())
		}
	}
	// The rate is the same for all, or their latencies could not be compared: a third of what the slowest
	// can do.
	r.rate = int(r.slowest() / 3)
	for pass := range p.passes {
		for i := range servers {
			answers, err := turn(i, pass, fmt.Sprintf("%d requests a second", r.rate), r.rate)
			if err != nil {
				return nil, err
			}
			r.rows[i].latency = append(r.rows[i].latency, quantilesOf(answers))
		}
	}
	for i, s := range servers {
		if s.name == bare {
			continue
		}
		fmt.Fprintf(progress, "%s, while keys are revoked and rotated\n", s.name)
		answers, changes, err := churn(ctx, s, r.rate, p.workers, p.churn)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		r.rows[i].churned, r.rows[i].changes = len(answers), changes
		r.rows[i].churn = quantilesOf(answers)
		r.rows[i].wrong.add(judge(answers))
	}
	return r, ctx.Err()
}
