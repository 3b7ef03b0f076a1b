package browsertest

import (
	"fmt"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
)

// A watch notes what goes wrong in a tab: what the console is told, what is thrown, a dialog, a
// violation of the page's policy, a request to somewhere else.
type watch struct {
	answer func() // to a dialog
	origin string // that all requests should go to

	mu    sync.Mutex
	noted []string
}

func (w *watch) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noted = append(w.noted, fmt.Sprintf(format, args...))
}

// event is told of all that happens in the tab.
func (w *watch) event(ev any) {
	switch ev := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		w.note("console: %s", ev.Type)
	case *runtime.EventExceptionThrown:
		w.note("exception: %s", ev.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		// The console is told of each refusal, and what a refused form is answered with is tested.
		if !strings.Contains(ev.Entry.Text, "the server responded with a status of 4") {
			w.note("log: %s %s", ev.Entry.Source, ev.Entry.Text)
		}
	case *audits.EventIssueAdded:
		w.note("issue: %s", ev.Issue.Code)
	case *page.EventJavascriptDialogOpening:
		w.note("dialog: %s", ev.Message)
		go w.answer()
	case *network.EventRequestWillBeSent:
		own := strings.HasPrefix(ev.DocumentURL, "chrome-error:") // what the browser shows in place of a page
		if !own && !strings.HasPrefix(ev.Request.URL, w.origin+"/") {
			w.note("request: %.100s", ev.Request.URL)
		}
	}
}

// troubles returns what was noted since it was last asked.
func (w *watch) troubles() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	noted := w.noted
	w.noted = nil
	return noted
}
