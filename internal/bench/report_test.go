package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDuration(t *testing.T) {
	for ns, want := range map[float64]string{
		0.5: "0.50 ns", 7: "7.00 ns", 276.4: "276 ns", 999.4: "999 ns", 999.6: "1.00 µs", 1000: "1.00 µs",
		44_440: "44.4 µs", 99_960: "100 µs", 49e6: "49.0 ms", 2.5e9: "2.50 s", 3600e9: "3\u00a0600 s",
	} {
		require.Equal(t, want, duration(ns), ns)
	}
}

func TestDigits(t *testing.T) {
	for x, want := range map[float64]string{
		0: "0", 1: "1.00", 1.494: "1.49", 9.996: "10.0", 12.34: "12.3", 99.96: "100", 345_793.4: "345\u00a0793",
		0.5: "0.50", 0.0234: "0.023", 0.00234: "0.0023", -758: "-758", math.NaN(): "–", math.Inf(1): "–",
	} {
		require.Equal(t, want, digits(x), x)
	}
}

func TestCount(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1\u00a0000", 10_000_000: "10\u00a0000\u00a0000", -758: "-758", -1758: "-1\u00a0758"} {
		require.Equal(t, want, count(n))
	}
}

// sample is a report of invented figures.
func sample() *report {
	about := func(x float64) figure { return figure{x, x * 0.9, x * 1.1} }
	of := map[string]figure{"latchkey": about(15), "latchkey cached": about(17)}
	return &report{
		plan:    full,
		machine: "2 processors",
		engines: []engine{sqliteEngine},
		missing: []string{"PostgreSQL was left out: `X` named no server."},
		subjects: []compared{
			{name: "floor", where: inMemory, origin: originFloor, keys: issued, time: about(200), floor: figure{1, 1, 1}},
			{name: "latchkey", where: inMemory, origin: originOurs, keys: issued, time: about(300), floor: about(1.5), changes: &changed{about(310), about(1.03), about(5000)}, refusal: about(250), flooded: about(330), calm: about(1.1)},
			{name: "latchkey cached", where: inMemory, origin: originOurs, keys: issued, time: about(250), floor: about(1.2)},
			{name: "slow", where: inMemory, origin: originModule, keys: 20, time: about(5e7), floor: about(250_000), of: map[string]figure{"latchkey": about(166_666), "latchkey cached": about(200_000)}, does: "a lot", source: "example 1.2.3"},
			{name: "R & D <5", where: "SQLite", origin: originRecreated, keys: issued, time: about(5000), floor: about(25), of: of},
		},
		weights: []weight{{"latchkey, memstore", 1_000_000, 758.6, true}},
		scaled: []scaled{
			{name: "latchkey", where: inMemory, keys: 1000, goroutines: 2, time: about(160), floor: about(1.5), alone: about(0.53)},
			{where: "SQLite", keys: 10_000_000, missing: "filling it took longer than 25m0s"},
		},
	}
}

func TestMarkdown(t *testing.T) {
	page := strings.ReplaceAll(string(sample().markdown()), "\u00a0", "_")
	requireTables(t, page)
	for _, want := range []string{
		"Written by `go run ./internal/bench`,",
		"- 2 processors.\n",
		"- PostgreSQL was left out: `X` named no server.\n",
		"| floor | floor | memory | 200 ns (180 ns to 220 ns) | 1.00 × (1.00 to 1.00) |",
		"| latchkey | latchkey | memory | 300 ns (270 ns to 330 ns) | 1.50 × (1.35 to 1.65) |",
		"| slow (20 keys) | module | memory | 50.0 ms (45.0 ms to 55.0 ms) |",
		"| peer | is | on | × latchkey | × latchkey cached |",
		"| slow (20 keys) | module | memory | 166_666 × (149_999 to 183_333) | 200_000 × (180_000 to 220_000) |",
		"| latchkey | memory | 310 ns (279 ns to 341 ns) | 1.03 × (0.93 to 1.13) | 5.00 µs |",
		"| latchkey | memory | 250 ns (225 ns to 275 ns) | 330 ns | 1.10 × (0.99 to 1.21) |",
		"| 1_000 | memory | latchkey | 2 | 160 ns (144 ns to 176 ns) | 1.50 × | 0.53 × |",
		"| 10_000_000 | SQLite | not measured: filling it took longer than 25m0s |",
		"| latchkey, memstore | 1_000_000 | 759 |",
		"| slow | module | a lot | example 1.2.3 |",
	} {
		require.Contains(t, page, want)
	}
	require.NotContains(t, page, "short run")
	short := sample()
	short.plan = quick
	require.Contains(t, string(short.markdown()), "`go run ./internal/bench -quick`")
	require.Contains(t, string(short.markdown()), "short run")
}

// TestChart reads the chart as a browser does: strictly. It holds the bars to the order and the lengths of
// the times.
func TestChart(t *testing.T) {
	svg, err := sample().chart()
	require.NoError(t, err)
	var texts []string
	var colours []string
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		seen := make(map[string]string)
		for _, a := range start.Attr {
			require.Empty(t, seen[a.Name.Local], "twice in one element")
			seen[a.Name.Local] = a.Value
		}
		switch start.Name.Local {
		case "text":
			width, err := strconv.ParseFloat(seen["textLength"], 64)
			require.NoError(t, err)
			require.Positive(t, width)
			require.Contains(t, seen["style"], "sans-serif")
			var text string
			require.NoError(t, d.DecodeElement(&text, &start))
			texts = append(texts, strings.TrimSpace(text))
		case "path":
			if _, colour, ok := strings.Cut(seen["style"], "fill:"); ok {
				colours = append(colours, colour)
			}
		}
	}
	require.Contains(t, colours[0], "#FFFFFF", "a ground that shows on dark pages")
	for _, label := range []string{"floor, memory", "R & D <5, SQLite", "200 ns", "50.0 ms", "100 ns", "1 µs", "floor", "latchkey", "module", "re-created"} {
		require.Contains(t, texts, label)
	}
	sorted := []string{"slow, memory", "R & D <5, SQLite", "latchkey, memory", "latchkey cached, memory", "floor, memory"}
	var order []string
	for _, text := range texts {
		for _, name := range sorted {
			if text == name {
				order = append(order, text)
			}
		}
	}
	require.Equal(t, sorted, order, "from the bottom up")
}

func TestTooLarge(t *testing.T) {
	weights := []weight{{"floor", 1000, 100, true}, {"store", 1000, 800, true}, {"cache", 1000, 5000, false}}
	require.Empty(t, tooLarge(1_000_000, weights, 1_300_000_000))
	require.Contains(t, tooLarge(1_000_000, weights, 1_100_000_000), "1\u00a0000\u00a0000 keys take 1.1 GiB of memory, of which 1.0 were free")
	require.Empty(t, tooLarge(1_000_000, weights, 0), "where nobody knows")
}

// TestPatience gives up on one table and goes on.
func TestPatience(t *testing.T) {
	p := tiny
	p.patience = time.Nanosecond
	rows, err := scaleEngine(t.Context(), p, sqliteEngine, 2*issued, discarded())
	require.NoError(t, err)
	require.Equal(t, []scaled{{where: "SQLite", keys: 2 * issued, missing: "filling it took longer than 1ns"}}, rows)
}

func TestRebind(t *testing.T) {
	require.Equal(t, "a = $1 AND b = $2", postgresEngine.rebind("a = ? AND b = ?"))
	require.Equal(t, "a = ? AND b = ?", sqliteEngine.rebind("a = ? AND b = ?"))
	require.Equal(t, "SELECT 1", postgresEngine.rebind("SELECT 1"))
}
