package apikey

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// A Key is what an owner has: everything about it but the secret and its hash, so it is safe to log.
// It is a value: changing one changes no other and nothing in any store or cache. Times are UTC
// with microsecond precision, and the zero time means never. What of it is shown as JSON, and how,
// is for the application to choose.
type Key struct {
	ID    string // public, sorts by creation
	Owner string // as the application named it
	Label string // the name people gave it
	Hint  string // the last characters of its token, to tell keys apart on a screen

	CreatedAt     time.Time
	ExpiresAt     time.Time // the first instant at which the key is refused
	RevokedAt     time.Time
	RevokedReason string

	scopes   string
	contacts string
	metadata string

	// What few callers ask for, in a third of the space: a key is copied with every verification.
	lastUsedAt, rotatedAt, activatedAt, priorExpiresAt, remindedFor instant

	priorHint  string
	superseded bool
}

func keyOf(rec *store.Record) (key Key) {
	key.fill(rec)
	return key
}

// fill makes a zero key that of the record, in its place: a key is large, and every hand it passes through
// is a copy.
func (k *Key) fill(rec *store.Record) {
	k.ID, k.Owner, k.Label, k.Hint = rec.ID, rec.Owner, rec.Label, rec.Hint
	k.CreatedAt, k.ExpiresAt = rec.CreatedAt, rec.ExpiresAt
	k.RevokedAt, k.RevokedReason = rec.RevokedAt, rec.RevokedReason
	k.scopes, k.contacts, k.metadata = rec.Scopes, rec.Contacts, rec.Metadata
	// Each is a conversion, and most keys have none of them.
	if !rec.LastUsedAt.IsZero() {
		k.lastUsedAt = instantOf(rec.LastUsedAt)
	}
	if !rec.RemindedFor.IsZero() {
		k.remindedFor = instantOf(rec.RemindedFor)
	}
	if !rec.RotatedAt.IsZero() {
		k.rotatedAt = instantOf(rec.RotatedAt)
		k.activatedAt = instantOf(rec.ActivatedAt)
		k.priorExpiresAt = instantOf(rec.PriorExpiresAt)
		k.priorHint = rec.PriorHint
	}
}

// An instant is a time in microseconds from the zero time, which it therefore is at zero.
type instant int64

var zeroMicro = time.Time{}.UnixMicro()

func instantOf(t time.Time) instant { return instant(t.UnixMicro() - zeroMicro) }

func (i instant) time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(i) + zeroMicro).UTC()
}

// LastUsedAt returns when the key was last used, by whichever of its tokens, as precisely as Config.LastUsedEvery says and as
// late as Run writes it; the zero time if it never was.
func (k Key) LastUsedAt() time.Time { return k.lastUsedAt.time() }

// RemindedFor returns the latest instant for which people were reminded of the key; see
// [Service.Remind].
func (k Key) RemindedFor() time.Time { return k.remindedFor.time() }

// A Handover tells how far the replacement of a token by [Service.Rotate] has come.
type Handover struct {
	// RotatedAt is when the new token was made.
	RotatedAt time.Time

	// ActivatedAt is when the new token was first used, or the zero time while it is pending.
	ActivatedAt time.Time

	// PriorExpiresAt is the first instant at which the old token is refused. It is the zero time, for
	// never, only while the new token of a key without expiry is pending.
	PriorExpiresAt time.Time

	// PriorHint is the Hint of the old token.
	PriorHint string
}

// Pending reports whether nobody has used the new token yet, also after the old one has ended.
func (h Handover) Pending() bool { return h.ActivatedAt.IsZero() }

// Handover returns how far the last rotation of the key has come, and false if there was none. It
// goes on telling of it after the old token has ended: that one works as long as PriorExpiresAt lies
// ahead or, while Pending, is zero.
func (k Key) Handover() (Handover, bool) {
	if k.rotatedAt == 0 {
		return Handover{}, false
	}
	return Handover{
		RotatedAt:      k.rotatedAt.time(),
		ActivatedAt:    k.activatedAt.time(),
		PriorExpiresAt: k.priorExpiresAt.time(),
		PriorHint:      k.priorHint,
	}, true
}

// Superseded reports whether the key was verified by its old token, which a rotation has replaced and
// which is going to end at [Key.TokenExpiresAt]. A handler may tell the client.
func (k Key) Superseded() bool { return k.superseded }

// TokenExpiresAt returns the first instant at which the token that the key was verified by is refused,
// zero for never. It is ExpiresAt, but for an old token that a rotation has replaced.
func (k Key) TokenExpiresAt() time.Time {
	if k.superseded {
		return k.priorExpiresAt.time()
	}
	return k.ExpiresAt
}

// EndsAt returns when whoever holds the key has to have acted, zero for never: the end of the old
// token, as long as that works at the given time and nobody has used the new one, and otherwise
// ExpiresAt.
func (k Key) EndsAt(at time.Time) time.Time {
	prior := k.priorExpiresAt.time()
	if k.rotatedAt != 0 && k.activatedAt == 0 && at.Before(prior) {
		return prior
	}
	return k.ExpiresAt
}

// Scopes returns a copy of what the key was granted, in the order given when it was issued. It is
// empty and not nil for a key without scopes.
func (k Key) Scopes() []string { return splitScopes(k.scopes) }

// Allows reports whether the key was granted the scope, exactly or by the wildcard of its resource:
// a key with "email:*" allows "email:send". It allocates nothing.
func (k Key) Allows(scope string) bool { return allows(k.scopes, scope) }

// Contacts returns a copy of the e-mail addresses to tell about the key, in the order given. It is
// empty and not nil for a key without contacts.
func (k Key) Contacts() []string {
	contacts, ok := decode[[]string](k.contacts)
	if !ok {
		return []string{}
	}
	return contacts
}

// Metadata returns a copy of the application's own strings kept with the key. It is empty and not
// nil for a key without metadata.
func (k Key) Metadata() map[string]string {
	metadata, ok := decode[map[string]string](k.metadata)
	if !ok {
		return map[string]string{}
	}
	return metadata
}

// String tells what identifies the key, as a log should. Contacts and metadata are left out: they
// are about people.
func (k Key) String() string {
	return fmt.Sprintf("key %s of %s, %q", k.ID, k.Owner, k.Label)
}

// LogValue implements [slog.LogValuer] with what identifies the key, as [Key.String] tells it.
func (k Key) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("id", k.ID),
		slog.String("owner", k.Owner),
		slog.String("label", k.Label),
	)
}

// A State is one of the states of a key.
type State string

// The states of a key. It only ever moves from StateActive to one of the others.
const (
	StateActive  State = "active"
	StateExpired State = "expired"
	StateRevoked State = "revoked"
)

// State returns the state of the key at the given time. A revoked key is StateRevoked whether or not
// it has expired as well.
func (k Key) State(at time.Time) State {
	switch rec := (store.Record{ExpiresAt: k.ExpiresAt, RevokedAt: k.RevokedAt}); {
	case !rec.RevokedAt.IsZero():
		return StateRevoked
	case rec.Expired(at):
		return StateExpired
	default:
		return StateActive
	}
}

// encode returns v as the JSON text of a record's column: empty for an empty slice or map, so that
// a record has one spelling of nothing.
func encode[T []string | map[string]string](v T) string {
	if len(v) == 0 {
		return ""
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	// Strings, validated as UTF-8 before: there is nothing that could fail.
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// decode reads the JSON text of a record's column, and reports whether there is anything in it. A text
// that is not of that form, which nothing of this library writes, holds nothing: neither contacts nor
// metadata decide on access.
func decode[T []string | map[string]string](text string) (v T, ok bool) {
	if text == "" || json.Unmarshal([]byte(text), &v) != nil {
		return nil, false
	}
	return v, v != nil
}
