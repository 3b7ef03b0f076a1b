package browsertest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// attacks are labels that do something in a page that writes them as they are.
var attacks = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(2)>'><svg onload=alert(3)>`,
	`javascript:alert(4)`,
	`</title></textarea></style></script><script>alert(5)</script><!--`,
	"{{.Token}} ${alert(6)} &lt;b&gt; \u202egnp.exe",
}

// TestScriptInLabel finds each label as it was typed on every page, and nothing that ran.
func TestScriptInLabel(t *testing.T) {
	t.Parallel()
	b := open(t, newSite(t))
	b.signIn()
	for _, label := range attacks {
		b.follow("link", "Generate API key")
		b.paste("Label", label)
		b.follow("button", "Generate API key") // without a contact: the form comes back with the label
		require.Equal(t, label, eval[string](b, `document.getElementById("label").value`))
		b.paste("Contact e-mails", label)
		b.follow("button", "Generate API key")
		b.says("There is a problem")
		require.Equal(t, label, eval[string](b, `document.getElementById("contacts").value`))
		b.paste("Contact e-mails", "hr@agency.gov.sg")
		b.follow("button", "Generate API key")
		b.heading("Your new API key")
		b.says(label)
		b.follow("link", "I have copied it")
		require.Equal(t, label, b.labels()[0])
		b.follow("link", label)
		b.heading(label)
		require.Contains(t, eval[string](b, `document.title`), label)
		b.follow("link", "Delete key")
		b.says(label)
		b.follow("button", "Yes, delete this key")
		b.says("“" + label + "” has stopped working.")
		require.Empty(t, b.labels())
		b.follow("link", "Deleted keys")
		require.Equal(t, label, b.labels()[0])
		b.follow("link", "All keys")
	}
}

// TestScriptInMail finds the subject of a mail as it was sent in the outbox.
func TestScriptInMail(t *testing.T) {
	t.Parallel()
	b := open(t, newSite(t))
	_, token := b.site.issue(t, 0, day, "HR reminders", "hr@agency.gov.sg")
	for _, subject := range attacks[:4] { // the last one holds what no subject may
		require.Equal(t, http.StatusCreated, b.site.send(t, token, subject))
		b.visit("/outbox")
		b.says(subject)
	}
}

// TestTrouble finds what goes wrong on a page that it goes wrong on, so that the silence of the others
// means something.
func TestTrouble(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(elsewhere.Close)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path == "/policy" {
			w.Header().Set("Content-Security-Policy", "default-src 'none'")
		}
		fmt.Fprint(w, "<!DOCTYPE html><title>x</title>", map[string]string{
			"/dialog": `<script>alert(1)</script>`,
			"/policy": `<p onclick="alert(1)" style="color: red"><img src="/x">`,
			"/throws": `<script>throw new Error("x")</script>`,
			"/logs":   `<script>console.log("x")</script>`,
			"/loads":  `<img src="` + elsewhere.URL + `/x.png">`,
		}[r.URL.Path])
	}))
	t.Cleanup(server.Close)
	for _, path := range []string{"/dialog", "/policy", "/throws", "/logs", "/loads"} {
		b := open(t, &site{service: &service{url: server.URL}})
		b.visit(path)
		require.NotEmpty(t, b.seen.troubles(), path)
	}
}
