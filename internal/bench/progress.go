package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress tells whoever waits how far things are: with a bar on a terminal, in plain lines elsewhere.
type progress struct {
	out      io.Writer
	terminal bool
}

func newProgress(f *os.File) progress { return progress{f, term.IsTerminal(int(f.Fd()))} }

// line writes a line.
func (p progress) line(format string, args ...any) { fmt.Fprintf(p.out, format+"\n", args...) }

// step begins something that takes n ticks, which the first function counts. The second one ends it.
func (p progress) step(n int, format string, args ...any) (tick func(n int), end func()) {
	title := fmt.Sprintf(format, args...)
	if !p.terminal {
		start := time.Now()
		p.line("%s…", title)
		return func(int) {}, func() { p.line("%s: %s", title, time.Since(start).Round(100*time.Millisecond)) }
	}
	bar := progressbar.NewOptions(n,
		progressbar.OptionSetWriter(p.out),
		progressbar.OptionSetDescription(title),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionShowCount(),
		progressbar.OptionClearOnFinish(),
	)
	// What a bar can't draw is nothing to end a run for.
	return func(n int) { _ = bar.Add(n) }, func() { _ = bar.Finish() }
}
