package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/examples/postman/mail/mailtest"
)

const siti = "siti@agency.gov.sg"

// A buffer keeps what several goroutines write.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// An instance is the service, running, as the command runs it.
type instance struct {
	t     *testing.T
	url   string
	smtp  *mailtest.Server
	out   *buffer
	log   *buffer
	stop  context.CancelFunc
	ended chan struct{}
	err   error // once ended
}

// start starts the service on a database, with a mail server of its own.
func start(t *testing.T, dsn string, change ...func(*options)) *instance {
	t.Helper()
	s := &instance{t: t, smtp: mailtest.Start(t, nil), out: new(buffer), log: new(buffer), ended: make(chan struct{})}
	o := options{addr: "127.0.0.1:0", dsn: dsn, smtp: s.smtp.Addr, from: "postman@mail.gov.sg", plaintext: true, log: s.log}
	for _, f := range change {
		f(&o)
	}
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	go func() {
		defer close(s.ended)
		s.err = run(ctx, o, s.out)
	}()
	t.Cleanup(func() { require.NoError(t, s.end()) })
	require.Eventually(t, func() bool {
		m := regexp.MustCompile(`Listening at (\S+)\. `).FindStringSubmatch(s.out.String())
		if m != nil {
			s.url = "http://" + m[1]
		}
		select {
		case <-s.ended:
			return true
		default:
			return m != nil
		}
	}, 30*time.Second, 5*time.Millisecond)
	require.NotEmpty(t, s.url, "it did not start: %v", s.err)
	return s
}

// end ends the service as a signal does.
func (s *instance) end() error {
	s.stop()
	<-s.ended
	return s.err
}

// numbers are what a log has of times, which may hold the digits of a code.
var numbers = regexp.MustCompile(`"(time|at|expires|took)":[^,}]+`)

// requireUnsaid looks for secrets in all that the service printed and logged.
func (s *instance) requireUnsaid(secrets ...string) {
	s.t.Helper()
	said := s.out.String() + numbers.ReplaceAllString(s.log.String(), "")
	require.Contains(s.t, said, `"level":"INFO"`)
	for _, secret := range secrets {
		require.NotContains(s.t, said, secret)
	}
}

// A client is a browser or a program, with cookies of its own.
type client struct {
	s *instance
	http.Client
	token string // a key, or empty
}

func (s *instance) client() *client {
	jar, err := cookiejar.New(nil)
	require.NoError(s.t, err)
	return &client{s: s, Client: http.Client{
		Jar: jar, Timeout: 30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// An answer is a response that was read.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request. A body is JSON. Headers are pairs.
func (c *client) do(method, path, body string, headers ...string) answer {
	t := c.s.t
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.s.url+path, strings.NewReader(body))
	require.NoError(t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	res, err := c.Do(r)
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return answer{res.StatusCode, res.Header, string(text)}
}

// ok requires the status, and reads the body into v where that is not nil.
func (a answer) ok(t *testing.T, status int, v any) answer {
	t.Helper()
	require.Equal(t, status, a.status, a.body)
	if v != nil {
		require.NoError(t, json.Unmarshal([]byte(a.body), v))
	}
	return a
}

// refused requires the status and the code of an error.
func (a answer) refused(t *testing.T, status int, code string) {
	t.Helper()
	var e map[string]string
	a.ok(t, status, &e)
	require.Equal(t, code, e["code"])
	require.NotEmpty(t, e["message"])
}

// cookies gives a client the session of an instance without TLS, which a browser would not do.
func (c *client) cookies(a answer) {
	for _, cookie := range (&http.Response{Header: a.header}).Cookies() {
		c.Jar = nil
		c.Transport = withCookie{cookie.Name + "=" + cookie.Value}
	}
}

type withCookie struct{ cookie string }

func (w withCookie) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Cookie", w.cookie)
	return http.DefaultTransport.RoundTrip(r)
}

var codeText = regexp.MustCompile(`(?m)^    (\d{6})\r?$`)

// signIn signs somebody in with the code that the mail server received, and returns it.
func (c *client) signIn(address string) (code string) {
	t := c.s.t
	t.Helper()
	c.do("POST", "/v1/auth/otp", `{"email":"`+address+`"}`).ok(t, 200, nil)
	got := c.s.smtp.Received()
	require.Len(t, got, 1)
	require.Equal(t, []string{strings.ToLower(address)}, got[0].To)
	found := codeText.FindStringSubmatch(got[0].Data)
	require.NotNil(t, found)
	c.cookies(c.do("POST", "/v1/auth/login", `{"email":"`+address+`","otp":"`+found[1]+`"}`).ok(t, 200, nil))
	return found[1]
}

// A key is one as the API shows it.
type key struct {
	ID       string  `json:"id"`
	Token    string  `json:"plain_text_key"`
	Label    string  `json:"label"`
	LastFive string  `json:"last_five"`
	LastUsed *string `json:"last_used_at"`
}

// generate makes a key.
func (c *client) generate(label string) (k key) {
	c.s.t.Helper()
	c.do("POST", "/v1/api-key", `{"label":"`+label+`","notification_contacts":["ops@agency.gov.sg"]}`).ok(c.s.t, 201, &k)
	return k
}

// with returns a client that has a key and no session.
func (s *instance) with(token string) *client {
	c := s.client()
	c.token = token
	return c
}

const hello = `{"recipient":"ann@home.example","subject":"Your appointment","body":"It is at nine."}`
