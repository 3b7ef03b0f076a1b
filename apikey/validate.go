package apikey

import (
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The limits of what a record holds. They are those of the narrowest column.
const (
	maxOwnerLen       = 255 // bytes
	maxLabelLen       = 255 // characters
	maxReasonLen      = 255 // characters
	maxContacts       = 50
	maxContactLen     = 254 // bytes, RFC 5321 section 4.5.3.1.3
	maxMetadata       = 64  // entries
	maxMetadataKeyLen = 64  // bytes
	maxMetadataLen    = 1024
	maxMetadataText   = 32 << 10 // bytes as JSON, all entries together
)

func checkOwner(owner string) error {
	if owner == "" || len(owner) > maxOwnerLen || !utf8.ValidString(owner) || strings.ContainsFunc(owner, unicode.IsControl) {
		return &ArgumentError{"Owner", fmt.Sprintf("must be 1 to %d bytes of UTF-8 without control characters", maxOwnerLen)}
	}
	return nil
}

func checkLabel(label string) error {
	if !strings.ContainsFunc(label, visible) {
		return &ArgumentError{"Label", "must not be blank"}
	}
	return checkLine("Label", label, maxLabelLen)
}

// visible reports whether people see anything of a character. A label of none that they do, such as
// zero-width spaces, is a key in a list that nobody can point at.
func visible(r rune) bool {
	const blankBraille = '\u2800'
	return unicode.IsGraphic(r) && !unicode.IsSpace(r) && r != blankBraille &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

func unseen(r rune) bool { return !visible(r) }

// checkLine holds a text to one line of valid UTF-8: a control character in a label is a way to
// forge lines of a log or to recolour a terminal.
func checkLine(field, text string, max int) error {
	if len(text) > max*utf8.UTFMax || utf8.RuneCountInString(text) > max {
		return &ArgumentError{field, fmt.Sprintf("must be at most %d characters", max)}
	}
	breaks := func(r rune) bool { return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' }
	if !utf8.ValidString(text) || strings.ContainsFunc(text, breaks) {
		return &ArgumentError{field, "must be one line of UTF-8 without control characters"}
	}
	return nil
}

func checkContacts(contacts []string) error {
	if len(contacts) > maxContacts {
		return &ArgumentError{"Contacts", fmt.Sprintf("must be at most %d addresses, not %d", maxContacts, len(contacts))}
	}
	seen := make(map[string]bool, len(contacts))
	for i, contact := range contacts {
		if !validContact(contact) {
			return &ArgumentError{"Contacts", fmt.Sprintf("must be plain e-mail addresses of at most %d bytes, of visible characters alone, and number %d is not", maxContactLen, i+1)}
		}
		if seen[contact] {
			return &ArgumentError{"Contacts", fmt.Sprintf("must not repeat an address, as number %d does", i+1)}
		}
		seen[contact] = true
	}
	return nil
}

// validContact accepts a bare address only: whatever reads back differently, such as one with a
// display name, a comment or a quoted part, is one that two programs may read differently too. So is
// one with a character that people don't see, which comes along when they copy an address.
func validContact(contact string) bool {
	if len(contact) > maxContactLen || !utf8.ValidString(contact) || strings.ContainsAny(contact, "\"[]") || strings.ContainsFunc(contact, unseen) {
		return false
	}
	addr, err := mail.ParseAddress(contact)
	return err == nil && addr.Name == "" && addr.Address == contact
}

func checkMetadata(metadata map[string]string) error {
	if len(metadata) > maxMetadata {
		return &ArgumentError{"Metadata", fmt.Sprintf("must be at most %d entries, not %d", maxMetadata, len(metadata))}
	}
	for key, value := range metadata {
		if key == "" || len(key) > maxMetadataKeyLen || !validText(key) {
			return &ArgumentError{"Metadata", fmt.Sprintf("keys must be 1 to %d bytes of UTF-8 without NUL", maxMetadataKeyLen)}
		}
		if len(value) > maxMetadataLen || !validText(value) {
			return &ArgumentError{"Metadata", fmt.Sprintf("values must be at most %d bytes of UTF-8 without NUL", maxMetadataLen)}
		}
	}
	// Every verification reads it, and a control character takes six bytes in JSON.
	if len(encode(metadata)) > maxMetadataText {
		return &ArgumentError{"Metadata", fmt.Sprintf("must be at most %d bytes as JSON", maxMetadataText)}
	}
	return nil
}

func validText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// span spells a duration as people do, in days where it is whole days.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	if d%day == 0 {
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}
