//go:build race

package dbtest

// raced says that the race detector runs, which makes SQLite, the one engine inside the process,
// some twenty times slower.
const raced = true
