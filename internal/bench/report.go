package main

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
)

// A report is all that was measured.
type report struct {
	plan     plan
	machine  string
	engines  []engine
	missing  []string // what was left out, and why
	subjects []compared
	weights  []weight
	scaled   []scaled
}

// publish writes the table and the chart, both or neither, and each whole.
func (r *report) publish(docs string, show progress) (err error) {
	chart, err := r.chart()
	if err != nil {
		return err
	}
	files := []struct {
		name string
		text []byte
	}{{"benchmarks.md", r.markdown()}, {"benchmarks.svg", chart}}
	defer func() {
		for _, f := range files {
			if gone := os.Remove(filepath.Join(docs, f.name+".new")); !errors.Is(gone, os.ErrNotExist) {
				err = errors.Join(err, gone)
			}
		}
	}()
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(docs, f.name+".new"), f.text, 0o644); err != nil {
			return err
		}
	}
	for _, f := range files {
		if err := os.Rename(filepath.Join(docs, f.name+".new"), filepath.Join(docs, f.name)); err != nil {
			return err
		}
		show.line("Wrote %s", filepath.Join(docs, f.name))
	}
	return nil
}

// duration writes nanoseconds with three digits that count, in a unit that suits them.
func duration(ns float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
		if ns >= unit.size*0.9995 {
			return digits(ns/unit.size) + " " + unit.name
		}
	}
	return digits(ns) + " ns"
}

// digits writes a number with three digits that count, two of them below one, and never fewer than those
// before the point.
func digits(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "–"
	}
	if x == 0 {
		return "0"
	}
	decimals := 0
	for limit := 99.95; decimals < 5 && math.Abs(x) < limit && (decimals < 2 || math.Abs(x) < limit/10); limit /= 10 {
		decimals++
	}
	text := strconv.FormatFloat(x, 'f', decimals, 64)
	if decimals > 0 {
		return text
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return text // of more digits than anybody counts
	}
	return count(n)
}

// count writes a number with its thousands apart.
func count(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "\u00a0" + text[i:]
	}
	return text
}

// ratio writes how many times as long something takes.
func ratio(f figure) string { return digits(f.median) + " ×" }

// spread writes a time with the lowest and the highest pass.
func spread(f figure) string {
	return fmt.Sprintf("%s (%s to %s)", duration(f.median), duration(f.low), duration(f.high))
}

// spreadRatio writes a ratio with the lowest and the highest pass.
func spreadRatio(f figure) string {
	return fmt.Sprintf("%s (%s to %s)", ratio(f), digits(f.low), digits(f.high))
}

// moduleVersion returns a module's path and the version that is built in.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return path
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return path + " " + m.Version
		}
	}
	return path
}

// machine says what everything ran on.
func machine() string {
	cpu := field("/proc/cpuinfo", "model name")
	if cpu == "" {
		cpu = runtime.GOARCH
	}
	memory := ""
	if kb := available("MemTotal"); kb > 0 {
		memory = fmt.Sprintf(", %d GiB of memory", (kb+1<<19)>>20)
	}
	return fmt.Sprintf("%d processors of %s%s, %s, %s", runtime.NumCPU(), cpu, memory, runtime.GOOS, runtime.Version())
}

// available returns kibibytes by their name in /proc/meminfo, and 0 where there is none.
func available(name string) (kb int) {
	fmt.Sscanf(field("/proc/meminfo", name), "%d", &kb)
	return kb
}

// field returns the first value of a name in a file of lines "name : value".
func field(file, name string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
