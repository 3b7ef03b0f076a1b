// Package mail sends the service's mails: to a mail server, or to a page for trying things out.
package mail

import (
	"context"
	"errors"
)

// A Message is a mail in plain text.
type Message struct {
	To      string // an address
	ReplyTo string // an address, or empty
	Subject string
	Text    string

	// Automatic marks a mail that no person wrote, so that nobody's absence note answers it.
	Automatic bool
}

// A Sender sends mails. It is safe for concurrent use.
type Sender interface {
	// Send returns once somebody else has taken charge of the mail. It fails with an error that wraps
	// ErrRefused if the recipient will never be served, and with any other if it could not be sent now.
	Send(ctx context.Context, m Message) error
}

// ErrRefused says that the mail server does not serve the recipient.
var ErrRefused = errors.New("the mail server refuses the recipient")
