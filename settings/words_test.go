package settings

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRelative(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                          "in less than a minute",
		-time.Second:               "just now",
		time.Minute:                "in 1 minute",
		-59 * time.Minute:          "59 minutes ago",
		time.Hour:                  "in 1 hour",
		2*day - 1:                  "in 47 hours",
		2 * day:                    "in 2 days",
		3*day - 1:                  "in 2 days",
		-59 * day:                  "59 days ago",
		60 * day:                   "in 2 months",
		180*day - time.Second:      "in 6 months",
		365 * day:                  "in 12 months",
		-3 * 366 * day:             "3 years ago",
		time.Duration(1<<63 - 1):   "in 292 years",
		-time.Duration(1<<63 - 1):  "292 years ago",
		7*day - 1:                  "in 6 days",
		7 * day:                    "in 7 days",
		30*day - time.Second:       "in 30 days",
		45*day + 13*time.Hour:      "in 46 days",
		-(time.Hour + time.Minute): "1 hour ago",
		25 * time.Hour:             "in 25 hours",
		-90 * time.Second:          "1 minute ago",
		700 * day:                  "in 23 months",
	} {
		require.Equal(t, want, relative(d), d)
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		day:              "24 hours",
		7 * day:          "7 days",
		time.Hour:        "1 hour",
		36 * time.Hour:   "36 hours",
		15 * time.Minute: "15 minutes",
		90 * time.Second: "1m30s",
	} {
		require.Equal(t, want, duration(d), d)
	}
}
