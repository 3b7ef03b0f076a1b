package browsertest

import (
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// visible says that what has the focus is marked, is on the screen and has nothing in front of it.
const visible = `(() => {
	const e = document.activeElement, s = getComputedStyle(e), r = e.getBoundingClientRect();
	const at = document.elementFromPoint((Math.max(r.left, 0) + Math.min(r.right, innerWidth)) / 2, (Math.max(r.top, 0) + Math.min(r.bottom, innerHeight)) / 2);
	return s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2 && at !== null && (e.contains(at) || at.contains(e));
})()`

// tab presses the Tab key and returns what has the focus then, which must be seen to have it.
func (b *tab) tab() string {
	b.Helper()
	b.press(kb.Tab)
	focus := b.focus()
	require.True(b, eval[bool](b, visible), "nothing shows that %s has the focus", focus)
	return focus
}

// tabTo presses the Tab key until something has the focus.
func (b *tab) tabTo(what string) {
	b.Helper()
	var passed []string
	for range 40 {
		passed = append(passed, b.tab())
		if passed[len(passed)-1] == what {
			return
		}
	}
	require.Contains(b, passed, what)
}

// order returns what a Tab key pressed again and again leads to, until it leaves the page.
func (b *tab) order() []string {
	b.Helper()
	eval[bool](b, `document.activeElement.blur(), getSelection().removeAllRanges(), true`)
	var order []string
	for range 40 {
		b.press(kb.Tab)
		if eval[bool](b, `document.activeElement === document.body`) {
			return order
		}
		order = append(order, b.focus())
		require.True(b, eval[bool](b, visible), "nothing shows that %s has the focus", order[len(order)-1])
	}
	require.Fail(b, "the Tab key does not lead out of the page", "%q", order)
	return nil
}

// enter presses Enter on what leads to another page.
func (b *tab) enter() {
	b.Helper()
	b.leads(func() { b.press(kb.Enter) })
}

// top is what the Tab key comes to first on every page.
var top = []string{`link "Skip to main content"`, `link "Outbox"`, `link "Sign out"`}

// TestKeyboard goes the whole way without a mouse.
func TestKeyboard(t *testing.T) {
	b := open(t, newSite(t))
	b.visit(b.site.page)
	require.Equal(t, `textbox "E-mail address"`, b.autofocus(), "typing can begin at once")
	b.press(b.site.owner)
	require.Equal(t, `button "Send me a code"`, b.tab())
	b.enter()
	require.Equal(t, `textbox "Code"`, b.autofocus())
	b.press(b.site.code(t))
	b.enter()
	b.heading("API keys")
	require.Equal(t, append(top, `link "Generate API key"`, `link "Deleted keys"`), b.order())

	b.visit(b.site.page)
	b.tabTo(`link "Generate API key"`)
	b.enter()
	b.tabTo(`textbox "Label"`)
	b.press("HR reminders")
	b.press(kb.Enter) // sends the form, as it does in any
	b.says("There is a problem")
	require.Equal(t, `alert "There is a problem"`, b.autofocus(), "which a screen reader then reads")
	require.Equal(t, `link "Enter at least one contact e-mail."`, b.tab())
	b.press(kb.Enter)
	b.until("the field has the focus, to which the mistake leads", `document.activeElement.id === "contacts"`)
	b.press("hr@agency.gov.sg")
	require.Equal(t, `radio "180 days`, b.tab()[:len(`radio "180 days`)])
	b.press(kb.ArrowDown)
	require.Equal(t, `radio "90 days`, b.focus()[:len(`radio "90 days`)])
	require.Equal(t, `button "Generate API key"`, b.tab())
	b.leads(func() { b.press(" ") })
	b.heading("Your new API key")
	first := b.token()

	require.Equal(t, append(top, `textbox "HR reminders"`, `button "Copy"`, `link "I have copied it"`), b.order())
	b.tabTo(`button "Copy"`)
	b.press(" ")
	b.says("Copied")
	require.Equal(t, `button "Copy"`, b.focus(), "copying leaves the focus where it was")
	require.True(t, first == b.clipboard(), "what was copied is not the token")
	b.works(first)
	b.tabTo(`link "I have copied it"`)
	b.enter()

	b.tabTo(`link "HR reminders"`)
	b.enter()
	require.Equal(t, append(top, `link "All keys"`, `textbox "Contact e-mails"`, `button "Save contacts"`,
		`radio "24 hours after the new key is first used"`, `button "Replace key"`, `link "Delete key"`), b.order())
	b.tabTo(`textbox "Contact e-mails"`)
	b.overtype("duty@agency.gov.sg")
	require.Equal(t, `button "Save contacts"`, b.tab())
	b.enter()
	b.says("Contacts saved.")

	b.tabTo(`radio "24 hours after the new key is first used"`)
	b.press(kb.ArrowUp) // around to the last: no overlap
	b.tabTo(`button "Replace key"`)
	b.enter()
	b.heading("Your replacement key")
	b.works(b.token())
	b.fails(first)
	b.tabTo(`link "I have copied it"`)
	b.enter()

	b.tabTo(`link "HR reminders"`)
	b.enter()
	b.tabTo(`link "Delete key"`)
	b.enter()
	require.Equal(t, append(top, `link "Back to the key"`, `link "replace the key"`,
		`button "Yes, delete this key"`, `link "Keep it"`), b.order())
	b.tabTo(`button "Yes, delete this key"`)
	b.enter()
	b.says("“HR reminders” has stopped working.")
}

// TestSkipLink comes past what is the same on all pages with two keys.
func TestSkipLink(t *testing.T) {
	t.Parallel()
	b := open(t, newSite(t))
	b.signIn()
	require.Equal(t, `link "Skip to main content"`, b.tab())
	require.Greater(t, eval[float64](b, `document.activeElement.getBoundingClientRect().bottom`), 20.0, "it is seen while it has the focus")
	b.press(kb.Enter)
	b.until("the jump", `location.hash === "#main"`)
	require.Equal(t, `link "Generate API key"`, b.tab())
}
