package browsertest

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/stretchr/testify/require"
)

// TestJourney goes the whole way of an officer: sign in, generate, use, look after, replace, delete.
func TestJourney(t *testing.T) {
	t.Parallel()
	b := open(t, newSite(t))
	b.journey()
}

// TestJourneyWithoutScript goes it in a browser that runs no script.
func TestJourneyWithoutScript(t *testing.T) {
	t.Parallel()
	b := open(t, newSite(t))
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.journey()
	b.follow("link", "All keys")
	b.generate("Newsletter", "news@agency.gov.sg")
	buttons, _ := b.all("button")
	require.Empty(t, buttons, "a button that does nothing is not there")
}

// TestJourneyOnPhone goes it on a small screen, with fingers.
func TestJourneyOnPhone(t *testing.T) {
	t.Parallel()
	b := open(t, newSite(t))
	b.phone()
	b.journey()
}

func (b *tab) journey() {
	b.signIn()
	b.says("You have no keys yet")

	first := b.generate("HR reminders", "hr@agency.gov.sg\nsiti@agency.gov.sg")
	b.says("Copy it now. It won’t be shown again.")
	b.works(first)
	b.follow("link", "I have copied it")
	b.heading("API keys")
	b.hides("the token", first)
	b.says("hr@agency.gov.sg")
	b.says("…" + first[len(first)-5:])

	second := b.generate("Payroll", "payroll@agency.gov.sg")
	b.works(second)
	b.works(first)
	b.follow("link", "I have copied it")
	require.Equal(b, []string{"Payroll", "HR reminders"}, b.labels(), "newest first")

	b.follow("link", "HR reminders")
	b.heading("HR reminders")
	b.hides("the token", first)
	b.fill("Contact e-mails", "nobody")
	b.follow("button", "Save contacts")
	b.says("There is a problem")
	b.fill("Contact e-mails", "duty@agency.gov.sg")
	b.follow("button", "Save contacts")
	b.says("Contacts saved.")
	b.reload()
	require.Equal(b, "duty@agency.gov.sg", eval[string](b, `document.getElementById("contacts").value`))

	b.click("radio", "7 days…")
	b.follow("button", "Replace key")
	b.heading("Your replacement key")
	third := b.token()
	b.hides("the token before", first)
	b.works(first) // before the first use of its successor
	b.works(third)
	b.works(first) // in the overlap after it
	b.follow("link", "I have copied it")
	b.says("Changing over")

	b.follow("link", "HR reminders")
	b.says("…" + first[len(first)-5:])
	b.follow("link", "Delete key")
	b.heading("Delete this key?")
	b.works(third) // until it is confirmed
	b.follow("link", "Keep it")
	b.follow("link", "Delete key")
	b.follow("button", "Yes, delete this key")
	b.heading("API keys")
	b.says("“HR reminders” has stopped working.")
	require.Equal(b, []string{"Payroll"}, b.labels())
	b.fails(first)
	b.fails(third)
	b.works(second)
	b.follow("link", "Deleted keys")
	require.Equal(b, []string{"HR reminders"}, b.labels())
}

// generate makes a key from the list on, and returns its token.
func (b *tab) generate(label, contacts string) string {
	b.Helper()
	b.follow("link", "Generate API key")
	b.fill("Label", label)
	b.fill("Contact e-mails", contacts)
	b.follow("button", "Generate API key")
	b.heading("Your new API key")
	return b.token()
}

// token returns the token that the page shows.
func (b *tab) token() string {
	b.Helper()
	token := eval[string](b, `document.getElementById("token").innerText`)
	require.True(b, tokenText.FindString(token) == token && token != "", "what is shown is no token")
	return token
}

// labels returns the labels of the keys on the list.
func (b *tab) labels() []string {
	b.Helper()
	return eval[[]string](b, `Array.from(document.querySelectorAll("tbody th a"), (a) => a.innerText)`)
}
