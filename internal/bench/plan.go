package main

import "time"

// A plan says how much is measured.
type plan struct {
	name        string
	passes      int           // of each contest
	rounds      int           // of a pass, when all subjects take turns
	scaleRounds int           // of a pass, when those of one store do
	turn        time.Duration // of each entrant in a round

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
	sizes:       []int{1000, 100_000},
	goroutines:  []int{1, 2, 8, 32},
	hashedKeys:  100,
	slowKeys:    3,
	memoryKeys:  100_000,
	patience:    30 * time.Second,
}
