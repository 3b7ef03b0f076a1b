package main

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The peers of this file write to the database with every verification. Their modules could not be had.

// writingPeers are they, on a database.
func writingPeers(ctx context.Context, e engine) (subjects []*subject, err error) {
	for _, peer := range []func(context.Context, engine) (*subject, error){keystogoPeer, auditPeer} {
		s, err := peer(ctx, e)
		if err != nil {
			return nil, errors.Join(err, closeAll(subjects))
		}
		s.origin, s.where = originRecreated, e.name
		subjects = append(subjects, s)
	}
	return subjects, nil
}

// sha256Hex is what many peers look a key up by.
func sha256Hex(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// keystogoPeer is after ValidateKey in pkg/keystogo/manager.go of github.com/karurosux/keystogo: the row by
// the SHA-256 of the token, and then an UPDATE of its last use. Its SQL store is announced; this is ours.
func keystogoPeer(ctx context.Context, e engine) (*subject, error) {
	t, err := newPeerTable(ctx, e, sha256Hex, func(string) []byte { return []byte{} })
	if err != nil {
		return nil, err
	}
	touch, err := t.prepare(ctx, "UPDATE api_keys SET last_used_at = ? WHERE id = ?")
	if err != nil {
		return nil, errors.Join(err, t.drop())
	}
	return &subject{
		name:   "keystogo",
		does:   "SHA-256, a SELECT by it, an UPDATE of the last use",
		source: "karurosux/keystogo, pkg/keystogo/manager.go, 0c5d2ed",
		tokens: t.tokens,
		verifier: func() verify {
			return func(ctx context.Context, token string) (bool, error) {
				row, found, err := t.get(ctx, sha256Hex(token))
				if err != nil || !found || !row.live() || row.scopes != "email:send" {
					return false, err
				}
				_, err = touch.ExecContext(ctx, time.Now().UnixMicro(), row.id)
				return err == nil, err
			}
		},
		wrong:   flip,
		garbage: peerToken,
		change:  func(ctx context.Context, token string) error { return t.change(ctx, sha256Hex(token)) },
		close:   t.drop,
	}, nil
}

// auditPeer is after VerifyAPIKey in workflow.go of github.com/lechefran/auth, v0.1.0-alpha.1, and its
// stores: the key by its prefix, an HMAC, the owner, an UPDATE of the last use, and an audit event for
// every verification, also of a token that opens nothing.
func auditPeer(ctx context.Context, e engine) (s *subject, err error) {
	var secret [32]byte
	rand.Read(secret[:])
	hash := func(token string) []byte {
		mac := hmac.New(sha256.New, secret[:])
		mac.Write([]byte(token))
		return mac.Sum(nil)
	}
	public := func(token string) string {
		id, _, _ := strings.Cut(token, ".")
		return id
	}
	t, err := newPeerTable(ctx, e, public, hash)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.drop())
		}
	}()
	for _, ddl := range []string{
		"CREATE TABLE principals (id %[1]s PRIMARY KEY, name %[1]s NOT NULL, disabled_at BIGINT)",
		`CREATE TABLE audit_events (id %[1]s PRIMARY KEY, type %[1]s NOT NULL, actor %[1]s NOT NULL, principal %[1]s NOT NULL,
  api_key %[1]s NOT NULL, occurred BIGINT NOT NULL, metadata %[1]s NOT NULL)`,
		"CREATE INDEX audit_events_occurred ON audit_events (occurred)",
		"INSERT INTO principals (id, name) VALUES ('user_42', 'HR')",
	} {
		if strings.Contains(ddl, "%") {
			ddl = fmt.Sprintf(ddl, e.text)
		}
		if _, err := t.db.ExecContext(ctx, ddl); err != nil {
			return nil, err
		}
	}
	var statements [3]*sql.Stmt
	for i, query := range []string{
		"SELECT name, disabled_at FROM principals WHERE id = ?",
		"UPDATE api_keys SET last_used_at = ? WHERE id = ?",
		"INSERT INTO audit_events (id, type, actor, principal, api_key, occurred, metadata) VALUES (?, ?, ?, ?, ?, ?, ?)",
	} {
		if statements[i], err = t.prepare(ctx, query); err != nil {
			return nil, err
		}
	}
	principal, touch, audit := statements[0], statements[1], statements[2]
	record := func(ctx context.Context, kind, owner, key string) error {
		_, err := audit.ExecContext(ctx, rand.Text(), kind, owner, owner, key, time.Now().UnixMicro(), "{}")
		return err
	}
	return &subject{
		name:   "lechefran/auth",
		does:   "a SELECT by id, HMAC-SHA-256, a SELECT of the owner, an UPDATE of the last use, an INSERT of an audit event",
		source: "lechefran/auth, workflow.go, v0.1.0-alpha.1",
		tokens: t.tokens,
		verifier: func() verify {
			return func(ctx context.Context, token string) (bool, error) {
				row, found, err := t.get(ctx, public(token))
				if err != nil {
					return false, err
				}
				if !found || subtle.ConstantTimeCompare(hash(token), row.hash) != 1 || !row.live() {
					return false, record(ctx, "api_key.verification_failed", row.owner, row.id)
				}
				var name string
				var disabled sql.NullInt64
				if err := principal.QueryRowContext(ctx, row.owner).Scan(&name, &disabled); err != nil || disabled.Valid {
					return false, err
				}
				if _, err := touch.ExecContext(ctx, time.Now().UnixMicro(), row.id); err != nil {
					return false, err
				}
				err = record(ctx, "api_key.verified", row.owner, row.id)
				return err == nil, err
			}
		},
		wrong:   flip,
		garbage: peerToken,
		change:  func(ctx context.Context, token string) error { return t.change(ctx, public(token)) },
		close:   t.drop,
	}, nil
}
