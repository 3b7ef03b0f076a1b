package dbtest

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store/storetest"
)

// TestSettingsMarkup reads every page as a browser does, and holds it to what people need who use a
// keyboard or a screen reader.
func TestSettingsMarkup(t *testing.T) {
	keys, s, advance := newSettings(t, databases[0].migrated(t, databases[0].open(t)), 100)
	v := newVisitor(t, s.Page())
	pages := map[string]string{}
	open := func(name, method, path, body string) {
		_, res, text := v.do(method, path, "application/x-www-form-urlencoded", body)
		require.NotEqual(t, 303, res.StatusCode, name)
		pages[name] = text
	}
	open("empty", "GET", "/", "")
	var last apikey.Key
	for i := range 25 {
		var err error
		_, last, err = keys.Issue(t.Context(), apikey.Request{Owner: "alice", Label: strings.Repeat("x", i+1), Contacts: []string{"a@b.gov.sg", "c@d.gov.sg", "e@f.gov.sg"}})
		require.NoError(t, err)
		advance(time.Second)
	}
	open("list", "GET", "/", "")
	open("new", "GET", "/new", "")
	open("mistakes", "POST", "/new", "seen=zzz&label=&contacts=&expiry=15552000")
	open("no expiry", "POST", "/new", "seen=zzz&label=x&contacts=a@b.gov.sg")
	open("token", "POST", "/new", "seen=zzz&label=y&contacts=a@b.gov.sg&expiry=15552000")
	open("key", "GET", "/"+last.ID, "")
	open("contacts", "POST", "/"+last.ID+"/contacts", "contacts=nobody")
	open("no grace", "POST", "/"+last.ID+"/rotate", "seen="+last.Hint)
	open("rotated", "POST", "/"+last.ID+"/rotate", "seen="+last.Hint+"&grace=86400")
	open("pending", "GET", "/"+last.ID, "")
	open("pressed twice", "POST", "/"+last.ID+"/rotate", "seen="+last.Hint+"&grace=86400")
	open("delete", "GET", "/"+last.ID+"/delete", "")
	_, err := keys.Revoke(t.Context(), apikey.Ref{Owner: "alice", ID: last.ID}, "")
	require.NoError(t, err)
	open("deleted", "GET", "/?deleted="+last.ID, "")
	open("revoked", "GET", "/?state=revoked", "")
	open("not found", "GET", "/x", "")
	_, broken, _ := newSettings(t, storetest.Failing(errors.New("down")), 100)
	v.server = newVisitor(t, broken.Page()).server
	open("unavailable", "GET", "/", "")
	open("unavailable, with what was typed", "POST", "/"+last.ID+"/contacts", "contacts=a@b.gov.sg")
	v.who = ""
	open("signed out", "GET", "/", "")
	for name, text := range pages {
		t.Run(name, func(t *testing.T) { markup(t, text) })
	}
}

func markup(t *testing.T, text string) {
	doc, err := html.Parse(strings.NewReader(text))
	require.NoError(t, err)
	ids := make(map[string]bool)
	labelled := make(map[string]bool)
	headings := ""
	for n := range doc.Descendants() {
		if id := attr(n, "id"); id != "" {
			require.False(t, ids[id], "two elements have the id %s", id)
			ids[id] = true
		}
		if n.Data == "label" && attr(n, "for") != "" {
			labelled[attr(n, "for")] = true
		}
		if n.Type == html.ElementNode && len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' {
			headings += n.Data[1:]
		}
	}
	require.Equal(t, 1, strings.Count(headings, "1"), "one main heading")
	require.NotRegexp(t, "[^12]", headings, "no level is left out")
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for _, name := range []string{"aria-describedby", "aria-labelledby", "for"} {
			for id := range strings.FieldsSeq(attr(n, name)) {
				require.True(t, ids[id], "%s=%q refers to nothing", name, id)
			}
		}
		if to, ok := strings.CutPrefix(attr(n, "href"), "#"); ok {
			require.True(t, ids[to], "a link leads to #%s, which is not there", to)
		}
		switch n.Data {
		case "input", "textarea":
			wrapped := n.Parent.Data == "label"
			require.True(t, attr(n, "type") == "hidden" || wrapped || labelled[attr(n, "id")], "a field has no label")
			require.Equal(t, attr(n, "aria-invalid") == "true", strings.Contains(attr(n, "aria-describedby"), "-problem"))
		case "a", "button", "h1", "h2", "legend", "caption":
			require.NotEmpty(t, strings.TrimSpace(content(n)), "an empty %s", n.Data)
		case "form":
			require.Equal(t, "post", attr(n, "method"))
		case "th":
			require.NotEmpty(t, attr(n, "scope"))
		case "script", "style":
			require.Empty(t, content(n), "nothing inline")
		case "html":
			require.Equal(t, "en", attr(n, "lang"))
		}
		if strings.Contains(attr(n, "class"), "problems") {
			require.Equal(t, "-1", attr(n, "tabindex"))
			require.True(t, has(n, "autofocus"), "the summary of mistakes takes the focus")
		}
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func content(n *html.Node) string {
	var b bytes.Buffer
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}
