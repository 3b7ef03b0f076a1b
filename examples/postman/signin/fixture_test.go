package signin

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/emaildomain"
	"github.com/opengovsg/latchkey/examples/postman/database"
	"github.com/opengovsg/latchkey/examples/postman/databasetest"
	"github.com/opengovsg/latchkey/examples/postman/mail"
)

const siti = "siti@agency.gov.sg"

// A house is where people sign in, with a clock and a postman of its own.
type house struct {
	*SignIn
	t      *testing.T
	db     *database.Database
	config Config
	url    string

	mu      sync.Mutex
	now     time.Time
	mails   []mail.Message
	deliver func(mail.Message) error // nil: it works
	faults  []error
}

func newHouse(t *testing.T, dsn string) *house {
	t.Helper()
	h := &house{t: t, now: time.Date(2026, 11, 23, 12, 34, 56, 789_012_000, time.UTC)}
	var err error
	h.db, err = database.Open(dsn)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.db.Close()) })
	policy, err := emaildomain.New(".gov.sg")
	require.NoError(t, err)
	h.config = Config{
		DB: h.db.DB, Dialect: h.db.Dialect, Policy: policy, Mail: h, Keys: [][]byte{[]byte("a key for codes")},
		Home: "/settings/", Now: h.clock,
		OnError: func(_ *http.Request, err error) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.faults = append(h.faults, err)
		},
	}
	h.SignIn = New(h.config)
	require.NoError(t, h.Migrate(t.Context()))
	h.url = h.serve(h.SignIn)
	return h
}

// serve starts a server of a service.
func (h *house) serve(s *SignIn) string {
	mux := http.NewServeMux()
	mux.Handle("/v1/auth/", s.API())
	mux.Handle("/", s.Page())
	mux.Handle("/settings/", s.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		owner, err := s.Owner(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
			return
		}
		io.WriteString(w, "settings of "+owner)
	})))
	server := httptest.NewServer(mux)
	h.t.Cleanup(server.Close)
	return server.URL
}

func each(t *testing.T, test func(t *testing.T, h *house)) {
	databasetest.Each(t, func(t *testing.T, dsn string) { test(t, newHouse(t, dsn)) })
}

func (h *house) clock() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.now
}

func (h *house) advance(d time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = h.now.Add(d)
}

// Send implements mail.Sender. As a conversation with a mail server, it ends with its context.
func (h *house) Send(ctx context.Context, m mail.Message) error {
	h.mu.Lock()
	deliver := h.deliver
	h.mails = append(h.mails, m)
	h.mu.Unlock()
	if deliver != nil {
		if err := deliver(m); err != nil {
			return err
		}
	}
	return ctx.Err()
}

var (
	codeText = regexp.MustCompile(`(?m)^    (\d{6})$`)
	errFull  = errors.New("the mailbox of siti@agency.gov.sg is full")
)

func codeOf(t *testing.T, m mail.Message) string {
	t.Helper()
	found := codeText.FindStringSubmatch(m.Text)
	require.NotNil(t, found)
	return found[1]
}

// code sends a code and returns it.
func (h *house) code(address string) string {
	h.t.Helper()
	require.NoError(h.t, h.sendCode(h.t.Context(), h.request(), address))
	h.mu.Lock()
	defer h.mu.Unlock()
	return codeOf(h.t, h.mails[len(h.mails)-1])
}

func (h *house) request() *http.Request { return httptest.NewRequest("POST", "/", nil) }

// other returns a code that is not the one given.
func other(code string) string {
	last := byte('0')
	if code[5] == last {
		last = '1'
	}
	return code[:5] + string(last)
}

// An answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   string
}

// cookie returns the session's cookie that was set.
func (a answer) cookie(t *testing.T) *http.Cookie {
	t.Helper()
	cookies := (&http.Response{Header: a.header}).Cookies()
	require.Len(t, cookies, 1)
	return cookies[0]
}

var client = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// send makes a request. Headers are pairs.
func (h *house) send(method, path, body string, headers ...string) answer {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, strings.NewReader(body))
	require.NoError(h.t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	res, err := client.Do(r)
	require.NoError(h.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(h.t, err)
	return answer{res.StatusCode, res.Header, string(text)}
}

func (h *house) post(path, body string, headers ...string) answer {
	h.t.Helper()
	return h.send("POST", path, body, append(headers, "Content-Type", "application/json")...)
}

// press sends a form of the page. Fields are pairs.
func (h *house) press(path string, fields ...string) answer {
	h.t.Helper()
	form := make(url.Values)
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return h.send("POST", path, form.Encode(), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin")
}

// signIn signs somebody in, and returns the header with the cookie.
func (h *house) signIn(address string) []string {
	h.t.Helper()
	code := h.code(address)
	a := h.post("/v1/auth/login", `{"email":"`+address+`","otp":"`+code+`"}`)
	require.Equal(h.t, 200, a.status, a.body)
	c := a.cookie(h.t)
	return []string{"Cookie", c.Name + "=" + c.Value}
}
