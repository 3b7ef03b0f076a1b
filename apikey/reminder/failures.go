package reminder

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

const (
	maxFailures = 10  // that are told of one by one
	maxPlain    = 200 // characters of what a notifier says
)

// failures are what went wrong in a pass, in bounded space: where the mail server is down, all keys
// fail.
type failures struct {
	errs []error
	more int
	last error
}

func (f *failures) add(keyID string, err error) {
	if len(f.errs) == maxFailures {
		f.more++
		return
	}
	f.errs = append(f.errs, fmt.Errorf("reminder: key %s: %w", keyID, err))
}

// end keeps what ended the pass.
func (f *failures) end(err error) { f.last = err }

func (f *failures) join() error {
	errs := f.errs
	if f.more > 0 {
		errs = append(errs, fmt.Errorf("reminder: and %d more keys", f.more))
	}
	return errors.Join(append(errs, f.last)...)
}

// address is whatever could be one, with the punctuation around it.
var address = regexp.MustCompile(`\S*@\S*`)

// plain returns the beginning of a text without the contacts and whatever else looks like an address. A
// mail server repeats in its answer whom it refused, and chooses the rest of the answer as well.
func plain(text string, contacts []string) string {
	for _, contact := range contacts {
		if contact != "" {
			text = strings.ReplaceAll(text, contact, "[address]")
		}
	}
	text = address.ReplaceAllString(text, "[address]")
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > maxPlain {
		text = string(runes[:maxPlain]) + "…"
	}
	return strings.TrimSpace(text)
}
