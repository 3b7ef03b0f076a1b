package mail

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wneessen/go-mail"
)

const (
	// timeout bounds the conversation with the mail server.
	timeout = 15 * time.Second

	// atOnce is how many conversations there are at a time; more mails wait for their turn. There are as many
	// again for mails that no person wrote: whoever sends a great many keeps nobody from signing in.
	atOnce = 8

	// maxWord is how many bytes of a subject one encoded word holds: 75 characters with what is around them
	// (RFC 2047 section 2).
	maxWord = 45
)

// SMTPConfig says how mails get to a mail server.
type SMTPConfig struct {
	Server    string // host:port
	From      string // the address that every mail is from
	Username  string // empty: no login
	Password  string
	Plaintext bool // no TLS: anybody in between can read along
}

// SMTP is a [Sender] that hands mails to a mail server. Make one with [NewSMTP].
type SMTP struct {
	client    *mail.Client
	from      string
	tls       *tls.Config
	implicit  bool // TLS from the start, without STARTTLS
	turns     chan struct{}
	automatic chan struct{} // turns as well
}

// NewSMTP returns a sender. It calls the server with every mail, and hands over neither the password nor
// a mail before the connection is encrypted, unless Plaintext is set. No error repeats the password.
func NewSMTP(c SMTPConfig) (*SMTP, error) {
	host, port, err := net.SplitHostPort(c.Server)
	if err != nil {
		return nil, errors.New("the mail server must be host:port")
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, errors.New("the port of the mail server must be a number")
	}
	return dialing(c, host, int(number), number == 465 && !c.Plaintext)
}

// dialing returns a sender that calls a port, with TLS from the start where it is implicit.
func dialing(c SMTPConfig, host string, port int, implicit bool) (*SMTP, error) {
	s := &SMTP{
		from: c.From, tls: &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}, implicit: implicit,
		turns: make(chan struct{}, atOnce), automatic: make(chan struct{}, atOnce),
	}
	options := []mail.Option{mail.WithPort(port), mail.WithTimeout(timeout), mail.WithTLSConfig(s.tls), mail.WithDialContextFunc(s.dial)}
	switch {
	case c.Plaintext:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	case implicit: // dial has seen to it, and in there is no STARTTLS
		options = append(options, mail.WithTLSPolicy(mail.TLSOpportunistic))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if c.Username != "" {
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover),
			mail.WithUsername(c.Username), mail.WithPassword(c.Password))
	}
	var err error
	if s.client, err = mail.NewClient(host, options...); err != nil {
		return nil, errors.New("the mail server can't be used")
	}
	if _, err := s.compose(Message{To: c.From}); err != nil {
		return nil, errors.New("the address that mails are from must be an e-mail address")
	}
	return s, nil
}

// Send implements [Sender]. It takes at most 15 seconds, and those of waiting for a turn.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	msg, err := s.compose(m)
	if err != nil {
		return err
	}
	turns := s.turns
	if m.Automatic {
		turns = s.automatic
	}
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, hangUp := context.WithTimeout(ctx, timeout)
	defer hangUp()
	err = s.client.DialAndSendWithContext(context.WithValue(ctx, conversation{}, ctx), msg)
	if msg.IsDelivered() {
		return nil // though the server may have hung up without a word
	}
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	if failed, ok := errors.AsType[*mail.SendError](err); ok && failed.Reason == mail.ErrSMTPRcptTo && !failed.IsTemp() {
		return ErrRefused
	}
	return err
}

// conversation is the key of the context of a conversation, in its own values.
type conversation struct{}

// dial calls the server, and hangs up when the context of the conversation ends. After the call go-mail
// looks at no context, allows each step the whole time again, and does not hang up on a server that falls
// silent.
func (s *SMTP) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	whole := ctx.Value(conversation{}).(context.Context)
	context.AfterFunc(whole, func() { conn.Close() })
	if !s.implicit {
		return conn, nil
	}
	encrypted := tls.Client(conn, s.tls)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return encrypted, nil
}

// Cause returns what may be logged of an error of Send: what the network or the mail server said, without
// the address that it may have said it of.
func Cause(err error) string {
	if network, ok := errors.AsType[*net.OpError](err); ok {
		return network.Error()
	}
	if failed, ok := errors.AsType[*mail.SendError](err); ok && failed.ErrorCode() > 0 {
		return fmt.Sprintf("the mail server answered %d", failed.ErrorCode())
	}
	for _, known := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return "it is not known why"
}

// compose returns the mail as go-mail has it, which encodes what can't stand in a header.
func (s *SMTP) compose(m Message) (*mail.Msg, error) {
	msg := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := msg.From(s.from); err != nil {
		return nil, err
	}
	if err := msg.To(m.To); err != nil {
		return nil, fmt.Errorf("the recipient is no address")
	}
	if m.ReplyTo != "" {
		if err := msg.ReplyTo(m.ReplyTo); err != nil {
			return nil, err
		}
	}
	if m.Automatic {
		msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834
	}
	msg.SetDate()
	msg.SetMessageID()
	msg.Subject(spell(m.Subject))
	msg.SetBodyString(mail.TypeTextPlain, m.Text)
	return msg, nil
}

// spell spells a subject so that it arrives as it is. What is not ASCII go-mail encodes. Of what is, it loses
// spaces where it folds lines, and readers take for encoded, and decode, what looks like it.
func spell(subject string) string {
	if !strings.Contains(subject, "=?") && !strings.Contains(subject, "  ") && strings.TrimSpace(subject) == subject {
		return subject
	}
	var words []string
	var word []byte
	for _, r := range subject {
		if len(word)+utf8.RuneLen(r) > maxWord {
			words, word = append(words, encoded(word)), nil
		}
		word = utf8.AppendRune(word, r)
	}
	return strings.Join(append(words, encoded(word)), " ")
}

func encoded(word []byte) string {
	return "=?utf-8?b?" + base64.StdEncoding.EncodeToString(word) + "?="
}
