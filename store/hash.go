package store

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// A Hash is the hash of a secret, as raw bytes. It prints as "[redacted]" in packages fmt and log/slog,
// and refuses to be marshalled: a hash belongs in the column of a store and nowhere else. Stores
// convert it with string(h) or []byte(h).
//
// Package fmt asks a value how to print itself only where it can reach its methods, which it can't
// inside unexported fields. A store that keeps records in memory should keep their hashes behind a
// *string there, which prints as an address.
type Hash string

const redactedHash = "[redacted]"

var errMarshalHash = errors.New("store: a hash is not marshalled; convert it with []byte(h) where it is stored")

// Format implements [fmt.Formatter] and prints "[redacted]" whatever the verb.
func (Hash) Format(f fmt.State, _ rune) { io.WriteString(f, redactedHash) }

// String returns "[redacted]". A panic with a Hash prints it.
func (Hash) String() string { return redactedHash }

// LogValue implements [slog.LogValuer] and logs "[redacted]".
func (Hash) LogValue() slog.Value { return slog.StringValue(redactedHash) }

// MarshalText implements [encoding.TextMarshaler], which packages encoding/json and encoding/xml
// use, and always fails: a store that marshals a Record as it stands would otherwise write the
// hash into whatever it marshals to, or lose it.
func (Hash) MarshalText() ([]byte, error) { return nil, errMarshalHash }

// MarshalBinary implements [encoding.BinaryMarshaler], which package encoding/gob uses, and always
// fails, for the same reason as MarshalText.
func (Hash) MarshalBinary() ([]byte, error) { return nil, errMarshalHash }
