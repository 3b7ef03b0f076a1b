package apikey

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/opengovsg/latchkey/store"
)

const (
	maxOldIDLen = 255  // bytes
	maxKeptLen  = 4096 // bytes
	maxHintLen  = 8    // bytes
)

// A LegacyKey is a key as an earlier system kept it. Everything but Scopes, Contacts, Metadata, Hint and
// NeverExpires is required.
type LegacyKey struct {
	// Scheme is the name of the one of Config.Legacy that recognises its token.
	Scheme string

	// OldID tells the earlier system's keys apart, such as the primary key of its row: 1 to 255 bytes.
	OldID string

	// Kept is what the earlier system kept of the token, exactly as Scheme derives it: 1 to 4096
	// bytes that are spelled as the scheme's Keeps says.
	Kept string

	// Owner, Label, Scopes, Contacts and Metadata are as those of a Request.
	Owner    string
	Label    string
	Scopes   []string
	Contacts []string
	Metadata map[string]string

	// Hint is what people were shown of the token, to tell keys apart: at most 8 bytes of visible
	// characters.
	Hint string

	// CreatedAt is when the key was made, from 1970 to now. The key's id begins with it.
	CreatedAt time.Time

	// ExpiresAt is the first instant at which the key is refused: ahead of now, and by no more than
	// Config.MaxTTL.
	ExpiresAt time.Time

	// NeverExpires, in the place of ExpiresAt, is for a key that lives until it is revoked. It takes
	// Config.AllowNeverExpires as well.
	NeverExpires bool
}

// LegacyRecord returns the record of a key that is taken over from an earlier system, for an importer to
// hand to Create of the service's store, under no cap. Its token goes on working, and its owner manages
// it like any other key. Keys that have expired or were revoked are the importer's to leave out.
//
// The record of one key has the same id each time, so that Create answers [store.ErrExists] for what was
// taken over before, also if it was used or changed since; and so it does for another key with the same
// Kept, of which one token would open both. It holds a hash of what the earlier system
// kept, and nothing that helps whoever has that to present the token.
//
// LegacyRecord fails with an [*ArgumentError] that names the field, with [ErrForbidden] if a scope is not
// among Config.Scopes, and with [ErrUnavailable] where the clock is not set. It asks no store.
func (s *Service) LegacyRecord(k LegacyKey) (store.Record, error) {
	if s == nil || s.store == nil {
		return store.Record{}, errNotMade
	}
	now, err := s.clockMicro()
	if err != nil {
		return store.Record{}, err
	}
	for _, err := range []error{
		s.checkLegacyKey(k, now),
		checkOwner(k.Owner),
		checkLabel(k.Label),
		checkScopes(k.Scopes),
		checkContacts(k.Contacts),
		checkMetadata(k.Metadata),
		s.permits(k.Scopes, nil),
	} {
		if err != nil {
			return store.Record{}, err
		}
	}
	hash := importedHash(k.Scheme, k.Kept)
	random := legacySum("latchkey imported id", k.Scheme, k.OldID)
	return store.Record{
		ID:        newID(k.CreatedAt, random[:idLen-idTimeLen]),
		Owner:     k.Owner,
		Prefix:    s.format.prefix,
		Alias:     importedAlias(k.Scheme, k.Kept),
		Label:     k.Label,
		Hint:      k.Hint,
		Scopes:    joinScopes(k.Scopes),
		Contacts:  encode(k.Contacts),
		Metadata:  encode(k.Metadata),
		Scheme:    schemeLegacy + k.Scheme,
		Hash:      store.Hash(hash[:]),
		CreatedAt: k.CreatedAt.UTC().Truncate(time.Microsecond),
		UpdatedAt: now,
		ExpiresAt: k.ExpiresAt.UTC().Truncate(time.Microsecond),
		Version:   1,
	}, nil
}

// checkLegacyKey checks what a LegacyKey has and a Request has not.
func (s *Service) checkLegacyKey(k LegacyKey, now time.Time) error {
	scheme := slices.IndexFunc(s.legacy, func(l LegacyScheme) bool { return l.Name() == k.Scheme })
	switch {
	case scheme < 0:
		return &ArgumentError{"Scheme", "must be the name of one of Config.Legacy"}
	case k.OldID == "" || len(k.OldID) > maxOldIDLen:
		return &ArgumentError{"OldID", fmt.Sprintf("must be 1 to %d bytes", maxOldIDLen)}
	case k.Kept == "" || len(k.Kept) > maxKeptLen:
		return &ArgumentError{"Kept", fmt.Sprintf("must be 1 to %d bytes", maxKeptLen)}
	case !s.legacy[scheme].Keeps(k.Kept):
		return &ArgumentError{"Kept", "must be spelled like what " + k.Scheme + " kept of its tokens"}
	case len(k.Hint) > maxHintLen:
		return &ArgumentError{"Hint", fmt.Sprintf("must be at most %d bytes", maxHintLen)}
	case k.CreatedAt.Unix() < 0 || k.CreatedAt.After(now):
		return &ArgumentError{"CreatedAt", "must lie between 1970 and now"}
	case k.NeverExpires && !s.allowNever:
		return &ArgumentError{"NeverExpires", "must not be set unless Config.AllowNeverExpires is"}
	case k.NeverExpires && !k.ExpiresAt.IsZero():
		return &ArgumentError{"ExpiresAt", "must be zero where NeverExpires is set"}
	case !k.NeverExpires && (!k.ExpiresAt.After(now) || k.ExpiresAt.After(now.Add(s.maxTTL))):
		return &ArgumentError{"ExpiresAt", fmt.Sprintf("must lie ahead by at most MaxTTL, which is %s", span(s.maxTTL))}
	}
	if !utf8.ValidString(k.Hint) || strings.ContainsFunc(k.Hint, unseen) {
		return &ArgumentError{"Hint", "must be visible characters"}
	}
	return nil
}
