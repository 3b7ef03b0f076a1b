package browsertest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/stretchr/testify/require"
)

// axe returns the rules of axe-core as a script.
func axe(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if os.IsNotExist(err) {
		lack(t, "no axe-core: run npm ci in internal/browsertest")
	}
	require.NoError(t, err)
	return string(script)
}

// findings returns what axe-core finds, of any weight, best practices included, and what it leaves for
// people to decide. It runs in a world of its own, which the page's policy, and the
// page, know nothing of.
func (b *tab) findings(script string) []string {
	b.Helper()
	tree := call(b, page.GetFrameTree, cdp.Empty{})
	world := call(b, page.CreateIsolatedWorld, page.CreateIsolatedWorldParams{FrameID: tree.FrameTree.Frame.ID, WorldName: "axe"})
	run := func(expression string) []byte {
		yes := true
		r := call(b, runtime.Evaluate, runtime.EvaluateParams{Expression: expression, ContextID: world.ExecutionContextID, AwaitPromise: &yes, ReturnByValue: &yes})
		require.Nil(b, r.ExceptionDetails)
		return r.Result.Value
	}
	if string(run(`typeof axe`)) == `"undefined"` { // on this page
		run(script + "\n;true")
	}
	var result struct {
		Violations, Incomplete []struct {
			ID, Impact string
			Nodes      []struct {
				HTML           string
				FailureSummary string
			}
		}
		Passes int
	}
	require.NoError(b, json.Unmarshal(run(`axe.run(document).then((r) => ({
		violations: r.violations, incomplete: r.incomplete, passes: r.passes.length}))`), &result))
	require.Greater(b, result.Passes, 10, "few rules had anything to look at")
	var found []string
	for _, v := range append(result.Violations, result.Incomplete...) {
		for _, n := range v.Nodes {
			found = append(found, fmt.Sprintf("%s (%s): %.60s: %s", v.ID, v.Impact, n.HTML, strings.Join(strings.Fields(n.FailureSummary), " ")))
		}
	}
	return found
}

// TestAxeFinds finds mistakes on a page that has some, so that finding none means something.
func TestAxeFinds(t *testing.T) {
	t.Parallel()
	script := axe(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!DOCTYPE html><html lang="en"><title>x</title><main><h1>x</h1>
			<p style="color: #999; background: #fff">pale</p><input id="a" name="a"><button></button></main>`)
	}))
	t.Cleanup(server.Close)
	b := open(t, &site{service: &service{url: server.URL}})
	b.visit("/")
	found := strings.Join(b.findings(script), "\n")
	for _, rule := range []string{"color-contrast (serious)", "label (critical)", "button-name (critical)"} {
		require.Contains(t, found, rule)
	}
}
