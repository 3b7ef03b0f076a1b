package importer

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// anySalt is in place of the earlier system's, which opens nothing here and stays with the service that
// verifies: a record needs the name of the scheme and how hashes are spelled.
var anySalt = "$2b$10$" + strings.Repeat(".", 22)

// A step is what is to be done with a row: create a record, revoke the key with an id, or nothing, where
// the row says what became of it.
type step struct {
	row    Row
	create *store.Record
	revoke string
}

// plan decides what is to be done with a row. What was deleted was deleted, whatever else is wrong with the
// row, and what has expired has no need to be mended.
func (i *Importer) plan(r *oldRow, now time.Time) step {
	result := func(o Outcome, reason string) step { return step{row: Row{r.id, o, reason}} }
	until, ok := finite(r.validUntil)
	switch {
	case r.deletedAt.Valid:
		s := result(Deleted, "deleted in the earlier system")
		s.revoke = i.keyID(r, now)
		return s
	case ok && !until.After(now), r.validUntil.InfinityModifier == pgtype.NegativeInfinity:
		return result(Expired, "expired in the earlier system")
	case !ok:
		return result(Refused, "valid_until must be a time")
	case i.copies[r.id]:
		return result(Refused, "hash is that of a row before")
	}
	rec, reason := i.record(r, until)
	if reason != "" {
		return result(Refused, reason)
	}
	return step{row: Row{r.id, Imported, ""}, create: &rec}
}

// record makes the record of a row, or says why there can't be one, in the names of the row's columns.
func (i *Importer) record(r *oldRow, until time.Time) (store.Record, string) {
	created, ok := finite(r.created)
	if !ok {
		return store.Record{}, "created_at must be a time"
	}
	if r.lastFive.String == "" {
		return store.Record{}, "last_five must not be empty"
	}
	if !r.email.Valid {
		return store.Record{}, "user_id is that of no user"
	}
	owner, err := i.config.Owners.Admit(r.email.String)
	if err != nil {
		return store.Record{}, "user_id is that of a user whose address is not admitted" + strings.TrimPrefix(err.Error(), "emaildomain: the address is not admitted")
	}
	contacts, ok := contactsOf(r, owner)
	if !ok {
		return store.Record{}, "notification_contacts must be a list of addresses"
	}
	rec, err := i.keys.LegacyRecord(apikey.LegacyKey{
		Scheme:    i.scheme,
		OldID:     strconv.FormatInt(r.id, 10),
		Kept:      r.hash.String,
		Owner:     owner,
		Label:     r.label.String,
		Contacts:  contacts,
		Hint:      r.lastFive.String,
		CreatedAt: created,
		ExpiresAt: until,
	})
	if err != nil {
		return store.Record{}, reasonOf(err)
	}
	return rec, ""
}

// keyID returns the id that the key of a row has if it was taken over before, which depends on nothing that
// may have changed in the row since.
func (i *Importer) keyID(r *oldRow, now time.Time) string {
	created, _ := finite(r.created)
	rec, err := i.keys.LegacyRecord(apikey.LegacyKey{
		Scheme: i.scheme, OldID: strconv.FormatInt(r.id, 10), Kept: "any_v1_" + strings.Repeat(".", 31), Owner: "any", Label: "any",
		CreatedAt: created, ExpiresAt: now.Add(time.Hour),
	})
	if err != nil {
		return "" // created at no time at which a key can be
	}
	return rec.ID
}

// contactsOf returns whom the earlier system tells about a key: its owner, where the row names nobody. One
// that is named twice is told once.
func contactsOf(r *oldRow, owner string) (contacts []string, ok bool) {
	var listed []*string
	if r.contacts.Valid && json.Unmarshal([]byte(r.contacts.String), &listed) != nil {
		return nil, false
	}
	seen := make(map[string]bool)
	for _, contact := range listed {
		if contact == nil {
			return nil, false
		}
		if !seen[*contact] {
			contacts = append(contacts, *contact)
		}
		seen[*contact] = true
	}
	if len(contacts) == 0 {
		contacts = []string{owner}
	}
	return contacts, true
}

// reasonOf says in the words of the row what is wrong with a key. An ArgumentError never holds a value.
func reasonOf(err error) string {
	var wrong *apikey.ArgumentError
	if !errors.As(err, &wrong) {
		return "it can't be a key: " + err.Error()
	}
	columns := map[string]string{
		"Kept": "hash", "Label": "label", "Hint": "last_five", "Contacts": "notification_contacts",
		"CreatedAt": "created_at", "ExpiresAt": "valid_until", "Owner": "user_id",
	}
	if column, ok := columns[wrong.Field]; ok {
		return column + " " + strings.Replace(wrong.Problem, "MaxTTL, which is ", "", 1) // which is a name in Go
	}
	return wrong.Field + " " + wrong.Problem
}

func finite(t pgtype.Timestamptz) (time.Time, bool) {
	return t.Time, t.Valid && t.InfinityModifier == pgtype.Finite
}
