package browsertest

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestReload hides the token, and makes neither another key nor another token.
func TestReload(t *testing.T) {
	t.Parallel()
	b := open(t, newSite(t))
	b.signIn()
	token := b.generate("HR reminders", "hr@agency.gov.sg")
	for range 2 {
		b.reload() // as somebody does who says yes to sending the form again
		b.hides("the token", token)
		b.heading("Generate API key")
		b.says("A key with this label was generated just now")
	}
	b.follow("link", "Cancel")
	require.Equal(t, []string{"HR reminders"}, b.labels())
	b.works(token)

	b.follow("link", "HR reminders")
	b.follow("button", "Replace key")
	replaced := b.token()
	for range 2 {
		b.reload()
		b.hides("the token", replaced)
		b.heading("HR reminders")
		b.says("The key was replaced after you opened this page")
	}
	b.works(replaced)
	b.works(token)
}

// TestBack finds no token in the history, where the next person at the same desk would look.
func TestBack(t *testing.T) {
	t.Parallel()
	b := open(t, newSite(t))
	b.signIn()
	token := b.generate("HR reminders", "hr@agency.gov.sg")
	b.follow("link", "I have copied it")
	b.back()
	require.Equal(t, "chrome-error:", eval[string](b, `location.protocol`), "the browser has no copy, and asks whether to send the form again")
	b.hides("the token", token)
	b.reload() // which does
	b.hides("the token", token)
	b.says("A key with this label was generated just now")
}

// TestPressedTwice sends a form once, although its button is pressed again while the answer is on its way.
func TestPressedTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	target, err := url.Parse(s.url)
	require.NoError(t, err)
	var sent atomic.Int64
	arrived, let := make(chan struct{}), make(chan struct{})
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/settings/new" && r.Method == http.MethodPost {
			if sent.Add(1) == 1 {
				close(arrived)
			}
			select {
			case <-let:
			case <-r.Context().Done():
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(slow.Close)
	behind := *s.service
	behind.url = slow.URL
	s.service = &behind

	b := open(t, s)
	b.signIn()
	b.follow("link", "Generate API key")
	b.paste("Label", "HR reminders")
	b.paste("Contact e-mails", "hr@agency.gov.sg")
	b.leads(func() {
		x, y := b.place(dom.ScrollIntoViewIfNeededParams{BackendNodeID: b.find("button", "Generate API key")})
		for i := range 4 {
			// The page itself can't be asked anything while it is being left.
			require.NoError(t, chromedp.Do(b.ctx, chromedp.MouseClickXY(x, y)))
			if i == 0 {
				select {
				case <-arrived:
				case <-time.After(patience):
					require.Fail(t, "the form is not sent")
				}
			}
		}
		close(let)
	})
	b.heading("Your new API key")
	require.EqualValues(t, 1, sent.Load())
	b.works(b.token())
	b.visit(s.page)
	require.Equal(t, []string{"HR reminders"}, b.labels())
}
