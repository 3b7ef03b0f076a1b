package browsertest

import (
	"testing"

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
	b.until("the page before", `location.protocol === "chrome-error:" && document.readyState === "complete"`) // asks to send the form again
	b.hides("the token", token)
	b.reload() // which does
	b.hides("the token", token)
	b.says("A key with this label was generated just now")
}
