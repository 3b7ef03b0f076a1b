package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// everyRows is how many rows lie between two lines of progress where there is no terminal.
const everyRows = 5_000

// A meter shows how far the import is: as a bar on a terminal, and as a line now and then in a log.
type meter struct {
	out      io.Writer
	terminal bool
	bar      *progressbar.ProgressBar // made when it is known how much there is to do
	told     int64
}

func newMeter(out io.Writer) *meter {
	file, ok := out.(*os.File)
	return &meter{out: out, terminal: ok && term.IsTerminal(int(file.Fd()))}
}

// set shows that so many rows of a total are done. There may be more by now than were counted.
func (m *meter) set(done, total int64) {
	total = max(done, total)
	switch {
	case m.terminal && m.bar == nil:
		m.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(m.out), progressbar.OptionSetDescription("importing"),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond))
	case !m.terminal && done/everyRows > m.told/everyRows:
		fmt.Fprintf(m.out, "%d of %d rows\n", done, total)
	}
	m.told = done
	if m.bar != nil {
		m.bar.ChangeMax64(total)
		m.bar.Set64(done)
	}
}

// end leaves the line of the bar.
func (m *meter) end() {
	if m.bar != nil {
		m.bar.Exit()
		fmt.Fprintln(m.out)
	}
}
