package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// quote writes a text as JavaScript has it.
func quote(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string always can be
	}
	return string(b)
}

// object returns a handle of what an expression is.
func (b *tab) object(expression string) runtime.RemoteObjectID {
	b.Helper()
	r := call(b, runtime.Evaluate, runtime.EvaluateParams{Expression: expression})
	require.NotNil(b, r.Result, expression)
	require.NotEmpty(b, r.Result.ObjectID, expression)
	return r.Result.ObjectID
}

// said returns what assistive technology is told of a node, such as `button "Copy"`.
func said(n *accessibility.Node) string {
	return fmt.Sprintf("%s %q", plain(n.Role), strings.TrimSpace(plain(n.Name)))
}

func plain(v *accessibility.Value) (text string) {
	if v != nil {
		json.Unmarshal([]byte(v.Value), &text)
	}
	return text
}

// all returns the names of the elements that assistive technology is told of as having the role, and
// where they are.
func (b *tab) all(role string) (names []string, nodes []cdp.BackendNodeID) {
	b.Helper()
	r := call(b, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: b.object("document"), Role: role})
	for _, n := range r.Nodes {
		if !n.Ignored {
			names, nodes = append(names, strings.TrimSpace(plain(n.Name))), append(nodes, n.BackendDOMNodeID)
		}
	}
	return names, nodes
}

// find returns the one element with the role and the name. A name that ends in "…" is how it begins.
func (b *tab) find(role, name string) cdp.BackendNodeID {
	b.Helper()
	names, nodes := b.all(role)
	start, begins := strings.CutSuffix(name, "…")
	var found []cdp.BackendNodeID
	for i, is := range names {
		if is == name || begins && strings.HasPrefix(is, start) {
			found = append(found, nodes[i])
		}
	}
	require.Len(b, found, 1, "%s %q among %q", role, name, names)
	return found[0]
}

// click presses the mouse, or a finger, in the middle of an element, wherever that is.
func (b *tab) click(role, name string) {
	b.Helper()
	b.clickNode(dom.ScrollIntoViewIfNeededParams{BackendNodeID: b.find(role, name)})
}

// clickOn does so on what has no role, which an expression is.
func (b *tab) clickOn(expression string) {
	b.Helper()
	b.clickNode(dom.ScrollIntoViewIfNeededParams{ObjectID: b.object(expression)})
}

func (b *tab) clickNode(n dom.ScrollIntoViewIfNeededParams) {
	b.Helper()
	x, y := b.place(n)
	press := chromedp.MouseClickXY(x, y)
	if b.touch {
		press = chromedp.TapXY(x, y)
	}
	require.NoError(b, chromedp.Do(b.ctx, press))
}

// place brings an element onto the screen, and returns where its middle is.
func (b *tab) place(n dom.ScrollIntoViewIfNeededParams) (x, y float64) {
	b.Helper()
	call(b, dom.ScrollIntoViewIfNeeded, n)
	r := call(b, dom.GetContentQuads, dom.GetContentQuadsParams{BackendNodeID: n.BackendNodeID, ObjectID: n.ObjectID})
	require.NotEmpty(b, r.Quads, "what is to be clicked has no place")
	q := r.Quads[0]
	return (q[0] + q[4]) / 2, (q[1] + q[5]) / 2
}

// follow clicks what leads to another page.
func (b *tab) follow(role, name string) {
	b.Helper()
	b.leads(func() { b.click(role, name) })
}

// press presses keys one by one.
func (b *tab) press(keys string) {
	b.Helper()
	require.NoError(b, chromedp.Do(b.ctx, chromedp.KeyEvent(keys)))
}

// fill clicks a field, and types over what is in it.
func (b *tab) fill(name, text string) {
	b.Helper()
	b.click("textbox", name)
	b.overtype(text)
}

// paste clicks a field, and puts a text in place of what is in it, all at once.
func (b *tab) paste(name, text string) {
	b.Helper()
	b.click("textbox", name)
	b.edit("a", "selectAll")
	call(b, input.InsertText, input.InsertTextParams{Text: text})
}

// overtype types over what is in the field that has the focus.
func (b *tab) overtype(text string) {
	b.Helper()
	b.edit("a", "selectAll")
	b.press(kb.Backspace)
	b.press(strings.ReplaceAll(text, "\n", kb.Enter))
}

// edit presses Ctrl and a letter, which the system makes an editing command of.
func (b *tab) edit(letter, command string) {
	b.Helper()
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown, input.DispatchKeyEventTypeKeyUp} {
		p := input.DispatchKeyEventParams{Type: kind, Modifiers: int64(kb.ModifierCtrl), Key: letter,
			Code: "Key" + strings.ToUpper(letter), WindowsVirtualKeyCode: int64(strings.ToUpper(letter)[0])}
		if kind == input.DispatchKeyEventTypeRawKeyDown {
			p.Commands = []string{command}
		}
		call(b, input.DispatchKeyEvent, p)
	}
}

// focus returns what assistive technology is told has the focus.
func (b *tab) focus() string {
	b.Helper()
	fetch := false
	r := call(b, accessibility.GetPartialAXTree, accessibility.GetPartialAXTreeParams{
		ObjectID: b.object("document.activeElement"), FetchRelatives: &fetch})
	require.NotEmpty(b, r.Nodes)
	return said(r.Nodes[0])
}

// autofocus returns what the page gives the focus to by itself, which it does with its first picture.
func (b *tab) autofocus() string {
	b.Helper()
	b.until("something with the focus", `document.activeElement !== document.body`)
	return b.focus()
}

// back goes back in the history by one, to whatever the browser has or gets of that page.
func (b *tab) back() {
	b.Helper()
	h := call(b, page.GetNavigationHistory, cdp.Empty{})
	call(b, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: h.Entries[h.CurrentIndex-1].ID})
	b.eventually("the page before", func(ctx context.Context, t *chromedp.Target) (bool, error) {
		now, err := cdp.Call(ctx, t, page.GetNavigationHistory, cdp.Empty{})
		return now.CurrentIndex == h.CurrentIndex-1, err
	})
	b.until("the page before", `document.readyState === "complete"`)
}
