// Package bench measures latchkey beside the least that could do the same work.
//
// Each pair of benchmarks, BenchmarkX and BenchmarkFloorX, runs in one binary, so that their ratio
// holds on any machine. Absolute times are the machine's.
package bench
