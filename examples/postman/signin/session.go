package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/opengovsg/latchkey/apikey"
)

const (
	// maxLife and maxIdle are how long a session lasts, and how long it lasts unused.
	maxLife = 12 * time.Hour
	maxIdle = time.Hour

	// seenEvery is how precisely it is kept when a session was used, so that not every request writes.
	seenEvery = time.Minute
)

// ErrSignedOut says that nobody is signed in.
var ErrSignedOut = errors.New("signin: nobody is signed in")

// Owner returns the address of the person behind a request, as emaildomain spells it. It fails with
// [ErrSignedOut] or, where nobody can tell, with an error that wraps [apikey.ErrUnavailable].
func (s *SignIn) Owner(r *http.Request) (string, error) {
	hash, ok := s.presented(r)
	if !ok {
		return "", ErrSignedOut
	}
	owner, err := s.find(r.Context(), hash)
	if err != nil && !errors.Is(err, ErrSignedOut) {
		return "", fmt.Errorf("%w: the session can't be looked up: %w", apikey.ErrUnavailable, err)
	}
	return owner, err
}

func (s *SignIn) find(ctx context.Context, hash []byte) (string, error) {
	var owner string
	var began, seen int64
	err := s.row(ctx, "SELECT owner, began_at, seen_at FROM postman_sessions WHERE hash = ?", hash).Scan(&owner, &began, &seen)
	if errors.Is(err, sql.ErrNoRows) {
		return "", ErrSignedOut
	}
	if err != nil {
		return "", err
	}
	now := s.now()
	if !now.Before(time.UnixMicro(began).Add(maxLife)) || !now.Before(time.UnixMicro(seen).Add(maxIdle)) {
		return "", ErrSignedOut
	}
	// Who may sign in can have changed since.
	if owner, err = s.policy.Admit(owner); err != nil {
		return "", ErrSignedOut
	}
	if now.After(time.UnixMicro(seen).Add(seenEvery)) {
		_, err = s.exec(ctx, "UPDATE postman_sessions SET seen_at = ? WHERE hash = ? AND seen_at < ?", now.UnixMicro(), hash, now.UnixMicro())
	}
	return owner, err
}

// begin signs somebody in: with a token that is new, so that one which somebody else put into the browser
// is worth nothing.
func (s *SignIn) begin(w http.ResponseWriter, r *http.Request, owner string) error {
	if err := s.forget(r); err != nil {
		return err
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	token := base64.RawURLEncoding.EncodeToString(secret)
	hash := sha256.Sum256([]byte(token))
	now := s.now().UnixMicro()
	if _, err := s.exec(r.Context(), "INSERT INTO postman_sessions (hash, owner, began_at, seen_at) VALUES (?, ?, ?, ?)",
		hash[:], owner, now, now); err != nil {
		return err
	}
	http.SetCookie(w, s.cookie(token, int(maxLife/time.Second)))
	return nil
}

// end signs somebody out, in the database as well, so that a copy of the cookie is worth nothing.
func (s *SignIn) end(w http.ResponseWriter, r *http.Request) error {
	if err := s.forget(r); err != nil {
		return err
	}
	http.SetCookie(w, s.cookie("", -1))
	return nil
}

// forget deletes the session that the request has, if any.
func (s *SignIn) forget(r *http.Request) error {
	hash, ok := s.presented(r)
	if !ok {
		return nil
	}
	_, err := s.exec(r.Context(), "DELETE FROM postman_sessions WHERE hash = ?", hash)
	return err
}

// presented returns the hash of the token in the request's cookie. The database has nothing else: who reads
// it can't sign in.
func (s *SignIn) presented(r *http.Request) (hash []byte, ok bool) {
	cookies := r.CookiesNamed(s.cookieName())
	if len(cookies) != 1 || len(cookies[0].Value) != base64.RawURLEncoding.EncodedLen(32) {
		return nil, false
	}
	sum := sha256.Sum256([]byte(cookies[0].Value))
	return sum[:], true
}

// cookieName begins with what makes browsers take the cookie from this host alone, and with TLS alone.
func (s *SignIn) cookieName() string {
	if s.insecure {
		return "postman"
	}
	return "__Host-postman"
}

func (s *SignIn) cookie(value string, seconds int) *http.Cookie {
	return &http.Cookie{
		Name:     s.cookieName(),
		Value:    value,
		Path:     "/",
		MaxAge:   seconds,
		Secure:   !s.insecure,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}
