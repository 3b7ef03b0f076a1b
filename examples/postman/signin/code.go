package signin

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/opengovsg/latchkey/examples/postman/mail"
	"github.com/opengovsg/latchkey/examples/postman/web"
)

const (
	digits = 6

	// codeLife is how long a code is good for, and maxTries how many guesses it bears. With maxSent codes in
	// a window, a mailbox takes 25 guesses an hour, of a million.
	codeLife = 10 * time.Minute
	maxTries = 5

	// resend is how long to wait for another code, and maxSent how many are sent to a mailbox until nobody
	// has asked for a window's length, so that nobody's can be filled.
	resend  = 30 * time.Second
	maxSent = 5
	window  = time.Hour

	// mailing bounds how long it may take to mail a code, and noting, to write down what came of it.
	mailing = 15 * time.Second
	noting  = 5 * time.Second

	// maxWaiting is how many addresses may have been sent a code that was not used, so that neither the
	// mail server nor the database can be flooded.
	maxWaiting = 1000

	// maxWrong is how many guesses there may be in a window at all the codes that were not used: who guesses
	// a little at each of many addresses takes some account in the end. No code is sent then, none that was
	// sent before is looked at, and whoever watches the log hears of it.
	maxWrong = 300
)

// Who asks for another address's code is told the same as everybody.
var (
	errAddress = web.Invalid("email must be a plain e-mail address that ends in .gov.sg.")
	errForm    = web.Invalid(fmt.Sprintf("otp must be %d digits.", digits))
	errCode    = web.SignedOut(fmt.Sprintf("The code is not right, or not any more. After %d tries, or %d minutes, ask for another one.",
		maxTries, int(codeLife.Minutes())))
	errTired  = errors.New("too many wrong codes were tried: somebody is guessing")
	errBusy   = web.Unavailable("Too many people are signing in. Try again in a few minutes.")
	errUnsent = web.Unavailable("The mail with the code could not be sent. Try again in a minute.")
)

func wait(d time.Duration) error {
	return &web.Refusal{
		Status: http.StatusTooManyRequests, Code: "rate_limit", RetryAfter: d,
		Message: fmt.Sprintf("Wait %d seconds before you ask for another code.", web.Seconds(d)),
	}
}

// sendCode mails a code to the address, and ends the one before. Its error is a [*web.Refusal], or a fault of
// the database.
func (s *SignIn) sendCode(ctx context.Context, r *http.Request, address string) error {
	address, err := s.policy.Admit(address)
	if err != nil {
		return errAddress
	}
	if err := s.clean(ctx); err != nil {
		return err
	}
	code := newCode()
	salt := make([]byte, 16)
	rand.Read(salt)
	hash := sum(s.keys[0], salt, address, code)
	box := mailbox(address)
	if err := s.reserve(ctx, box, salt, hash); err != nil {
		return err
	}
	// Whoever asked may go meanwhile: who presses the button twice hangs up the first time, and is told the
	// second time to wait for the mail.
	ctx = context.WithoutCancel(ctx)
	sending, cancel := context.WithTimeout(ctx, mailing)
	err = s.mail.Send(sending, letter(address, code))
	cancel()
	ctx, cancel = context.WithTimeout(ctx, noting)
	defer cancel()
	if err != nil {
		s.onError(r, errors.New("a mail with a code could not be sent: "+mail.Cause(err)))
		// It does not count, but for the time to wait.
		if _, err := s.exec(ctx, "UPDATE postman_codes SET sent = sent - 1 WHERE address = ? AND hash = ?", box, hash); err != nil {
			return err
		}
		return errUnsent
	}
	// Only now can it be guessed, and guesses be counted.
	_, err = s.exec(ctx, "UPDATE postman_codes SET tries = ? WHERE address = ? AND hash = ?", maxTries, box, hash)
	return err
}

// mailbox is what codes are kept and counted by. Mail to siti+a@ and siti+b@ goes to siti@ on most servers:
// they are three owners, and one mailbox to fill. Which of them a code is for, its hash says.
func mailbox(address string) string {
	name, domain, _ := strings.Cut(address, "@")
	if tag := strings.IndexByte(name, '+'); tag > 0 {
		name = name[:tag]
	}
	return name + "@" + domain
}

// newCode draws each of a million codes as likely as any other.
func newCode() string {
	number, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return fmt.Sprintf("%0*d", digits, number)
}

// reserve writes down that a code is being sent, or refuses.
func (s *SignIn) reserve(ctx context.Context, box string, salt, hash []byte) error {
	now := s.now()
	over := now.Add(-window).UnixMicro()
	waiting, wrong, err := s.waiting(ctx, now)
	if err != nil {
		return err
	}
	if wrong >= maxWrong {
		return errTired
	}
	// MySQL assigns from left to right, and the first two need sent_at as it was.
	n, err := s.exec(ctx, "UPDATE postman_codes SET sent = CASE WHEN sent_at <= ? THEN 1 ELSE sent + 1 END,"+
		" wrong = CASE WHEN sent_at <= ? THEN 0 ELSE wrong END, salt = ?, hash = ?, sent_at = ?, tries = 0 WHERE address = ? AND sent_at <= ? AND (sent < ? OR sent_at <= ?)",
		over, over, salt, hash, now.UnixMicro(), box, now.Add(-resend).UnixMicro(), maxSent, over)
	if err != nil || n > 0 {
		return err
	}
	var sentAt, sent int64
	err = s.row(ctx, "SELECT sent_at, sent FROM postman_codes WHERE address = ?", box).Scan(&sentAt, &sent)
	switch {
	case err == nil && sent >= maxSent:
		return wait(time.UnixMicro(sentAt).Add(window).Sub(now))
	case err == nil:
		return wait(time.UnixMicro(sentAt).Add(resend).Sub(now))
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	if waiting >= maxWaiting {
		return errBusy
	}
	n, err = s.exec(ctx, "INSERT INTO postman_codes (address, salt, hash, sent_at, sent, tries, wrong) VALUES (?, ?, ?, ?, 1, 0, 0) ON CONFLICT DO NOTHING",
		box, salt, hash, now.UnixMicro())
	if err == nil && n == 0 {
		return wait(resend)
	}
	return err
}

// waiting counts the addresses whose code was not used, and the guesses at them.
func (s *SignIn) waiting(ctx context.Context, now time.Time) (addresses, wrong int64, err error) {
	err = s.row(ctx, "SELECT COUNT(*), COALESCE(SUM(wrong), 0) FROM postman_codes WHERE sent_at > ?", now.Add(-window).UnixMicro()).Scan(&addresses, &wrong)
	return addresses, wrong, err
}

// redeem returns who the code was sent to, once. Its error is a [*web.Refusal], or a fault of the database.
func (s *SignIn) redeem(ctx context.Context, address, code string) (owner string, err error) {
	if owner, err = s.policy.Admit(address); err != nil {
		return "", errAddress
	}
	if !wellFormed(code) {
		return "", errForm
	}
	box := mailbox(owner)
	var salt, hash []byte
	var sentAt int64
	err = s.row(ctx, "SELECT salt, hash, sent_at FROM postman_codes WHERE address = ?", box).Scan(&salt, &hash, &sentAt)
	if errors.Is(err, sql.ErrNoRows) {
		return "", errCode
	}
	if err != nil {
		return "", err
	}
	now := s.now()
	if !now.Before(time.UnixMicro(sentAt).Add(codeLife)) {
		return "", errCode
	}
	// A try is taken before the code is looked at, or tries at the same time would be more than that.
	n, err := s.exec(ctx, "UPDATE postman_codes SET tries = tries - 1, wrong = wrong + 1 WHERE address = ? AND hash = ? AND tries > 0", box, hash)
	if err != nil {
		return "", err
	}
	if n == 0 {
		return "", errCode
	}
	// With this one, or who asks for a thousand codes and then guesses at all of them has five thousand
	// guesses.
	_, wrong, err := s.waiting(ctx, now)
	if err != nil {
		return "", err
	}
	if wrong > maxWrong {
		return "", errTired
	}
	if !s.matches(salt, hash, owner, code) {
		return "", errCode
	}
	// Of two with the right code, one deletes it.
	n, err = s.exec(ctx, "DELETE FROM postman_codes WHERE address = ? AND hash = ?", box, hash)
	if err != nil {
		return "", err
	}
	if n == 0 {
		return "", errCode
	}
	return owner, nil
}

// matches reports whether the hash is that of the code under one of the keys.
func (s *SignIn) matches(salt, hash []byte, address, code string) bool {
	match := 0
	for _, key := range s.keys {
		match |= subtle.ConstantTimeCompare(hash, sum(key, salt, address, code))
	}
	return match == 1
}

func sum(key, salt []byte, address, code string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(salt) // always 16 bytes
	mac.Write([]byte(code + " " + address))
	return mac.Sum(nil)
}

func wellFormed(code string) bool {
	if len(code) != digits {
		return false
	}
	for _, b := range []byte(code) {
		if b < '0' || b > '9' {
			return false
		}
	}
	return true
}

func letter(address, code string) mail.Message {
	return mail.Message{
		To:        address,
		Subject:   "Your code to sign in to Postman",
		Automatic: true,
		Text: fmt.Sprintf(`Your code to sign in to Postman is

    %s

It works once, and for %d minutes. An earlier code no longer works.

If you did not ask for it, there is nothing to do: nobody can sign
in without it. Nobody will ever ask you for it, by phone or mail.
`, code, int(codeLife.Minutes())),
	}
}
