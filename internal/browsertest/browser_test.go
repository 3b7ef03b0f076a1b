package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// patience bounds every wait for what is to happen, so that what never does fails and hangs nothing.
const patience = time.Minute

// required says that a test may not be skipped for want of a program.
var required = os.Getenv("LATCHKEY_REQUIRE_BROWSER") == "1"

func TestMain(m *testing.M) {
	code := m.Run()
	stopChromium()
	if err := stopService(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// stopChromium ends the browser, if one was started, and waits until it has let go of its files.
var stopChromium = func() {}

// lack skips a test for what the machine lacks, or fails it where nothing may be lacking.
func lack(t *testing.T, what string) {
	t.Helper()
	if required {
		require.Fail(t, what)
	}
	t.Skip(what)
}

// findChromium returns the path of the browser.
func findChromium() (string, bool) {
	if path := os.Getenv("LATCHKEY_CHROMIUM"); path != "" {
		return path, true
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, true
		}
	}
	return "", false
}

// startChromium starts the one browser of all tests and returns the context that tabs are opened from.
var startChromium = sync.OnceValues(func() (context.Context, error) {
	path, _ := findChromium()
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // which needs what a container doesn't grant; the pages are our own
		chromedp.Flag("disable-gpu", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-smooth-scrolling", true),
		chromedp.Flag("font-render-hinting", "none"),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.WSURLReadTimeout(patience),
	)...)
	ctx, _ := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		stop()
		return nil, fmt.Errorf("%s does not start: %w", path, err)
	}
	stopChromium = func() {
		bounded, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		chromedp.Cancel(bounded)
		stop()
	}
	return ctx, nil
})

// chromium returns the context that tabs are opened from.
func chromium(t *testing.T) context.Context {
	t.Helper()
	if _, found := findChromium(); !found {
		lack(t, "no Chromium: install Debian's chromium, or say in LATCHKEY_CHROMIUM where one is")
	}
	ctx, err := startChromium()
	require.NoError(t, err)
	return ctx
}
