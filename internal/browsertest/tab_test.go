package browsertest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// A tab is a window of a browser that has cookies and permissions of its own.
type tab struct {
	*testing.T
	ctx   context.Context
	site  *site
	seen  watch
	touch bool // whether it is used with fingers
}

// open opens a tab that nobody has used yet. At the end of the test nothing may have gone wrong in it,
// but for what the test has asked about.
func open(t *testing.T, s *site) *tab {
	t.Helper()
	b := &tab{T: t, site: s}
	b.seen.origin = s.url
	ctx, cancel := chromedp.NewContext(chromium(t), chromedp.WithNewBrowserContext(), chromedp.WithListener(b.seen.event))
	t.Cleanup(cancel)
	b.ctx = ctx
	require.NoError(t, chromedp.Do(ctx))
	b.seen.answer = func() {
		call(b, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{})
	}
	call(b, log.Enable, cdp.Empty{})
	call(b, audits.Enable, cdp.Empty{})
	call(b, network.Enable, network.EnableParams{})
	call(b, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	b.size(1280, 900)
	t.Cleanup(func() {
		if !t.Failed() {
			require.Empty(t, b.seen.troubles(), "the browser complains")
		}
	})
	return b
}

// call sends a command to the tab.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	r, err := chromedp.Run(ctx, func(ctx context.Context, t *chromedp.Target) (R, error) {
		return cdp.Call(ctx, t, command, params)
	})
	require.NoError(b, err, command.Method)
	return r
}

// eval returns what an expression is on the page.
func eval[T any](b *tab, expression string) T {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(b, err, "%.40s…", expression) // which may hold a token
	return v
}

// until waits for an expression to be true, on this page or on one that it leads to.
func (b *tab) until(what, expression string) {
	b.Helper()
	b.eventually(what, chromedp.Evaluate[bool](expression))
}

// eventually waits for an action to report true. A page that is being left has no answer, which is none
// yet.
func (b *tab) eventually(what string, action chromedp.Action[bool]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		done, err := chromedp.Run(ctx, action)
		if err == nil && done {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			require.NoError(b, errors.Join(errors.New("never: "+what+"; the page is "+b.excerpt()), err))
		}
	}
}

// excerpt is the page's main heading, for messages: the page may show a token, and a message must not.
func (b *tab) excerpt() string {
	ctx, cancel := context.WithTimeout(b.ctx, time.Second)
	defer cancel()
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector("h1")?.innerText ?? ""`))
	return text
}

// leads does what loads another page, and waits for that.
func (b *tab) leads(act func()) {
	b.Helper()
	eval[bool](b, `window.left = true`)
	act()
	b.until("another page", `!window.left && document.readyState === "complete"`)
}

// visit loads an address below the site.
func (b *tab) visit(path string) {
	b.Helper()
	r := call(b, page.Navigate, page.NavigateParams{URL: b.site.url + path})
	require.Empty(b, r.ErrorText, path)
	b.until("the page "+path, `location.href !== "about:blank" && !window.left && document.readyState === "complete"`)
}

// reload loads the page again, and sends a form again that it is the answer to.
func (b *tab) reload() {
	b.Helper()
	b.leads(func() { call(b, page.Reload, page.ReloadParams{}) })
}

// heading asserts the main heading of the page.
func (b *tab) heading(text string) {
	b.Helper()
	require.Equal(b, text, eval[string](b, `document.querySelector("h1").innerText`))
}

// says asserts what is shown. The page is not quoted, since it may hold a token.
func (b *tab) says(text string) {
	b.Helper()
	b.until("the words “"+text+"”", `document.body.innerText.includes(`+quote(text)+`)`)
}

// hides asserts what is neither shown nor anywhere else in the document.
func (b *tab) hides(what, text string) {
	b.Helper()
	require.False(b, eval[bool](b, `document.documentElement.outerHTML.includes(`+quote(text)+`)`), "the page must not have "+what)
}

// size sets the size of the page's part of the window, in CSS pixels.
func (b *tab) size(width, height int64) {
	b.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1})
}

// prefers sets a preference of the person, such as "prefers-color-scheme".
func (b *tab) prefers(feature, value string) {
	b.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: feature, Value: value}}})
}

// permit decides about a permission for this tab's person.
func (b *tab) permit(name string, setting browser.PermissionSetting) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	c := chromedp.FromContext(b.ctx)
	_, err := cdp.Call(ctx, c.Browser, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: name}, Setting: setting, Origin: b.site.url, BrowserContextID: c.BrowserContextID,
	})
	require.NoError(b, err)
}

// phone makes the tab as small as a phone, and a touch screen.
func (b *tab) phone() {
	b.Helper()
	b.touch = true
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 360, Height: 740, DeviceScaleFactor: 1, Mobile: true})
	call(b, emulation.SetTouchEmulationEnabled, emulation.SetTouchEmulationEnabledParams{Enabled: true})
}
