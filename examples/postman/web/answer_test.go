package web

import (
	"html/template"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAnswersAreSecure holds every kind of answer to the headers that it must carry. Under a stricter policy
// on referrers browsers send the forms of a page with Origin: null, which is refused as another site's.
func TestAnswersAreSecure(t *testing.T) {
	page := template.Must(template.New("").Parse("<p>{{.}}</p>"))
	wait := &Refusal{Status: http.StatusTooManyRequests, Code: "rate_limit", Message: "Wait.", RetryAfter: 1500 * time.Millisecond}
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter)
		status int
		body   string
	}{
		"JSON":    {func(w http.ResponseWriter) { JSON(w, http.StatusOK, []int{1}) }, 200, "[1]\n"},
		"page":    {func(w http.ResponseWriter) { Page(w, http.StatusOK, page, "<b>", nil) }, 200, "<p>&lt;b&gt;</p>"},
		"sorry":   {func(w http.ResponseWriter) { Page(w, wait.Status, page, "no", wait) }, 429, "<p>no</p>"},
		"refusal": {func(w http.ResponseWriter) { Refuse(w, wait) }, 429, `{"code":"rate_limit","message":"Wait."}` + "\n"},
		"see":     {func(w http.ResponseWriter) { See(w, "/login") }, 303, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			c.answer(w)
			require.Equal(t, c.status, w.Code)
			require.Equal(t, c.body, w.Body.String())
			h := w.Header()
			require.Equal(t, "no-store", h.Get("Cache-Control"))
			require.Equal(t, "same-origin", h.Get("Referrer-Policy"))
			require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"))
			require.Contains(t, h.Get("Content-Security-Policy"), "default-src 'none'; ")
			require.Contains(t, h.Get("Content-Security-Policy"), "frame-ancestors 'none'")
			if c.status == http.StatusTooManyRequests {
				require.Equal(t, "2", h.Get("Retry-After"))
			}
		})
	}
}
