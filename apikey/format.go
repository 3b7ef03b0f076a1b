package apikey

import (
	"hash/crc32"
	"strings"
	"unsafe"
)

// The parts of a token, version 1: prefix _ id _ secret checksum.
const (
	maxPrefixLen = 32
	idLen        = 20
	idTimeLen    = 10 // of idLen: the creation time in Unix milliseconds, 5 bits a character
	secretLen    = 43 // 43 · log2(62) = 256.03 bits
	checksumLen  = 6
	bodyLen      = 1 + idLen + 1 + secretLen + checksumLen // everything after the prefix
	hintLen      = 5                                       // what a record keeps of the token's end
)

const (
	idAlphabet     = "0123456789abcdefghjkmnpqrstvwxyz"
	secretAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// A class tells which bytes belong to an alphabet: 0 for those that do and 1 for all others.
type class [256]byte

func classOf(alphabet string) *class {
	var c class
	for i := range c {
		c[i] = 1
	}
	for i := range len(alphabet) {
		c[alphabet[i]] = 0
	}
	return &c
}

// holds looks at every byte whatever it finds: without branches that takes half
// the time on a token that is right, which nearly every token is.
func (c *class) holds(s string) bool {
	other := byte(0)
	for i := range len(s) {
		other |= c[s[i]]
	}
	return other == 0
}

var (
	idClass     = classOf(idAlphabet)
	secretClass = classOf(secretAlphabet)
)

// A Format is the spelling of the tokens of one prefix:
//
//	postman_live_01m83pph00zab5rrb146_RfHk7hp3ILTgK2y3mH3UqtmaFCrvkUb7keKpQPXNubf4e9wCY
//	└── prefix ┘ └────── id ────────┘ └──────────────── secret ─────────────────┘└ crc ┘
//
// The id is public and begins with the creation time. The secret is 256 random bits. The checksum
// is the CRC-32 of everything before it: it tells typing errors and scanners' finds apart from keys
// before anything is looked up, and is no security.
//
// A token has exactly one spelling. The zero Format parses nothing. A Format may be used by several
// goroutines at once.
type Format struct {
	prefix string
	crc    uint32 // of the prefix and the separator behind it
}

// NewFormat returns the format of tokens with the given prefix: 1 to 32 bytes of lower-case letters
// and digits in groups joined by single underscores, the first character a letter. Put the
// environment into it, as in "acme_live", so that a test key never opens production. The error, if
// any, is an [*ArgumentError].
func NewFormat(prefix string) (Format, error) {
	if !validPrefix(prefix) {
		return Format{}, &ArgumentError{"Prefix", "must be 1 to 32 bytes of a-z and 0-9 in groups joined by single underscores, beginning with a letter"}
	}
	return Format{prefix, crc32.ChecksumIEEE([]byte(prefix + "_"))}, nil
}

func validPrefix(prefix string) bool {
	if prefix == "" || len(prefix) > maxPrefixLen || prefix[0] < 'a' || prefix[0] > 'z' {
		return false
	}
	for group := range strings.SplitSeq(prefix, "_") {
		if group == "" {
			return false
		}
		for _, c := range []byte(group) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
				return false
			}
		}
	}
	return true
}

// Prefix returns the prefix of the format's tokens.
func (f Format) Prefix() string { return f.prefix }

// Parse returns the public id inside a token, such as one that a scanner found or a colleague
// pasted, or [ErrMalformed] if the text is not a token of this format, character for character. It
// neither hashes nor looks anything up: that a token parses does not mean that it was ever issued.
// Parse allocates nothing.
func (f Format) Parse(token string) (id string, err error) {
	id, _, ok := f.parse(token)
	if !ok {
		return "", ErrMalformed
	}
	return id, nil
}

// Pattern returns a regular expression, in the syntax common to RE2 and PCRE, that matches every
// token of this format, for secret scanners. It has no word boundaries on purpose: "\b" misses a
// token glued to an underscore, and a consumed delimiter hides the second of two neighbours. Parse
// what it finds: the checksum refuses chance matches.
func (f Format) Pattern() string {
	return f.prefix + "_[0-9a-hjkmnp-tv-z]{20}_[0-9A-Za-z]{49}"
}

// parse splits a token into its id and its secret. All lengths are fixed, so there is nothing to
// search for and no input, however long, makes it work longer than a token does.
func (f Format) parse(token string) (id, secret string, ok bool) {
	n := len(f.prefix)
	if n == 0 || len(token) != n+bodyLen || token[:n] != f.prefix {
		return "", "", false
	}
	body := token[n:]
	if body[0] != '_' || body[1+idLen] != '_' {
		return "", "", false
	}
	id = body[1 : 1+idLen]
	secret = body[2+idLen : 2+idLen+secretLen]
	if !idClass.holds(id) || !secretClass.holds(secret) {
		return "", "", false
	}
	// Compared as text: decoding it would accept a second spelling, the value plus 2^32.
	if sum := f.checksum(body[1 : len(body)-checksumLen]); string(sum[:]) != body[len(body)-checksumLen:] {
		return "", "", false
	}
	return id, secret, true
}

// join spells the token of an id and a secret.
func (f Format) join(id, secret string) string {
	text := id + "_" + secret
	sum := f.checksum(text)
	return f.prefix + "_" + text + string(sum[:])
}

// checksum returns the CRC-32 (IEEE) of the prefix, a separator and the given text, as six base62
// digits, most significant first.
func (f Format) checksum(text string) [checksumLen]byte {
	// Read-only: a copy would cost an allocation for every refused token, since crc32 chooses its
	// implementation at run time and so lets its argument escape.
	crc := crc32.Update(f.crc, crc32.IEEETable, unsafe.Slice(unsafe.StringData(text), len(text)))
	var digits [checksumLen]byte
	for i := checksumLen - 1; i >= 0; i-- {
		digits[i] = secretAlphabet[crc%62]
		crc /= 62
	}
	return digits
}
