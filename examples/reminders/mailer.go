package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/opengovsg/latchkey/apikey/reminder"
)

// A mailer is a reminder.Notifier that sends mails.
type mailer struct {
	client   *mail.Client
	from     string // an address
	settings string // a URL
	log      func(line string)
}

// newClient returns a client of the mail server, which it calls with every notice. It hands over
// neither a password nor a mail before the connection is encrypted.
func newClient(server string, plaintext bool) (*mail.Client, error) {
	host, port, err := net.SplitHostPort(server)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("the port of %s: %w", server, err)
	}
	options := []mail.Option{mail.WithPort(number), mail.WithTimeout(time.Minute)}
	switch {
	case plaintext:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	case number == 465:
		options = append(options, mail.WithSSL())
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if user := os.Getenv("SMTP_USERNAME"); user != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover),
			mail.WithUsername(user), mail.WithPassword(os.Getenv("SMTP_PASSWORD")))
	}
	return mail.NewClient(host, options...)
}

// Notify sends each contact a mail of its own: nobody learns who else is told, and an address that is
// refused keeps no other from being told. It succeeds once somebody was told. If it failed then, that one
// would get the same mail every hour for as long as another one's mailbox is full.
func (m *mailer) Notify(ctx context.Context, n reminder.Notice) error {
	l, err := write(n, m.settings)
	if err != nil {
		return err
	}
	var msgs []*mail.Msg
	var failed []error
	for _, contact := range n.Contacts {
		msg, err := m.compose(n, l, contact)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		msgs = append(msgs, msg)
	}
	if len(msgs) > 0 {
		failed = append(failed, m.client.DialAndSendWithContext(ctx, msgs...))
	}
	sent := 0
	for _, msg := range msgs {
		if msg.IsDelivered() {
			sent++
		}
	}
	if sent == 0 {
		return errors.Join(failed...)
	}
	if sent < len(n.Contacts) {
		// Without the errors, which name the addresses.
		m.log(fmt.Sprintf("key %s: %d of %d contacts could not be told", n.Key.ID, len(n.Contacts)-sent, len(n.Contacts)))
	}
	return nil
}

// compose returns the mail to one contact.
func (m *mailer) compose(n reminder.Notice, l letter, contact string) (*mail.Msg, error) {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := msg.FromFormat("API keys", m.from); err != nil {
		return nil, err
	}
	if err := msg.To(contact); err != nil {
		return nil, err
	}
	msg.SetDate()
	// The same for a mail that is sent again, so that a mailbox may drop one of them.
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d %s", n.Key.ID, n.ExpiresAt.Unix(), n.Milestone, contact))
	msg.SetMessageIDWithValue(fmt.Sprintf("%x@%s", sum[:12], m.from[strings.LastIndex(m.from, "@")+1:]))
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no answer that somebody is on leave
	msg.Subject(l.subject)
	msg.SetBodyString(mail.TypeTextPlain, l.text)
	msg.AddAlternativeString(mail.TypeTextHTML, l.html)
	return msg, nil
}
