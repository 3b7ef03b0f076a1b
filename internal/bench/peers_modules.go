package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/golang-jwt/jwt/v5"
	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/storage"
	"golang.org/x/crypto/bcrypt"
)

// modulePeers are peers by their public modules, called as their documentation says.
func modulePeers(ctx context.Context, p plan) ([]*subject, error) {
	var subjects []*subject
	for _, peer := range []func(context.Context, plan) (*subject, error){fositePeer, jwtPeer, bcryptPeer, argon2idPeer} {
		s, err := peer(ctx, p)
		if err != nil {
			return nil, err
		}
		s.origin, s.where = originModule, inMemory
		subjects = append(subjects, s)
	}
	return subjects, nil
}

// fositePeer is Ory's OAuth 2.0 library, which has opaque tokens with a checksum that is an HMAC, in its
// memory store. It is the closest a well-known Go module comes to verifying API keys.
func fositePeer(ctx context.Context, _ plan) (*subject, error) {
	var secret [32]byte
	rand.Read(secret[:])
	config := &fosite.Config{GlobalSecret: secret[:], AccessTokenLifespan: time.Hour}
	st := storage.NewMemoryStore()
	strategy := compose.NewOAuth2HMACStrategy(config)
	provider := compose.Compose(config, st, strategy, compose.OAuth2TokenIntrospectionFactory)
	generate := func(keep bool) (string, error) {
		r := fosite.NewRequest()
		r.Client = &fosite.DefaultClient{ID: "user_42", Scopes: []string{"email:send"}}
		r.GrantedScope = fosite.Arguments{"email:send"}
		r.Session = &fosite.DefaultSession{
			Subject:   "user_42",
			ExpiresAt: map[fosite.TokenType]time.Time{fosite.AccessToken: time.Now().Add(24 * time.Hour)},
		}
		token, signature, err := strategy.GenerateAccessToken(ctx, r)
		if err == nil && keep {
			err = st.CreateAccessTokenSession(ctx, signature, r)
		}
		return token, err
	}
	tokens := make([]string, issued)
	for i := range tokens {
		var err error
		if tokens[i], err = generate(true); err != nil {
			return nil, err
		}
	}
	return &subject{
		name:   "ory/fosite",
		does:   "IntrospectToken: HMAC-SHA-512/256, a map, expiry, one scope",
		source: moduleVersion("github.com/ory/fosite"),
		tokens: tokens,
		verifier: func() verify {
			return func(ctx context.Context, token string) (bool, error) {
				_, _, err := provider.IntrospectToken(ctx, token, fosite.AccessToken, new(fosite.DefaultSession), "email:send")
				if errors.Is(err, fosite.ErrRequestUnauthorized) || errors.Is(err, fosite.ErrTokenSignatureMismatch) {
					return false, nil
				}
				return err == nil, err
			}
		},
		wrong: flip,
		garbage: func() string {
			token, err := generate(false)
			if err != nil {
				panic(err) // of the same call that has just made a thousand
			}
			return token
		},
	}, nil
}

// jwtPeer is a signed token in the place of a key. It needs no store, and can't be revoked.
func jwtPeer(context.Context, plan) (*subject, error) {
	sign := func(secret []byte) (string, error) {
		return jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
			Subject: "user_42", ID: rand.Text(), ExpiresAt: jwt.NewNumericDate(time.Now().Add(24 * time.Hour)),
		}).SignedString(secret)
	}
	var secret, other [32]byte
	rand.Read(secret[:])
	rand.Read(other[:])
	tokens := make([]string, issued)
	for i := range tokens {
		var err error
		if tokens[i], err = sign(secret[:]); err != nil {
			return nil, err
		}
	}
	return &subject{
		name:   "golang-jwt/jwt HS256",
		does:   "HMAC-SHA-256, JSON, expiry; no store, so no revocation",
		source: moduleVersion("github.com/golang-jwt/jwt/v5"),
		tokens: tokens,
		verifier: func() verify {
			key := func(*jwt.Token) (any, error) { return secret[:], nil }
			return func(_ context.Context, token string) (bool, error) {
				var claims jwt.RegisteredClaims
				_, err := jwt.ParseWithClaims(token, &claims, key, jwt.WithValidMethods([]string{"HS256"}))
				return err == nil, nil
			}
		},
		wrong: flip,
		garbage: func() string {
			token, err := sign(other[:])
			if err != nil {
				panic(err) // of the same call that has just made a thousand
			}
			return token
		},
	}, nil
}

// bcryptPeer keeps a bcrypt of each secret, found by an id, as applications do that treat keys as
// passwords.
func bcryptPeer(ctx context.Context, p plan) (*subject, error) {
	return hashedPeer(ctx, p.slowKeys, "golang.org/x/crypto", "x/crypto bcrypt, cost 10", "a map, and CompareHashAndPassword",
		func(secret string) (string, error) {
			hash, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.DefaultCost)
			return string(hash), err
		},
		func(secret, hash string) (bool, error) {
			err := bcrypt.CompareHashAndPassword([]byte(hash), []byte(secret))
			if errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
				return false, nil
			}
			return err == nil, err
		})
}

// argon2idPeer does so with Argon2id and the parameters that its module recommends.
func argon2idPeer(ctx context.Context, p plan) (*subject, error) {
	return hashedPeer(ctx, p.slowKeys, "github.com/alexedwards/argon2id", "alexedwards/argon2id, defaults", "a map, and ComparePasswordAndHash",
		func(secret string) (string, error) { return argon2id.CreateHash(secret, argon2id.DefaultParams) },
		argon2id.ComparePasswordAndHash)
}

// hashedPeer finds the hash of a secret in a map by an id, and compares.
func hashedPeer(ctx context.Context, keys int, module, name, does string, hash func(secret string) (string, error), compare func(secret, hash string) (bool, error)) (*subject, error) {
	hashes := make(map[string]string)
	tokens := make([]string, keys)
	for i := range tokens {
		id, secret := rand.Text(), rand.Text()
		h, err := hash(secret)
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return nil, err
		}
		hashes[id] = h
		tokens[i] = id + "." + secret
	}
	return &subject{
		name:   name,
		does:   does,
		source: moduleVersion(module),
		tokens: tokens,
		verifier: func() verify {
			return func(_ context.Context, token string) (bool, error) {
				id, secret, _ := strings.Cut(token, ".")
				h, ok := hashes[id]
				if !ok {
					return false, nil
				}
				return compare(secret, h)
			}
		},
		wrong:   flip,
		garbage: func() string { return rand.Text() + "." + rand.Text() },
	}, nil
}
