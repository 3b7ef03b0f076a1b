package mail

import (
	"context"
	_ "embed"
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/opengovsg/latchkey/examples/postman/web"
)

// room is how many mails an [Outbox] keeps.
const room = 100

// An Outbox is a [Sender] that keeps the last 100 mails in memory, for people who try the service out. The
// zero Outbox is ready for use.
type Outbox struct {
	mu    sync.Mutex
	count int
	mails []kept // the newest first
}

// A kept mail is one as the outbox shows it.
type kept struct {
	ID      int       `json:"id"` // counts from 1
	SentAt  time.Time `json:"sent_at"`
	To      string    `json:"to"`
	ReplyTo string    `json:"reply_to"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
}

// Send implements [Sender]. It never fails.
func (o *Outbox) Send(_ context.Context, m Message) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.count++
	k := kept{o.count, time.Now().UTC().Truncate(time.Millisecond), m.To, m.ReplyTo, m.Subject, m.Text}
	o.mails = slices.Insert(o.mails, 0, k)
	o.mails = o.mails[:min(len(o.mails), room)]
	return nil
}

func (o *Outbox) list() []kept {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]kept{}, o.mails...)
}

//go:embed outbox.html
var outboxSource string

var outboxPage = template.Must(template.New("outbox").Parse(outboxSource))

// Page shows the mails, the newest first, to this machine alone.
func (o *Outbox) Page() http.Handler {
	return localOnly(func(w http.ResponseWriter, _ *http.Request) {
		web.Page(w, http.StatusOK, outboxPage, o.list(), nil)
	})
}

// JSON answers with an array of the mails, the newest first, to this machine alone.
func (o *Outbox) JSON() http.Handler {
	return localOnly(func(w http.ResponseWriter, _ *http.Request) {
		web.JSON(w, http.StatusOK, o.list())
	})
}

// localOnly refuses whoever is not on this machine, and a page of another site whose name was made to
// lead to this machine, so that a browser takes it for the same site: it still asks for that name. A proxy
// or a tunnel on this machine that asks for the whole world may ask for this machine by its name, and most
// say that they do so.
func localOnly(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !local(r.RemoteAddr) || !local(r.Host) || forwarded(r.Header) {
			web.Refuse(w, &web.Refusal{Status: http.StatusForbidden, Code: "not_local", Message: "The outbox is for this machine only."})
			return
		}
		next(w, r)
	})
}

// forwarded reports whether a proxy passes a request on, as far as it says so.
func forwarded(h http.Header) bool {
	return slices.ContainsFunc([]string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"}, func(name string) bool {
		return h[name] != nil
	})
}

// local reports whether a host, with or without a port, is this machine by its own name for itself.
func local(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = strings.Trim(address, "[]")
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
