package apikey

// A Token is the plaintext of a key: what its holder presents, shown once, when it is issued. It is
// not kept anywhere and can't be recovered.
//
// A Token prints, logs and marshals as "[redacted]", so that it can't leak by accident.
// [Token.Reveal] is the only way out. The zero Token holds nothing. Tokens can't be compared.
type Token struct {
	redacted

	// A function and not a pointer to the text: what prints a value without asking it how, as
	// testify does when a comparison fails, follows pointers.
	reveal func() string
}

func newToken(s string) Token { return Token{reveal: func() string { return s }} }

// Reveal returns the plaintext, or the empty string for the zero Token. Show it to its owner once,
// in the body of a response that is not cached, and never write it anywhere.
func (t Token) Reveal() string {
	if t.reveal == nil {
		return ""
	}
	return t.reveal()
}
