package main

import (
	"cmp"
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strings"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/opengovsg/latchkey/apikey/legacy"
)

// The peers of this file can't be had as modules that one would require for it. They are re-created from
// what is published of them, with a map where they read a database, which is in their favour.

// hashPeers are peers whose hash takes the time.
func hashPeers(ctx context.Context, p plan) ([]*subject, error) {
	var subjects []*subject
	for _, peer := range []func(context.Context, plan) (*subject, error){grafanaPeer, giteaPeer, postmanPeer} {
		s, err := peer(ctx, p)
		if err != nil {
			return nil, err
		}
		s.origin, s.where = originRecreated, inMemory
		subjects = append(subjects, s)
	}
	return subjects, nil
}

// slowHash is PBKDF2 with HMAC-SHA-256, 10 000 iterations and 50 bytes, in hexadecimal digits: Grafana's
// util.EncodePassword and Gitea's HashToken.
func slowHash(secret, salt string) (string, error) {
	b, err := pbkdf2.Key(sha256.New, secret, []byte(salt), 10_000, 50)
	return hex.EncodeToString(b), err
}

// grafanaPeer is after pkg/components/satokengen of github.com/grafana/grafana, version 9 and later: the
// salt is the checksum in the token, and the key is found by the hash.
func grafanaPeer(ctx context.Context, p plan) (*subject, error) {
	sum := func(text string) string {
		n := crc32.ChecksumIEEE([]byte(text))
		return hex.EncodeToString([]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)})
	}
	generate := func() string {
		text := "glsa_" + rand.Text() + rand.Text()[:6] // 32 characters
		return text + "_" + sum(text)
	}
	hashed := func(token string) (string, error) {
		at := strings.LastIndexByte(token, '_')
		if at < 0 || !strings.HasPrefix(token, "glsa_") || sum(token[:at]) != token[at+1:] {
			return "", nil
		}
		return slowHash(token[len("glsa_"):at], token[at+1:])
	}
	keys := make(map[string]bool)
	tokens := make([]string, p.hashedKeys)
	for i := range tokens {
		tokens[i] = generate()
		hash, err := hashed(tokens[i])
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return nil, err
		}
		keys[hash] = true
	}
	return &subject{
		name:   "Grafana service accounts",
		does:   "CRC-32, PBKDF2 with 10 000 iterations, a map in place of the database",
		source: "grafana/grafana, pkg/components/satokengen, since 9",
		tokens: tokens,
		verifier: func() verify {
			return func(_ context.Context, token string) (bool, error) {
				hash, err := hashed(token)
				return err == nil && keys[hash], err
			}
		},
		wrong:   flip,
		garbage: generate,
	}, nil
}

// giteaPeer is after models/auth/access_token.go of github.com/go-gitea/gitea, version 1.2x: rows are
// found by the last eight characters, each with a salt of its own, and the last twenty tokens that
// opened one are remembered, as [service] SUCCESSFUL_TOKENS_CACHE_SIZE has it by default.
func giteaPeer(ctx context.Context, p plan) (*subject, error) {
	type row struct{ salt, hash string }
	rows := make(map[string][]row)
	generate := func() string {
		var b [20]byte
		rand.Read(b[:])
		return hex.EncodeToString(b[:])
	}
	tokens := make([]string, p.hashedKeys)
	for i := range tokens {
		tokens[i] = generate()
		salt := rand.Text()[:10]
		hash, err := slowHash(tokens[i], salt)
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return nil, err
		}
		last := tokens[i][len(tokens[i])-8:]
		rows[last] = append(rows[last], row{salt, hash})
	}
	const remembered = 20
	cache, err := lru.New[string, row](remembered)
	if err != nil {
		return nil, err
	}
	return &subject{
		name:   "Gitea access tokens",
		does:   fmt.Sprintf("PBKDF2 with 10 000 iterations, a map in place of the database; remembers %d tokens", remembered),
		source: "go-gitea/gitea, models/auth, 1.2x",
		tokens: tokens,
		verifier: func() verify {
			return func(_ context.Context, token string) (bool, error) {
				if len(token) != 40 {
					return false, nil
				}
				found := rows[token[len(token)-8:]]
				if seen, ok := cache.Get(token); ok {
					for _, r := range found { // the row is read again, in case it has gone
						if subtle.ConstantTimeCompare([]byte(r.hash), []byte(seen.hash)) == 1 {
							return true, nil
						}
					}
					cache.Remove(token)
				}
				for _, r := range found {
					hash, err := slowHash(token, r.salt)
					if err != nil {
						return false, err
					}
					if subtle.ConstantTimeCompare([]byte(r.hash), []byte(hash)) == 1 {
						cache.Add(token, r)
						return true, nil
					}
				}
				return false, nil
			}
		},
		wrong:   func(token string) string { return strings.Repeat("0", 32) + token[32:] },
		garbage: generate,
	}, nil
}

// postmanPeer is Postman's first API: a bcrypt of the secret with cost 10, under one salt for all, for every
// request, by which the row is looked for. Package legacy derives what that system kept.
func postmanPeer(ctx context.Context, p plan) (*subject, error) {
	scheme, err := legacy.NewPostman("$2b$10$CCCCCCCCCCCCCCCCCCCCC.", "v1")
	if err != nil {
		return nil, err
	}
	generate := func() string {
		var b [33]byte
		rand.Read(b[:])
		return "user_v1_" + base64.StdEncoding.EncodeToString(b[:])
	}
	kept := make(map[string]bool)
	tokens := make([]string, p.slowKeys)
	for i := range tokens {
		tokens[i] = generate()
		hash, err := scheme.Derive(ctx, tokens[i])
		if err != nil {
			return nil, err
		}
		kept[hash] = true
	}
	return &subject{
		name:   "Postman's first API",
		does:   "bcrypt of cost 10 under one salt, a map in place of a table without an index",
		source: "as its tables were written, see package apikey/legacy",
		tokens: tokens,
		verifier: func() verify {
			return func(ctx context.Context, token string) (bool, error) {
				if !scheme.Recognizes(token) {
					return false, nil
				}
				hash, err := scheme.Derive(ctx, token)
				return err == nil && kept[hash], err
			}
		},
		wrong:   flip,
		garbage: generate,
	}, nil
}
