package main

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// The peers of this file have a cache in front of the database. Their modules could not be had.

// cachingPeers are they, on a database.
func cachingPeers(ctx context.Context, e engine) (subjects []*subject, err error) {
	for _, peer := range []func(context.Context, engine) (*subject, error){lruPeer, emptiedPeer} {
		s, err := peer(ctx, e)
		if err != nil {
			return nil, errors.Join(err, closeAll(subjects))
		}
		s.origin, s.where, s.warms = originRecreated, e.name, true
		subjects = append(subjects, s)
	}
	return subjects, nil
}

// sha512Hex is what go-apikeys looks a key up by.
func sha512Hex(token string) string {
	sum := sha512.Sum512([]byte(token))
	return hex.EncodeToString(sum[:])
}

// lruPeer is after GetAPIKeyInfo in apikeys.service.keys.go of github.com/vAudience/go-apikeys, v2.1.0: the
// thousand keys used last, by the SHA-512 of the token, for five minutes, also after a revocation in
// another process. A change of a key takes it out. The repository is the application's; this is ours.
func lruPeer(ctx context.Context, e engine) (*subject, error) {
	const (
		size = 1000
		ttl  = 5 * time.Minute
	)
	type entry struct {
		row   peerRow
		until time.Time
	}
	t, err := newPeerTable(ctx, e, sha512Hex, func(string) []byte { return []byte{} })
	if err != nil {
		return nil, err
	}
	cache, err := lru.New[string, *entry](size)
	if err != nil {
		return nil, errors.Join(err, t.drop())
	}
	return &subject{
		name:   "go-apikeys",
		does:   fmt.Sprintf("SHA-512, an LRU of %d keys for %.0f minutes, a SELECT by the hash", size, ttl.Minutes()),
		source: "vAudience/go-apikeys, apikeys.service.keys.go, v2.1.0",
		tokens: t.tokens,
		verifier: func() verify {
			return func(ctx context.Context, token string) (bool, error) {
				hash := sha512Hex(token)
				if kept, ok := cache.Get(hash); ok {
					if time.Now().Before(kept.until) {
						return true, nil
					}
					cache.Remove(hash)
				}
				row, found, err := t.get(ctx, hash)
				if err != nil || !found {
					return false, err
				}
				cache.Add(hash, &entry{row, time.Now().Add(ttl)})
				return true, nil
			}
		},
		wrong:   flip,
		garbage: peerToken,
		change: func(ctx context.Context, token string) error {
			err := t.change(ctx, sha512Hex(token))
			cache.Remove(sha512Hex(token))
			return err
		},
		close: t.drop,
	}, nil
}

// emptiedPeer is a cache that every change empties, as Elasticsearch documents of its cache of API keys
// ("cleared on state changes of the security index") and XortexAI/XMem of its own in pull request 139.
func emptiedPeer(ctx context.Context, e engine) (*subject, error) {
	t, err := newPeerTable(ctx, e, sha256Hex, func(string) []byte { return []byte{} })
	if err != nil {
		return nil, err
	}
	var mu sync.RWMutex
	kept := make(map[string]peerRow)
	return &subject{
		name:   "a cache emptied by every change",
		does:   "SHA-256, a map under a lock, a SELECT by the hash",
		source: "Elasticsearch, Clear API key cache API; XortexAI/XMem, pull request 139",
		tokens: t.tokens,
		verifier: func() verify {
			return func(ctx context.Context, token string) (bool, error) {
				hash := sha256Hex(token)
				mu.RLock()
				row, ok := kept[hash]
				mu.RUnlock()
				if ok {
					return row.live(), nil
				}
				row, found, err := t.get(ctx, hash)
				if err != nil || !found {
					return false, err
				}
				mu.Lock()
				kept[hash] = row
				mu.Unlock()
				return row.live(), nil
			}
		},
		wrong:   flip,
		garbage: peerToken,
		change: func(ctx context.Context, token string) error {
			err := t.change(ctx, sha256Hex(token))
			mu.Lock()
			clear(kept)
			mu.Unlock()
			return err
		},
		close: t.drop,
	}, nil
}
