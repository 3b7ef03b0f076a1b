package apikey

// A Token is the plaintext of a key: what its holder presents, shown once, when it is issued. It is
// not kept anywhere and can't be recovered.
//
// A Token prints, logs and marshals as "[redacted]", so that it can't leak by accident.
// [Token.Reveal] is the only way out. The zero Token holds nothing.
type Token struct {
	redacted
	p *string
}

func newToken(s string) Token { return Token{p: &s} }

// Reveal returns the plaintext, or the empty string for the zero Token. Show it to its owner once,
// in the body of a response that is not cached, and never write it anywhere.
func (t Token) Reveal() string {
	if t.p == nil {
		return ""
	}
	return *t.p
}
