package browsertest

import (
	"fmt"

	"github.com/stretchr/testify/require"
)

// walk leads to every page in each of its states, and calls look there.
func (b *tab) walk(look func(state string)) {
	b.Helper()
	b.visit(b.site.page)
	look("sign in")
	b.fill("E-mail address", "siti@example.com")
	b.follow("button", "Send me a code")
	b.says("ends in .gov.sg.")
	look("sign in with a mistake")
	b.fill("E-mail address", b.site.owner)
	b.follow("button", "Send me a code")
	look("code")
	b.fill("Code", "123")
	b.follow("button", "Sign in")
	b.says("Enter the 6 digits of the code.")
	look("code with a mistake")
	b.fill("Code", b.site.code(b.T))
	b.follow("button", "Sign in")
	b.says("You have no keys yet")
	look("no keys")
	b.follow("link", "Generate API key")
	look("new key")
	b.follow("button", "Generate API key")
	b.says("There is a problem")
	look("new key with mistakes")
	b.fill("Label", "HR reminders")
	b.fill("Contact e-mails", "hr@agency.gov.sg")
	b.follow("button", "Generate API key")
	b.heading("Your new API key")
	look("new token")
	b.reload()
	b.says("A key with this label was generated just now")
	look("new token reloaded")

	b.site.history(b.T)
	b.site.issue(b.T, 9*day, 30*day, longLabel, "a-rather-long-name.of-a-rather-long-team@the-subdomain-of-an-agency.gov.sg")
	b.follow("link", "Cancel")
	require.Len(b, b.labels(), 7)
	look("keys in all states")
	b.follow("link", "HR reminders")
	look("key")
	b.fill("Contact e-mails", "nobody")
	b.follow("button", "Save contacts")
	b.says("There is a problem")
	look("key with a mistake")
	b.fill("Contact e-mails", "duty@agency.gov.sg")
	b.follow("button", "Save contacts")
	b.says("Contacts saved.")
	look("key saved")
	b.follow("button", "Replace key")
	b.heading("Your replacement key")
	look("replacement token")
	b.follow("link", "I have copied it")
	b.follow("link", "HR reminders")
	b.says("New key unused")
	look("key with an unused replacement")
	b.follow("link", "Delete key")
	look("delete")
	b.follow("button", "Yes, delete this key")
	b.says("has stopped working.")
	look("deleted")
	b.follow("link", "Deleted keys")
	look("deleted keys")
	b.follow("link", "HR reminders")
	look("deleted key")

	for _, c := range []struct{ label, state string }{{"Payslips", "Changing over"}, {"Old portal", "Expired"}, {longLabel, "Active"}} {
		b.visit(b.site.page)
		b.follow("link", c.label)
		b.says(c.state)
		look(fmt.Sprintf("%.12s %s", c.label, c.state))
	}
	b.visit(b.site.page + "nothing")
	b.heading("Key not found")
	look("no such key")
	b.follow("link", "Sign out")
	b.says("You are signed out.")
	look("signed out")
	b.visit("/outbox")
	b.says(b.site.owner)
	look("outbox")
}

// longLabel is as long as a label may be, and can't be broken at a space.
const longLabel = "Appointment-reminders-of-the-polyclinics-in-the-north-east-and-the-community-hospital-" +
	"and-whoever-else-asks-for-them-on-the-telephone-or-in-writing-by-a-letter-that-arrives-before-the-end-of-" +
	"the-month-in-which-it-was-sent-and-not-after-it-in-any-case"
