package browsertest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSignIn leads back to where somebody wanted to go, past the mistakes that people make.
func TestSignIn(t *testing.T) {
	t.Parallel()
	b := open(t, newSite(t))
	b.visit(b.site.page + "new")
	b.heading("Sign in")
	require.Equal(t, `textbox "E-mail address"`, b.autofocus(), "typing can begin at once")
	for _, wrong := range []string{"siti", "siti@evilgov.sg", "siti@gov.sg.evil.com"} {
		b.fill("E-mail address", wrong)
		b.follow("button", "Send me a code")
		b.says("Enter your e-mail address, which ends in .gov.sg.")
		require.Equal(t, wrong, eval[string](b, `document.getElementById("email").value`))
	}
	b.fill("E-mail address", strings.ToUpper(b.site.owner))
	b.follow("button", "Send me a code")
	b.heading("Enter your code")
	code := b.site.code(t)
	require.Equal(t, `textbox "Code"`, b.autofocus())
	wrong := "000000"
	if code == wrong {
		wrong = "000001"
	}
	b.fill("Code", wrong)
	b.follow("button", "Sign in")
	b.says("The code is not right")
	b.fill("Code", " "+code[:3]+" "+code[3:]) // as people copy it
	b.follow("button", "Sign in")
	b.heading("Generate API key")
}

// TestOutbox signs in with what the page with the mails shows, as somebody who tries the service out does.
func TestOutbox(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b, outbox := open(t, s), open(t, s)
	b.visit(s.page)
	b.fill("E-mail address", s.owner)
	b.follow("button", "Send me a code")
	b.find("link", "read your mail")
	outbox.visit("/outbox")
	mail := eval[string](outbox, `Array.from(document.querySelectorAll("section"), (s) => s.innerText).find((s) => s.includes(`+quote(s.owner)+`))`)
	b.fill("Code", sixDigits.FindString(mail))
	b.follow("button", "Sign in")
	b.heading("API keys")
}

// TestSignOut shows nothing any more to whoever sits down at the same desk.
func TestSignOut(t *testing.T) {
	t.Parallel()
	b := open(t, newSite(t))
	b.signIn()
	token := b.generate("HR reminders", "hr@agency.gov.sg")
	b.follow("link", "I have copied it")
	b.follow("link", "Sign out")
	b.says("You are signed out.")
	for range 3 { // the list, the new key, the form for it
		b.back()
		b.hides("the label", "HR reminders")
		b.hides("the token", token)
	}
	b.visit(b.site.page)
	b.heading("Sign in")
}

// TestSomebodyElse finds nothing at the address of another officer's key.
func TestSomebodyElse(t *testing.T) {
	t.Parallel()
	alice, bob := open(t, newSite(t)), open(t, newSite(t))
	alice.signIn()
	alice.generate("HR reminders", "hr@agency.gov.sg")
	alice.follow("link", "I have copied it")
	alice.follow("link", "HR reminders")
	bob.signIn()
	bob.says("You have no keys yet")
	bob.visit(eval[string](alice, `location.pathname`))
	bob.heading("Key not found")
}
