package storetest

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// now is the instant around which the samples are made. No rule reads the clock, and no method of a
// store has a use for one: every instant is given.
var now = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

const crockford = "0123456789abcdefghjkmnpqrstvwxyz"

// id returns an id made n milliseconds after now: a higher n sorts after a lower one.
func id(n int) string { return idAt(n, n) }

// idAt returns the n-th id made in one millisecond: a higher n sorts anywhere.
func idAt(millisecond, n int) string {
	// An odd factor permutes the numbers below a power of two, so no two ids are the same.
	scattered := uint64(n) * 0x9e3779b97f4a7c15 & (1<<50 - 1)
	return digits(uint64(now.UnixMilli()+int64(millisecond))) + digits(scattered)
}

func digits(v uint64) string {
	var b [10]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = crockford[v%32]
		v /= 32
	}
	return string(b[:])
}

// sample returns an ordinary record, active and never to expire, that owner "user_42" has.
func sample(n int) store.Record {
	return store.Record{
		ID:        id(n),
		Owner:     "user_42",
		Prefix:    "postman_live",
		Label:     "HR reminders",
		Scheme:    "sha256",
		Hash:      hashOf(n),
		CreatedAt: now,
		UpdatedAt: now,
		Version:   1,
	}
}

// samples returns the samples from 0 to n-1.
func samples(n int) []store.Record {
	recs := make([]store.Record, n)
	for i := range recs {
		recs[i] = sample(i)
	}
	return recs
}

func hashOf(n int) store.Hash {
	sum := sha256.Sum256([]byte{byte(n), byte(n >> 8)})
	return store.Hash(sum[:])
}

// filled returns a record with a value of its own in each field, different for each n below 1000.
// Fields are found by reflection, so that one added to Record is covered from its first day.
func (t *trial) filled(n int) store.Record {
	t.Helper()
	var rec store.Record
	v := reflect.ValueOf(&rec).Elem()
	for i := range v.NumField() {
		// At most eight bytes, which is the shortest any field is bounded to.
		text := fmt.Sprintf("%c%03dé'", 'a'+i, n)
		switch f := v.Field(i); f.Interface().(type) {
		case store.Hash:
			f.Set(reflect.ValueOf(hashOf(n)))
		case string:
			f.SetString(text)
		case time.Duration:
			f.SetInt(int64(time.Duration(1000*(i+1)+n) * time.Microsecond))
		case int64:
			f.SetInt(int64(1000*(i+1) + n))
		case time.Time:
			f.Set(reflect.ValueOf(now.Add(time.Duration(n)*time.Hour + time.Duration(i)*time.Minute + 999_999*time.Microsecond)))
		default:
			t.Fatalf("storetest can't fill field %s of Record yet: it is a %s", v.Type().Field(i).Name, f.Type())
		}
	}
	rec.ID = id(n)
	// The documents are JSON, but a store that reads them and writes its own spelling alters them.
	rec.Contacts = fmt.Sprintf(`[ "b%03d@x.gov.sg","a'é@x.gov.sg" ]`, n)
	rec.Metadata = fmt.Sprintf(`{"z":"%03d", "a" : "\u00e9é'", "a":""}`, n)
	return rec
}

// updated returns what must be kept once given has replaced kept: the fields that Update leaves
// alone are named here, and any other field is replaced.
func updated(kept, given store.Record) store.Record {
	given.ID, given.Owner = kept.ID, kept.Owner
	given.Prefix, given.CreatedAt, given.LastUsedAt = kept.Prefix, kept.CreatedAt, kept.LastUsedAt
	given.Version = kept.Version + 1
	return given
}
