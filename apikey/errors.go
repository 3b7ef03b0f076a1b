package apikey

import (
	"errors"
	"fmt"

	"github.com/opengovsg/latchkey/store"
)

// ErrInvalid is wrapped by every error that refuses a token. Ask only errors.Is(err, ErrInvalid) to
// decide what to answer: what is true of it means the token is not good (401), and what is not
// means that nobody could tell (503). The reasons below are for logs; a client that learns which of
// them applies learns something about somebody's key.
var ErrInvalid = errors.New("apikey: invalid token")

// The reasons for which [Service.Verify] refuses a token. Each wraps [ErrInvalid].
var (
	// ErrMalformed says that the text is not a token of the service's format.
	ErrMalformed = fmt.Errorf("%w: malformed", ErrInvalid)

	// ErrUnknown says that no key has the token: its id was never issued or is purged, or its
	// secret is wrong, was cancelled by a rotation before anybody used it, or was replaced by the
	// rotation before the last one. So it is for a token that has ended and is hashed under a pepper
	// that is no longer configured.
	ErrUnknown = fmt.Errorf("%w: unknown", ErrInvalid)

	// ErrExpired says that the token is right and its key has expired.
	ErrExpired = fmt.Errorf("%w: expired", ErrInvalid)

	// ErrRevoked says that the token is right and its key is revoked.
	ErrRevoked = fmt.Errorf("%w: revoked", ErrInvalid)

	// ErrSuperseded says that the token was right until a rotation replaced it, and that its grace is
	// over: somebody still uses it.
	ErrSuperseded = fmt.Errorf("%w: superseded", ErrInvalid)

	// ErrCorrupt says that what the store keeps for the key can't be verified against. It calls
	// for an operator: somebody or something wrote to the store past the library.
	ErrCorrupt = fmt.Errorf("%w: corrupt record", ErrInvalid)
)

// The decisions of the calls that manage keys.
var (
	// ErrNotFound says that there is no such key, or that it is not the owner's, which nobody but
	// its owner may learn.
	ErrNotFound = store.ErrNotFound

	// ErrLimit says that the owner already has as many active keys as allowed.
	ErrLimit = store.ErrLimit

	// ErrConflict says that the key kept changing while the call tried to change it, or that its
	// token was replaced since the caller saw it.
	ErrConflict = store.ErrConflict

	// ErrNotActive says that a key that is revoked or expired can't be changed. It wraps
	// ErrConflict.
	ErrNotActive error = conflict("apikey: the key is revoked or expired")

	// ErrInGrace says that a key can't be rotated, other than Immediately, while the token before is
	// in its grace: a third token would cut that short. It wraps ErrConflict.
	ErrInGrace error = conflict("apikey: the token before the last rotation is still in its grace")

	// ErrForbidden says that the request goes beyond what its issuer may grant.
	ErrForbidden = errors.New("apikey: beyond what may be granted")

	// ErrInvalidArgument is what every [*ArgumentError] satisfies under errors.Is.
	ErrInvalidArgument = errors.New("apikey: invalid argument")
)

// A conflict is one whose text says all there is to say.
type conflict string

func (c conflict) Error() string { return string(c) }
func (c conflict) Unwrap() error { return ErrConflict }

// ErrUnavailable says that the service could not answer, because the store failed, because a
// record needs a pepper that is not configured, or because the context ended. The error that wraps it
// wraps the cause as well, such as the driver's or the context's: log it, and don't show it to a client. It
// never means that a token is bad, and never that it is good.
var ErrUnavailable = errors.New("apikey: unavailable")

// A RefusedError is a refusal of a well-formed token. It is meant for the log: it names the key by
// its public id and holds nothing of the secret.
type RefusedError struct {
	// KeyID is the id in the token, whose key need not exist; of a token of an earlier system, which
	// has no id in it, that of the key it found, or empty.
	KeyID string
	Err   error // ErrUnknown, ErrExpired, ErrRevoked, ErrSuperseded or ErrCorrupt
}

// Error tells the reason and the id.
func (e *RefusedError) Error() string {
	if e.KeyID == "" {
		return e.Err.Error()
	}
	return e.Err.Error() + ": key " + e.KeyID
}

// Unwrap returns the reason.
func (e *RefusedError) Unwrap() error { return e.Err }

// An ArgumentError says what is wrong with one field of a request or of a configuration. The message
// holds the limit and never the value. It satisfies errors.Is with [ErrInvalidArgument].
type ArgumentError struct {
	Field   string // as the Go field is named, such as "Label"
	Problem string // such as "must be 1 to 255 characters"
}

// Error tells the field and the problem.
func (e *ArgumentError) Error() string { return "apikey: " + e.Field + " " + e.Problem }

// Is reports whether target is [ErrInvalidArgument].
func (e *ArgumentError) Is(target error) bool { return target == ErrInvalidArgument }

// unavailable keeps the chain of err, for errors.Is, but where it would pass for a refusal: a store
// may itself be built on a service like this one.
func unavailable(err error) error {
	if errors.Is(err, ErrInvalid) {
		return fmt.Errorf("%w: %v", ErrUnavailable, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// fromStore passes on the decisions of a store that a caller can act on and calls everything else
// unavailable.
func fromStore(err error) error {
	for _, decision := range []error{ErrNotFound, ErrLimit, ErrConflict} {
		if errors.Is(err, decision) {
			return decision
		}
	}
	return unavailable(err)
}
