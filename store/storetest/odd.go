package storetest

import (
	"reflect"
	"strings"
	"time"

	"github.com/opengovsg/latchkey/store"
)

// lookalikes are strings, all different, that some collation, trimming, folding, normalisation,
// conversion to a number or pattern takes for one another, or some statement takes for its own text.
var lookalikes = []string{
	"a", "A", "a ", " a", "a  ", "a\u00a0", "a\u2003",
	"\u00e1", "a\u0301", "\u00e0", "\u00c1", "\uff41", "\u0430", // precomposed, decomposed, wide, Cyrillic
	"ss", "\u00df", "\u1e9e", "i", "I", "\u0130", "\u0131", "k", "\u212a", "\u017f", "s",
	"ae", "\u00e6", "fi", "\ufb01", "\u2126", "\u03a9",
	"a\u200b", "\ufeffa", "a\u200d", "a\u00ad", "\u202ea", // invisible characters
	"\u05d0\u05d1", "\u05d1\u05d0", "\u0627", "\u0649", // right to left
	"\U0001f600", "\U0001f601", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f468",
	"1", "01", "1.0", "1e0", "+1", "0x1", "null", "NULL", "true",
	"%", "_", "a%", "a_", "%a%", `\`, `\\`, `\%`, `a\`, "*", "a*", "?", "$1", ":a", "@p1", "{}", "[]",
	"'", "''", `"`, `""`, "`", "a'", `a"`, "a;", "--", "a--", "/*", "#",
	"' OR '1'='1", "'; DROP TABLE keys; --", `" OR ""="`, `\' OR 1=1 --`, "x' UNION SELECT hash --",
}

// long returns two strings of n bytes that differ in the last byte alone. A store that cuts a column
// or an index short takes them for one.
func long(n int) []string {
	s := "012"[:n%4] + strings.Repeat("\U0001f511", n/4-1)
	return []string{s + "\U0001f510", s + "\U0001f511"}
}

// mixed returns a string of n bytes with something in it for everything that can go wrong.
func mixed(n int) string {
	return document("", "\U0001f511\u05d0a\u0301'\"%_\\;--", "", n)
}

// upTo returns the lookalikes of at most n bytes, and three of exactly n bytes.
func upTo(n int) []string {
	var short []string
	for _, s := range lookalikes {
		if len(s) <= n {
			short = append(short, s)
		}
	}
	return append(append(short, long(n)...), mixed(n))
}

// A variant is a filled record with a value at the edge in one field.
type variant struct {
	field string
	rec   store.Record
}

// variants returns each edge of each field.
func (t *trial) variants() []variant {
	t.Helper()
	var vs []variant
	typ := reflect.TypeFor[store.Record]()
	for i := range typ.NumField() {
		f := typ.Field(i)
		for _, edge := range edges(f) {
			rec := t.filled(len(vs))
			reflect.ValueOf(&rec).Elem().Field(i).Set(reflect.ValueOf(edge))
			vs = append(vs, variant{f.Name, rec})
		}
	}
	return vs
}

// edges returns values at the bounds that Record states for the field, or for a new field those
// that every one of its type must keep.
func edges(f reflect.StructField) []any {
	var es []any
	texts := func(values ...string) {
		for _, v := range values {
			es = append(es, v)
		}
	}
	const nasty = `%_'"\é`
	switch f.Name {
	case "ID", "Version": // the rules on ids and on versions have their own
	case "Owner":
		texts(append(long(255), mixed(255), "x")...)
	case "Prefix":
		texts(append(long(32), mixed(32), "x")...)
	case "Alias":
		texts(append(long(255), mixed(255), "")...)
	case "Label":
		texts(append(long(4*255), lookalikes...)...)
	case "RevokedReason":
		texts(append(long(4*255), mixed(255), "", " ")...)
	case "Hint", "PriorHint":
		texts(nasty, "", " ", "\U0001f511\U0001f511")
	case "Scopes":
		texts(document("email:send", " email:%_'*", "", 4<<10), "")
	case "Contacts":
		texts(document(`["", "`, `","\u00e9'`, `"]`, 64<<10), "", "[]", " [ ]")
	case "Metadata":
		texts(document(`{"":"`, `\\%_é'`, `"}`, 64<<10), "", "{}", `{ "b":"1","a":"2","b":"3"}`)
	case "Scheme", "PriorScheme":
		texts("hmac-sha256:c6b3a147", nasty, "")
	case "CreatedAt", "UpdatedAt":
		es = times()
	default:
		switch f.Type {
		case reflect.TypeFor[store.Hash]():
			es = hashes()
		case reflect.TypeFor[time.Time]():
			es = append(times(), time.Time{})
		case reflect.TypeFor[string]():
			texts(nasty, "")
		case reflect.TypeFor[time.Duration]():
			es = append(es, time.Duration(0), time.Microsecond, 100*366*24*time.Hour)
		case reflect.TypeFor[int64]():
			es = append(es, int64(0), int64(-1), int64(1)<<62)
		}
	}
	return es
}

// document returns a text of exactly n bytes.
func document(start, filling, end string, n int) string {
	n -= len(start) + len(end)
	return start + strings.Repeat(filling, n/len(filling)) + strings.Repeat("x", n%len(filling)) + end
}

func times() []any {
	return []any{
		time.UnixMicro(1).UTC(),
		time.Date(2026, time.October, 25, 0, 59, 59, 999_999_000, time.UTC), // an hour that London has twice
		time.Date(2038, time.January, 19, 3, 14, 8, 1_000, time.UTC),        // one second past 31 bits
		time.Date(2039, time.December, 31, 23, 59, 59, 999_999_000, time.UTC),
		time.Date(9999, time.December, 31, 23, 59, 59, 999_999_000, time.UTC),
	}
}

func hashes() []any {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	return []any{
		store.Hash(""),
		store.Hash("\x00"),
		store.Hash("\x00leading and trailing NUL 32 by\x00"),
		store.Hash("space and newline at the end  \n "),
		store.Hash("\xff\xfe\xc0\x80\xed\xa0\x80 is no UTF-8 at all. \xe2\x82"),
		store.Hash(`'; DROP TABLE keys; --\x00\000`),
		store.Hash("$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"),
		store.Hash(every),
	}
}
