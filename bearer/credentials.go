package bearer

import "github.com/opengovsg/latchkey/apikey"

// maxTokenLen bounds what is looked at. Go's server passes header values up to its limit of a
// megabyte; no token of latchkey's or of an earlier system's is near this long.
const maxTokenLen = 4096

const scheme = "bearer"

// credentials returns the token in the values of a request's Authorization headers:
//
//	credentials = "Bearer" 1*SP b64token
//
// It looks at bytes only. Functions of packages strings and unicode that trim space or split at it do
// so beyond ASCII, at a no-break space for one, and so would read credentials where a proxy in front
// read none.
func credentials(values []string) (string, error) {
	if len(values) == 0 {
		return "", ErrNoCredentials
	}
	if len(values) > 1 {
		// Authorization is not a list (RFC 9110 section 11.6.2). Whichever line was picked, a proxy
		// may have picked the other one.
		return "", ErrMalformedHeader
	}
	value := trimOWS(values[0])
	if !hasScheme(value) {
		return "", ErrNoCredentials
	}
	rest := value[len(scheme):]
	switch {
	case rest == "":
		return "", ErrMalformedHeader
	case rest[0] > ' ' && rest[0] != 0x7f:
		return "", ErrNoCredentials // a scheme that only begins like this one
	case rest[0] != ' ':
		return "", ErrMalformedHeader // a tab or another control character
	}
	for rest[0] == ' ' { // the value is trimmed, so something follows
		rest = rest[1:]
	}
	if !isB64Token(rest[:min(len(rest), maxTokenLen)]) {
		return "", ErrMalformedHeader
	}
	if len(rest) > maxTokenLen {
		return "", apikey.ErrMalformed // and its end is not worth looking at
	}
	return rest, nil
}

// hasScheme reports whether the value begins with "Bearer", whose case does not matter (RFC 9110
// section 11.1).
func hasScheme(value string) bool {
	if len(value) < len(scheme) {
		return false
	}
	for i := range len(scheme) {
		c := value[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != scheme[i] {
			return false
		}
	}
	return true
}

// trimOWS cuts spaces and tabs at both ends, as HTTP/1 does on the wire (RFC 9110 section 5.5) and
// not every server and adapter does.
func trimOWS(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// isB64Token reports whether s is 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"=".
func isB64Token(s string) bool {
	n := len(s)
	for n > 0 && s[n-1] == '=' {
		n--
	}
	if n == 0 {
		return false
	}
	// Without a branch, and several bytes at a time: half the time on a token, and this is a good
	// part of what the guard adds to a verification.
	other := byte(0)
	for s = s[:n]; len(s) >= 4; s = s[4:] {
		other |= notB64[s[0]] | notB64[s[1]] | notB64[s[2]] | notB64[s[3]]
	}
	for i := range len(s) {
		other |= notB64[s[i]]
	}
	return other == 0
}

// notB64 is 0 for the characters of a b64token and 1 for all others.
var notB64 = func() (not [256]byte) {
	for i := range not {
		not[i] = 1
	}
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/") {
		not[c] = 0
	}
	return not
}()
