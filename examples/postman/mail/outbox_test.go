package mail

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func ask(h http.Handler, remote, host string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/outbox", nil)
	r.RemoteAddr, r.Host = remote, host
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestOutbox(t *testing.T) {
	o := new(Outbox)
	require.Equal(t, "[]\n", ask(o.JSON(), "127.0.0.1:1234", "localhost:8080").Body.String())
	require.Contains(t, ask(o.Page(), "127.0.0.1:1234", "localhost:8080").Body.String(), "There are none yet.")

	var done sync.WaitGroup
	for i := range 150 {
		done.Go(func() {
			if err := o.Send(t.Context(), Message{To: siti, Subject: fmt.Sprint(i), Text: "y"}); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	require.NoError(t, o.Send(t.Context(), Message{To: "a@b.gov.sg", ReplyTo: siti, Subject: "<script>", Text: "one\n two <b>"}))
	w := ask(o.JSON(), "[::1]:1234", "[::1]:8080")
	require.Equal(t, 200, w.Code)
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	var mails []map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &mails))
	require.Len(t, mails, 100)
	require.NotEmpty(t, mails[0]["sent_at"])
	delete(mails[0], "sent_at")
	require.Equal(t, map[string]any{"id": 151.0, "to": "a@b.gov.sg", "reply_to": siti, "subject": "<script>", "text": "one\n two <b>"}, mails[0])
	require.Equal(t, 52.0, mails[99]["id"])

	w = ask(o.Page(), "127.0.0.1:1234", "127.0.0.1")
	require.Equal(t, 200, w.Code)
	require.Contains(t, w.Body.String(), "<pre>one\n two &lt;b&gt;</pre>")
	require.Contains(t, w.Body.String(), "To a@b.gov.sg, replies to siti@agency.gov.sg")
	require.NotContains(t, w.Body.String(), "<script")
	require.Equal(t, 100, strings.Count(w.Body.String(), "<pre>"))
}

// TestOutboxIsLocal refuses other machines, and sites whose name was made to lead to this one.
func TestOutboxIsLocal(t *testing.T) {
	o := new(Outbox)
	require.NoError(t, o.Send(t.Context(), Message{To: siti, Subject: "canary", Text: "canary"}))
	for _, h := range []http.Handler{o.Page(), o.JSON()} {
		for _, host := range []string{"localhost", "localhost:8080", "127.0.0.1:8080", "127.9.9.9", "[::1]", "[::1]:8080", "[::ffff:127.0.0.1]:8080"} {
			require.Equal(t, 200, ask(h, "127.0.0.1:1234", host).Code, host)
		}
		for _, host := range []string{
			"", "evil.example", "evil.example:8080", "localhost.evil.example:8080", "127.0.0.1.evil.example", "10.0.0.1:8080", "0.0.0.0:8080", "[::]:8080",
			"127.1:8080", "2130706433", "localhost.", "LOCALHOST.evil.example", "evil.example#localhost",
		} {
			w := ask(h, "127.0.0.1:1234", host)
			require.Equal(t, 403, w.Code, host)
			require.NotContains(t, w.Body.String(), "canary")
		}
		for _, remote := range []string{"", "10.0.0.1:1234", "[2001:db8::1]:1234", "@"} {
			w := ask(h, remote, "localhost:8080")
			require.Equal(t, 403, w.Code, remote)
			require.NotContains(t, w.Body.String(), "canary")
		}
	}
}

// TestOutboxBehindAProxy refuses what a proxy on this machine passes on, also under this machine's name.
func TestOutboxBehindAProxy(t *testing.T) {
	o := new(Outbox)
	require.NoError(t, o.Send(t.Context(), Message{To: siti, Subject: "canary", Text: "canary"}))
	for _, name := range []string{"", "forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP"} {
		for _, value := range []string{"", "127.0.0.1"} {
			r := httptest.NewRequest("GET", "/outbox", nil)
			r.RemoteAddr, r.Host = "127.0.0.1:1234", "localhost:8080"
			if name != "" {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			o.Page().ServeHTTP(w, r)
			require.Equal(t, name == "", w.Code == 200, name)
			require.Equal(t, name == "", strings.Contains(w.Body.String(), "canary"), name)
		}
	}
}
