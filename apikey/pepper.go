package apikey

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"sync"
)

// minPepperLen is the size of the hash: a shorter HMAC key is weaker than what it protects
// (RFC 2104 section 3).
const minPepperLen = 32

// A Pepper is a key for HMAC-SHA-256 that the application keeps outside the database, so that what
// is read from the database alone can't even be tested against a guess. It is optional: secrets are
// 256 random bits, which no guess reaches.
//
// A Pepper prints, logs and marshals as "[redacted]". Make one with [NewPepper]; a key for it is what
// "openssl rand -base64 32" prints, decoded.
type Pepper struct {
	redacted
	p *pepper
}

type pepper struct {
	id     string
	scheme string
	macs   sync.Pool // of *mac: a fresh HMAC costs three times a reused one
}

// mac is a reusable HMAC with room for its input and output, so that hashing allocates nothing.
type mac struct {
	hash hash.Hash
	in   [secretLen]byte
	out  digest
}

// NoPepper stands for plain SHA-256 in [Config].Peppers. It verifies whether it is listed or not; listed
// first, it goes on hashing new secrets while all instances learn the first pepper.
var NoPepper = Pepper{p: &pepper{scheme: schemeSHA256}}

// NewPepper returns the pepper with the given key: at least 32 bytes, from a cryptographic random
// source, and the same in every instance. The key is copied. The error, if any, is an
// [*ArgumentError] and holds nothing of the key.
func NewPepper(key []byte) (Pepper, error) {
	if len(key) < minPepperLen {
		return Pepper{}, &ArgumentError{"Pepper", fmt.Sprintf("must be at least %d bytes, not %d", minPepperLen, len(key))}
	}
	key = slices.Clone(key)
	h := hmac.New(sha256.New, key)
	h.Write([]byte("latchkey pepper id"))
	id := hex.EncodeToString(h.Sum(nil)[:4])
	p := &pepper{id: id, scheme: schemeHMAC + id}
	p.macs.New = func() any { return &mac{hash: hmac.New(sha256.New, key)} }
	return Pepper{p: p}, nil
}

// ID returns the public name of the pepper: 8 hexadecimal digits derived from the key. Records name
// the pepper they were hashed with by it, so a wrong pepper is noticed and never taken for a wrong
// key. NoPepper and the zero Pepper have an empty ID.
func (p Pepper) ID() string {
	if p.p == nil {
		return ""
	}
	return p.p.id
}

func (p *pepper) sum(secret string) digest {
	m := p.macs.Get().(*mac)
	defer p.macs.Put(m)
	m.hash.Reset()
	copy(m.in[:], secret)
	m.hash.Write(m.in[:])
	m.hash.Sum(m.out[:0])
	clear(m.in[:])
	return m.out
}
