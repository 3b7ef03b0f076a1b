// Package bench measures latchkey beside the least that could do the same work.
//
// Each pair of benchmarks, BenchmarkX and BenchmarkFloorX, runs in one binary, so that their ratio
// holds on any machine. Absolute times are the machine's. Where a server has a part in it,
// BenchmarkRatioX lets the two take turns and reports how many floors one takes.
//
// The benchmarks on PostgreSQL and MySQL need the servers of compose.yaml. The first on each kind of
// database fills a table with a million rows, or with -short ten thousand, which takes half a minute.
package bench
