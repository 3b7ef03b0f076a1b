package servicetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

func isLimit(err error) bool { return errors.Is(err, apikey.ErrLimit) }

// requireArgument expects an error that names the field.
func requireArgument(t *testing.T, err error, field string) {
	t.Helper()
	require.ErrorIs(t, err, apikey.ErrInvalidArgument)
	arg, ok := errors.AsType[*apikey.ArgumentError](err)
	require.True(t, ok)
	require.Equal(t, field, arg.Field)
	require.Contains(t, err.Error(), field)
}

// alwaysExists is a store whose every id is taken.
type alwaysExists struct{ store.Store }

func (alwaysExists) Create(context.Context, store.Record, int) error { return store.ErrExists }

// many returns n distinct strings.
func many(n int, format string) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf(format, i)
	}
	return all
}

func metadata(keys []string, value string) map[string]string {
	return maps.Collect(func(yield func(string, string) bool) {
		for _, key := range keys {
			if !yield(key, value) {
				return
			}
		}
	})
}

var requestTests = []test{
	{"M1 M3 M4 M10 what a record can't hold is refused before any store call", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock())).WithStore(unreachable{t})
		for _, bad := range []struct {
			field string
			set   func(r *apikey.Request)
		}{
			{"Owner", func(r *apikey.Request) { r.Owner = "" }},
			{"Owner", func(r *apikey.Request) { r.Owner = strings.Repeat("x", 256) }},
			{"Owner", func(r *apikey.Request) { r.Owner = strings.Repeat("x", 1<<20) }},
			{"Owner", func(r *apikey.Request) { r.Owner = "a\x00b" }},
			{"Owner", func(r *apikey.Request) { r.Owner = "a\nb" }},
			{"Owner", func(r *apikey.Request) { r.Owner = "a\u0085b" }},
			{"Owner", func(r *apikey.Request) { r.Owner = "a\xffb" }},
			{"Label", func(r *apikey.Request) { r.Label = "" }},
			{"Label", func(r *apikey.Request) { r.Label = " \u3000\t" }},
			{"Label", func(r *apikey.Request) { r.Label = "\u200b\u2060\u00ad\u202e\ufeff" }}, // nothing that people see
			{"Label", func(r *apikey.Request) { r.Label = "\u3164\u2800\ufe0f\u034f" }},
			{"Label", func(r *apikey.Request) { r.Label = strings.Repeat("é", 256) }},
			{"Label", func(r *apikey.Request) { r.Label = strings.Repeat("x", 1<<20) }},
			{"Label", func(r *apikey.Request) { r.Label = "two\nlines" }},
			{"Label", func(r *apikey.Request) { r.Label = "two\u2028lines" }},
			{"Label", func(r *apikey.Request) { r.Label = "\x1b[31mred" }},
			{"Label", func(r *apikey.Request) { r.Label = "a\x00" }},
			{"Label", func(r *apikey.Request) { r.Label = "\xff" }},
			{"Scopes", func(r *apikey.Request) { r.Scopes = []string{""} }},
			{"Scopes", func(r *apikey.Request) { r.Scopes = []string{"*"} }},
			{"Scopes", func(r *apikey.Request) { r.Scopes = []string{"*:*"} }},
			{"Scopes", func(r *apikey.Request) { r.Scopes = []string{"email"} }},
			{"Scopes", func(r *apikey.Request) { r.Scopes = []string{"email:"} }},
			{"Scopes", func(r *apikey.Request) { r.Scopes = []string{":send"} }},
			{"Scopes", func(r *apikey.Request) { r.Scopes = []string{"email:send:now"} }},
			{"Scopes", func(r *apikey.Request) { r.Scopes = []string{"email:send sms:send"} }},
			{"Scopes", func(r *apikey.Request) { r.Scopes = []string{`email:"send"`} }},
			{"Scopes", func(r *apikey.Request) { r.Scopes = []string{"émail:send"} }},
			{"Scopes", func(r *apikey.Request) { r.Scopes = []string{"email:send", "email:send"} }},
			{"Scopes", func(r *apikey.Request) { r.Scopes = []string{"email:" + strings.Repeat("x", 100)} }},
			{"Scopes", func(r *apikey.Request) { r.Scopes = many(65, "email:a%d") }},
			{"Scopes", func(r *apikey.Request) { r.Scopes = many(10_000, "email:a%d") }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{""} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{"nobody"} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{"Ann <ann@example.com>"} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{"ann@example.com (Ann)"} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{`"a b"@example.com`} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{"ann@[127.0.0.1]"} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{" ann@example.com"} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{"\u200bann@example.com"} }}, // as it is copied from a web page
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{"ann\u202e@example.com"} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{"ann@exam\u00adple.com"} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{"ann\u00a0b@example.com"} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{"ann@example.com\r\nBcc: eve@example.com"} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{"a@example.com,b@example.com"} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{"a@example.com", "a@example.com"} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = []string{strings.Repeat("x", 243) + "@example.com"} }},
			{"Contacts", func(r *apikey.Request) { r.Contacts = many(51, "a%d@example.com") }},
			{"Metadata", func(r *apikey.Request) { r.Metadata = map[string]string{"": "x"} }},
			{"Metadata", func(r *apikey.Request) { r.Metadata = map[string]string{"a\x00": "x"} }},
			{"Metadata", func(r *apikey.Request) { r.Metadata = map[string]string{"a": "\x00"} }},
			{"Metadata", func(r *apikey.Request) { r.Metadata = map[string]string{"a": "\xed\xa0\x80"} }}, // a lone surrogate
			{"Metadata", func(r *apikey.Request) { r.Metadata = map[string]string{strings.Repeat("x", 65): ""} }},
			{"Metadata", func(r *apikey.Request) { r.Metadata = map[string]string{"a": strings.Repeat("x", 1025)} }},
			{"Metadata", func(r *apikey.Request) { r.Metadata = metadata(many(65, "%d"), "") }},
			{"Metadata", func(r *apikey.Request) { r.Metadata = metadata(many(33, "%d"), strings.Repeat("x", 1024)) }},
			{"Metadata", func(r *apikey.Request) { r.Metadata = metadata(many(6, "%d"), strings.Repeat("\x1b", 1024)) }},
		} {
			r := request()
			bad.set(&r)
			token, key, err := s.Issue(t.Context(), r)
			requireArgument(t, err, bad.field)
			require.Zero(t, token)
			require.Zero(t, key)
			require.Less(t, len(err.Error()), 300, "an error names the limit and not the value")
		}
	}},
	{"M3 M4 what a record can hold is kept as it is", func(t *testing.T, st store.Store) {
		cfg := config(newClock())
		s := newService(t, st, cfg)
		for _, set := range []func(r *apikey.Request){
			func(r *apikey.Request) { r.Label = "<script>alert(1)</script> '; DROP TABLE keys; -- %s \\" },
			func(r *apikey.Request) { r.Label = strings.Repeat("密", 255) },
			func(r *apikey.Request) { r.Label = "👩‍👩‍👧 \u202eright to left" },
			func(r *apikey.Request) { r.Scopes = []string{} },
			func(r *apikey.Request) { r.Scopes = many(64, "email:a%d") },
			func(r *apikey.Request) { r.Scopes = []string{"email:" + strings.Repeat("x", 94)} },
			func(r *apikey.Request) { r.Contacts = many(50, "a%d@example.com") },
			func(r *apikey.Request) { r.Metadata = metadata(many(64, "key\n%d"), strings.Repeat("\"", 200)) },
			func(r *apikey.Request) { r.Metadata = metadata(many(20, "%d"), strings.Repeat("x", 1024)) },
			func(r *apikey.Request) { r.Metadata = map[string]string{"null": "null", "a": "\u2028<&>\t\r\n"} },
		} {
			r := request()
			set(&r)
			token, key := issue(t, s, r)
			requireOpens(t, s, token, key)
			require.Equal(t, r.Label, key.Label)
			require.ElementsMatch(t, r.Scopes, key.Scopes())
			require.ElementsMatch(t, r.Contacts, key.Contacts())
			require.True(t, maps.Equal(r.Metadata, key.Metadata()))
		}
	}},
	{"M5 nothing is granted beyond the service's scopes or the issuer's ceiling", func(t *testing.T, st store.Store) {
		c := newClock()
		cfg := config(c)
		cfg.AllowNeverExpires = true
		s := newService(t, st, cfg)
		r := request()
		r.Scopes = []string{"email:send", "keys:read"}
		r.ExpiresIn = time.Hour
		_, parent := issue(t, s, r)

		for name, set := range map[string]func(r *apikey.Request){
			"unknown scope":          func(r *apikey.Request) { r.Scopes = []string{"fax:send"}; r.Ceiling = nil },
			"wildcard not granted":   func(r *apikey.Request) { r.Scopes = []string{"sms:*"}; r.Ceiling = nil },
			"scope above":            func(r *apikey.Request) { r.Scopes = []string{"sms:send"} },
			"wildcard above":         func(r *apikey.Request) { r.Scopes = []string{"email:*"} },
			"one of two above":       func(r *apikey.Request) { r.Scopes = []string{"keys:read", "email:read"} },
			"owner":                  func(r *apikey.Request) { r.Owner = "user_43" },
			"expiry":                 func(r *apikey.Request) { r.ExpiresIn = time.Hour + time.Microsecond },
			"never expires":          func(r *apikey.Request) { r.NeverExpires = true },
			"empty ceiling":          func(r *apikey.Request) { r.Scopes = []string{"email:send"}; r.Ceiling = &apikey.Ceiling{} },
			"parent expired":         func(r *apikey.Request) { r.Ceiling.ExpiresAt = start },
			"parent expired earlier": func(r *apikey.Request) { r.Ceiling.ExpiresAt = start.Add(-time.Hour) },
		} {
			r := request()
			r.Ceiling = parent.Ceiling()
			set(&r)
			_, _, err := s.Issue(t.Context(), r)
			require.ErrorIs(t, err, apikey.ErrForbidden, name)
		}
		require.Equal(t, 1, count(t, st, owner))

		r = request()
		r.Ceiling = parent.Ceiling()
		r.Scopes = []string{"email:send"}
		_, child := issue(t, s, r)
		require.Equal(t, parent.ExpiresAt, child.ExpiresAt, "the default life ends with the issuer's")

		_, bare := issue(t, s, request())
		r = request()
		r.Ceiling = bare.Ceiling()
		r.Scopes = []string{"email:send"}
		_, _, err := s.Issue(t.Context(), r)
		require.ErrorIs(t, err, apikey.ErrForbidden, "a key without scopes grants none")

		for _, nobody := range []*apikey.Ceiling{apikey.Key{}.Ceiling(), apikey.Key{Owner: owner}.Ceiling()} {
			r = request()
			r.Ceiling, r.NeverExpires = nobody, true
			_, _, err = s.Issue(t.Context(), r)
			require.ErrorIs(t, err, apikey.ErrForbidden, "what a context without a key gives grants nothing")
		}
	}},
	{"a service without scopes grants none", func(t *testing.T, st store.Store) {
		cfg := config(newClock())
		cfg.Scopes = nil
		r := request()
		r.Scopes = []string{"email:send"}
		_, _, err := newService(t, st, cfg).Issue(t.Context(), r)
		require.ErrorIs(t, err, apikey.ErrForbidden)
	}},
	{"a request is not shared with what it makes", func(t *testing.T, st store.Store) {
		s := newService(t, st, config(newClock()))
		r := request()
		r.Scopes, r.Contacts, r.Metadata = []string{"sms:send"}, []string{"a@example.com"}, map[string]string{"a": "b"}
		token, key := issue(t, s, r)
		r.Scopes[0], r.Contacts[0], r.Metadata["a"] = "email:*", "eve@example.com", "c"
		key.Scopes()[0], key.Contacts()[0], key.Metadata()["a"] = "email:*", "eve@example.com", "c"

		key, err := s.Verify(t.Context(), token)
		require.NoError(t, err)
		require.True(t, slices.Equal([]string{"sms:send"}, key.Scopes()))
		require.Equal(t, []string{"a@example.com"}, key.Contacts())
		require.Equal(t, map[string]string{"a": "b"}, key.Metadata())
		require.False(t, key.Allows("email:send"))
	}},
}
