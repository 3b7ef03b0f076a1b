package apikey

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// redacted is embedded by the types that hold a secret. They hold it behind a pointer as well, so
// that a value inside an unexported field, where package fmt can't call these methods, prints as an
// address.
type redacted struct{}

const redaction = "[redacted]"

var errRedacted = errors.New("apikey: a secret is not marshalled")

// String returns "[redacted]".
func (redacted) String() string { return redaction }

// Format implements [fmt.Formatter] and prints "[redacted]" whatever the verb.
func (redacted) Format(f fmt.State, _ rune) { io.WriteString(f, redaction) }

// LogValue implements [slog.LogValuer] and logs "[redacted]".
func (redacted) LogValue() slog.Value { return slog.StringValue(redaction) }

// MarshalText implements [encoding.TextMarshaler], which packages encoding/json and encoding/xml
// use, with "[redacted]".
func (redacted) MarshalText() ([]byte, error) { return []byte(redaction), nil }

// MarshalBinary implements [encoding.BinaryMarshaler], which package encoding/gob uses, and always
// fails: what is decoded later must not pass for the secret.
func (redacted) MarshalBinary() ([]byte, error) { return nil, errRedacted }
