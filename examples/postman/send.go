package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	netmail "net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/opengovsg/latchkey/examples/postman/mail"
	"github.com/opengovsg/latchkey/examples/postman/web"
)

const (
	maxAddress = 254     // bytes, RFC 5321 section 4.5.3.1.3
	maxSubject = 255     // characters
	maxText    = 1 << 20 // bytes
	maxSend    = maxText*2 + 8<<10

	// sending bounds how long a mail may take until the mail server has it.
	sending = 30 * time.Second
)

// A message is one that was accepted, as today's callers know it. What this service does not do is null.
type message struct {
	ID          string   `json:"id"`
	From        string   `json:"from"`
	Recipient   string   `json:"recipient"`
	Params      params   `json:"params"`
	Attachments *string  `json:"attachments_metadata"`
	Status      string   `json:"status"`
	ErrorCode   *string  `json:"error_code"`
	AcceptedAt  string   `json:"accepted_at"`
	SentAt      *string  `json:"sent_at"`
	DeliveredAt *string  `json:"delivered_at"`
	OpenedAt    *string  `json:"opened_at"`
	CreatedAt   string   `json:"created_at"`
	UpdatedAt   string   `json:"updated_at"`
	Cc          []string `json:"cc"`
	Bcc         []string `json:"bcc"`
}

type params struct {
	Subject string `json:"subject"`
	Body    string `json:"body"`
}

// serveSend sends {"recipient", "subject", "body"}, and answers 201 once the mail server has it. The body is
// sent as plain text, whatever it looks like. Replies go to the caller.
func (s *service) serveSend(w http.ResponseWriter, r *http.Request) {
	owner := s.caller(w, r, scopeSend)
	if owner == "" {
		return
	}
	body, err := web.ReadObject(w, r, maxSend, "recipient", "subject", "body")
	if err == nil {
		err = checkMessage(body["recipient"], body["subject"], body["body"])
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	m := mail.Message{To: body["recipient"], Subject: body["subject"], Text: body["body"]}
	if plainAddress(owner) { // which a key of the earlier system need not have
		m.ReplyTo = owner
	}
	created := s.now()
	ctx, cancel := context.WithTimeout(r.Context(), sending)
	defer cancel()
	if err := s.mail.Send(ctx, m); err != nil {
		s.refuse(w, r, err)
		return
	}
	accepted := instant(s.now())
	web.JSON(w, http.StatusCreated, message{
		ID: strings.ToLower(rand.Text()), From: s.from, Recipient: body["recipient"],
		Params: params{body["subject"], body["body"]}, Status: "ACCEPTED",
		AcceptedAt: accepted, CreatedAt: instant(created), UpdatedAt: accepted, Cc: []string{}, Bcc: []string{},
	})
}

// refuse answers why a mail was not sent.
func (s *service) refuse(w http.ResponseWriter, r *http.Request, err error) {
	answer, ok := errors.AsType[*web.Refusal](err)
	switch {
	case ok:
	case errors.Is(err, mail.ErrRefused):
		answer = &web.Refusal{Status: http.StatusBadRequest, Code: "invalid_recipient", Message: "The mail server refuses the recipient."}
	default:
		s.fault(r, errors.New("a mail could not be sent: "+mail.Cause(err)))
		answer = web.Unavailable("The mail could not be sent. Try again shortly.")
	}
	web.Refuse(w, answer)
}

// checkMessage refuses what two programs might read differently, and what would not arrive as it is.
func checkMessage(recipient, subject, text string) error {
	switch {
	case !plainAddress(recipient):
		return web.Invalid("recipient must be one plain e-mail address, name@domain, in ASCII.")
	case strings.TrimSpace(subject) == "" || utf8.RuneCountInString(subject) > maxSubject || strings.ContainsFunc(subject, unprintable):
		return web.Invalid(fmt.Sprintf("subject must be 1 to %d printable characters on one line.", maxSubject))
	case strings.TrimSpace(text) == "" || len(text) > maxText:
		return web.Invalid(fmt.Sprintf("body must be a text of 1 to %d bytes.", maxText))
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune("\t\r\n", r) }):
		return web.Invalid("body must not have control characters other than tabs and line ends.")
	}
	return nil
}

// plainAddress reports whether s is an address, without what a name, a comment, a list or a line of its own
// would take.
func plainAddress(s string) bool {
	_, err := netmail.ParseAddress(s)
	return err == nil && len(s) <= maxAddress &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"[]()<>,;:\`, r) })
}

// unprintable reports what could begin a line of its own, or turn the direction of what follows.
func unprintable(r rune) bool { return !unicode.IsPrint(r) && r != '\u200d' } // which joins emoji

// instant spells a time in ISO 8601 with milliseconds, as JavaScript does.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
