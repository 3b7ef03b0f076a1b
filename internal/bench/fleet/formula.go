package main

import "math"

// jitter is the mean part of MaxAge that keycache keeps an answer for: between seven eighths and all of it.
const jitter = 15.0 / 16

// kept returns for how many seconds an instance keeps an answer on average: as long as MaxAge says, unless
// the key is changed before and the next poll finds that out.
func kept(s setting) float64 {
	age := jitter * s.MaxAge.Seconds()
	delay := min(s.PollEvery.Seconds()/2, age)
	if s.Changes == 0 {
		return age
	}
	return delay + (1-math.Exp(-s.Changes*(age-delay)))/s.Changes
}

// reads returns how many single reads a second the fleet asks of the database. An instance reads a key when
// it is used and nothing is kept of it, so once in the time that an answer is kept and the next use takes
// to come.
func reads(s setting) float64 {
	return float64(s.Instances*s.Keys) / (kept(s) + 1/s.Rate)
}

// polls returns how many polls a second the fleet asks of the database.
func polls(s setting) float64 { return float64(s.Instances) / s.PollEvery.Seconds() }
