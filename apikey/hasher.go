package apikey

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"

	"github.com/opengovsg/latchkey/store"
)

// The schemes by which a secret is hashed. One round of SHA-256 without a salt is right here, and
// wrong for passwords: a secret of 256 random bits can't be guessed, so there is nothing for a slow
// hash to slow down and no two keys alike for a salt to tell apart (ASVS 5.0 6.5.2, SP 800-63B-4
// section 3.1.2.2).
const (
	schemeSHA256 = "sha256"
	schemeHMAC   = "hmac-sha256:" // followed by the id of the pepper
)

type digest [sha256.Size]byte

// A hasher hashes secrets under the scheme that writes and verifies them under any it knows.
type hasher struct {
	scheme  string // of new hashes
	peppers []*pepper
}

func newHasher(peppers []Pepper) (*hasher, error) {
	h := &hasher{scheme: schemeSHA256}
	for _, p := range peppers {
		if p.p == nil {
			return nil, &ArgumentError{"Peppers", "must not hold a zero Pepper; make each with NewPepper"}
		}
		if h.pepper(p.p.scheme) != nil {
			return nil, &ArgumentError{"Peppers", "must not repeat a pepper, as " + cmp.Or(p.p.id, "NoPepper") + " does"}
		}
		h.peppers = append(h.peppers, p.p)
	}
	if len(h.peppers) > 0 {
		h.scheme = h.peppers[0].scheme
	}
	return h, nil
}

func (h *hasher) pepper(scheme string) *pepper {
	for _, p := range h.peppers {
		if p.scheme == scheme {
			return p
		}
	}
	return nil
}

// sum hashes a secret under a scheme. It reports whether it knows the scheme.
func (h *hasher) sum(scheme, secret string) (digest, bool) {
	if scheme == schemeSHA256 {
		var in [secretLen]byte // on the stack: a conversion of 43 bytes would allocate
		copy(in[:], secret)
		return sha256.Sum256(in[:]), true
	}
	if p := h.pepper(scheme); p != nil {
		return p.sum(secret), true
	}
	return digest{}, false
}

// hash returns what a new record keeps of a secret.
func (h *hasher) hash(secret string) (scheme string, hash store.Hash) {
	d, _ := h.sum(h.scheme, secret)
	return h.scheme, store.Hash(d[:])
}

// noHash stands in for the hash of a key that does not exist.
const noHash = store.Hash("no SHA-256 of a secret, 32 bytes")

// spend hashes a secret under every scheme it knows but those it was hashed under already, and
// compares, so that all refusals come to the same work.
func (h *hasher) spend(secret, hashed, prior string) {
	if hashed != schemeSHA256 && prior != schemeSHA256 {
		d, _ := h.sum(schemeSHA256, secret)
		d.equal(noHash)
	}
	for _, p := range h.peppers {
		if p.scheme != hashed && p.scheme != prior && p.scheme != schemeSHA256 {
			d := p.sum(secret)
			d.equal(noHash)
		}
	}
}

// equal compares a kept hash with a digest in a time that depends on neither.
func (d *digest) equal(kept store.Hash) bool {
	return subtle.ConstantTimeCompare(d[:], []byte(kept)) == 1
}
