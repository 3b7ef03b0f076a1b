package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A row is what was found of one server.
type row struct {
	name       string
	throughput []float64 // requests a second, by pass
	latency    []quantiles
	answers    int

	churn            quantiles
	churned, changes int
	wrong            mistakes
}

type report struct {
	plan plan
	rate int
	rows []*row
}

// quantiles are latencies that half, 99 in a hundred and 999 in a thousand of the answers did not exceed.
type quantiles struct{ p50, p99, p999 time.Duration }

func quantilesOf(answers []answer) quantiles {
	took := make([]time.Duration, len(answers))
	for i, a := range answers {
		took[i] = a.took
	}
	slices.Sort(took)
	at := func(permille int) time.Duration {
		if len(took) == 0 {
			return 0
		}
		return took[min(len(took)*permille/1000, len(took)-1)]
	}
	return quantiles{at(500), at(990), at(999)}
}

// slowest returns the throughput of the slowest server.
func (r *report) slowest() float64 {
	var all []float64
	for _, row := range r.rows {
		all = append(all, median(row.throughput))
	}
	return slices.Min(all)
}

func (r *report) wrong() (n int) {
	for _, row := range r.rows {
		n += row.wrong.sum()
	}
	return n
}

// ratio returns the median of the ratios of a server's throughput to the bare one's in the same pass.
func (r *report) ratio(row *row) float64 {
	var ratios []float64
	for i, n := range row.throughput {
		ratios = append(ratios, n/r.rows[0].throughput[i])
	}
	return median(ratios)
}

// added returns the median, over the passes, of what a server takes longer than the bare one.
func (r *report) added(row *row, quantile func(quantiles) time.Duration) time.Duration {
	var all []time.Duration
	for i, q := range row.latency {
		all = append(all, quantile(q)-quantile(r.rows[0].latency[i]))
	}
	return median(all)
}

func median[T float64 | time.Duration](all []T) T {
	sorted := slices.Sorted(slices.Values(all))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func (r *report) write(w io.Writer, quick bool) {
	fmt.Fprintln(w, "# End to end")
	fmt.Fprintln(w)
	if quick {
		fmt.Fprintln(w, "**Made with -quick: good for a look, and not to be quoted.**")
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "Written by `go run ./internal/bench/endtoend`, on %d cores, %s, %s/%s. Each server is a process of its own and has\n",
		runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(w, "%d keys. The load generator, vegeta, runs on the same cores. Servers take turns of %s; figures are medians of %d passes.\n\n",
		keyCount, r.plan.turn, r.plan.passes)
	fmt.Fprintf(w, "| server | requests a second, %d workers | ratio to bare | p50 added at %d/s | p99 added | p99.9 added |\n", r.plan.workers, r.rate)
	fmt.Fprintln(w, "|---|---|---|---|---|---|")
	for _, row := range r.rows {
		fmt.Fprintf(w, "| %s | %.0f | %.2f |", row.name, median(row.throughput), r.ratio(row))
		for _, quantile := range []func(quantiles) time.Duration{
			func(q quantiles) time.Duration { return q.p50 },
			func(q quantiles) time.Duration { return q.p99 },
			func(q quantiles) time.Duration { return q.p999 },
		} {
			if row.name == bare {
				var all []time.Duration
				for _, q := range row.latency {
					all = append(all, quantile(q))
				}
				fmt.Fprintf(w, " (%s) |", micro(median(all)))
				continue
			}
			fmt.Fprintf(w, " %s |", micro(r.added(row, quantile)))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "\nIn brackets: what the bare handler takes by itself.\n\n## While keys change\n\n")
	fmt.Fprintf(w, "Every second, %d of the keys end: each other one is revoked, and those between get a new token and lose the old one at once.\n", changesPerSecond)
	fmt.Fprint(w, "One request in ten sends a token that has ended. An answer is wrong if a token is let in after its end was acknowledged, or\n"+
		"refused before its end was asked for; all answers of the runs above are judged so as well.\n\n")
	fmt.Fprintln(w, "| server | changes | answers | wrongly allowed | wrongly refused | failed | p50 | p99 | p99.9 |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|")
	for _, row := range r.rows {
		var q []string
		for _, d := range []time.Duration{row.churn.p50, row.churn.p99, row.churn.p999} {
			q = append(q, micro(d))
		}
		if row.name == bare {
			q = []string{"", "", ""}
		}
		fmt.Fprintf(w, "| %s | %d | %d | %d | %d | %d | %s |\n", row.name, row.changes, row.answers+row.churned,
			row.wrong.allowed, row.wrong.refused, row.wrong.failed, strings.Join(q, " | "))
	}
}

func micro(d time.Duration) string {
	return fmt.Sprintf("%.0f µs", float64(d)/float64(time.Microsecond))
}
