package browsertest

import (
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/stretchr/testify/require"
)

// clipboard returns what was copied last. There is one for all tabs, so whoever copies does not run in
// parallel.
func (b *tab) clipboard() string {
	b.Helper()
	b.permit("clipboard-read", browser.PermissionSettingGranted)
	return eval[string](b, `navigator.clipboard.readText()`)
}

// TestCopy finds on the clipboard what the page shows, and nothing around it.
func TestCopy(t *testing.T) {
	b := open(t, newSite(t))
	b.permit("clipboard-write", browser.PermissionSettingGranted)
	b.signIn()
	token := b.generate("HR reminders", "hr@agency.gov.sg")
	b.click("button", "Copy")
	b.says("Copied")
	require.True(t, token == b.clipboard(), "what was copied is not the token")
	b.works(b.clipboard())
}

// TestCopyRefused finds the token selected where the browser lets the page have no clipboard, ready for
// the person's own Ctrl and C.
func TestCopyRefused(t *testing.T) {
	b := open(t, newSite(t))
	b.permit("clipboard-write", browser.PermissionSettingDenied)
	b.signIn()
	token := b.generate("HR reminders", "hr@agency.gov.sg")
	b.click("button", "Copy")
	b.says("The key is selected. Copy it with your keyboard or menu.")
	require.True(t, token == eval[string](b, `getSelection().toString()`), "the token is not what is selected")
	require.Contains(t, b.focus(), "HR reminders")
	b.edit("c", "copy")
	require.True(t, token == b.clipboard(), "what was copied is not the token")
}

// TestSelectByHand copies with a click on the token, which selects all of it and no more.
func TestSelectByHand(t *testing.T) {
	b := open(t, newSite(t))
	b.signIn()
	token := b.generate("HR reminders", "hr@agency.gov.sg")
	b.clickOn(`document.getElementById("token")`)
	b.edit("c", "copy")
	require.True(t, token == b.clipboard(), "what was copied is not the token")
}
