package apikey_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

// canary is a pepper that is easy to find in any output.
const canary = "canary-pepper-0123456789-abcdefgh"

// TestNothingLeaks holds M33: it prints, logs, marshals and panics with everything that holds a token,
// a secret, a hash or a pepper, and looks for them in what comes out.
func TestNothingLeaks(t *testing.T) {
	pepper, err := apikey.NewPepper([]byte(canary))
	require.NoError(t, err)
	st := new(memstore.Store)
	config := apikey.Config{Prefix: "acme_live", Peppers: []apikey.Pepper{pepper}}
	keys, err := apikey.New(st, config)
	require.NoError(t, err)
	token, key, err := keys.Issue(t.Context(), apikey.Request{
		Owner: "user_42", Label: "leak test", Contacts: []string{"siti@agency.gov.sg"}, Metadata: map[string]string{"nric": "S1234567D"},
	})
	require.NoError(t, err)
	rec, err := st.Get(t.Context(), key.ID)
	require.NoError(t, err)
	recs, err := st.List(t.Context(), store.Query{Limit: 1})
	require.NoError(t, err)

	plain := token.Reveal()
	secret := plain[len("acme_live_")+21:][:43]
	_, refused := keys.Verify(t.Context(), strings.Replace(plain, "acme_live", "acme_test", 1))
	plainKeys, err := apikey.New(st, apikey.Config{Prefix: "acme_live"})
	require.NoError(t, err)
	_, unavailable := plainKeys.Verify(t.Context(), plain)
	require.ErrorIs(t, unavailable, apikey.ErrUnavailable)
	_, err = keys.Revoke(t.Context(), apikey.Ref{Owner: "user_42", ID: key.ID}, "")
	require.NoError(t, err)
	_, revoked := keys.Verify(t.Context(), plain)
	require.ErrorIs(t, revoked, apikey.ErrRevoked)
	_, short := apikey.NewPepper([]byte(canary)[:31])
	require.Error(t, short)

	type exported struct {
		Token  apikey.Token
		Pepper apikey.Pepper
		Hash   store.Hash
	}
	type unexported struct {
		token  apikey.Token
		pepper apikey.Pepper
		keys   *apikey.Service
		st     *memstore.Store
	}
	values := map[string]any{
		"Token": token, "*Token": &token, "[]Token": []apikey.Token{token}, "map": map[string]apikey.Token{"a": token},
		"Pepper": pepper, "*Pepper": &pepper, "Config": config, "*Config": &config,
		"Service": keys, "Service value": *keys, "Store": st, "store.Store": store.Store(st),
		"Record": rec, "*Record": &rec, "[]Record": recs, "Hash": rec.Hash,
		"Key": key, "*Key": &key, "Format": keys.Format(),
		"exported": exported{token, pepper, rec.Hash}, "unexported": unexported{token, pepper, keys, st},
		"malformed": refused, "revoked": revoked, "short pepper": short, "unavailable": unavailable,
		"joined":  errors.Join(revoked, fmt.Errorf("again: %w", unavailable)),
		"context": apikey.NewContext(context.Background(), key),
	}
	// Package fmt applies %p to what is no pointer without asking the value how to print itself. What
	// a Hash can't do about it, go vet does.
	for _, v := range []any{token, pepper, config, *keys, key} {
		require.NotContains(t, fmt.Sprintf("%"+"p", v), secret)
		require.NotContains(t, fmt.Sprintf("%"+"p", v), canary)
	}
	bearing := []string{secret, string(rec.Hash), canary}
	var forbidden []string
	for _, s := range bearing {
		b := []byte(s)
		forbidden = append(forbidden, s, hex.EncodeToString(b), strings.ToUpper(hex.EncodeToString(b)),
			strings.Trim(fmt.Sprint(b), "[]"), strings.Trim(fmt.Sprintf("%q", s), `"`), strings.Trim(fmt.Sprintf("%+q", s), `"`))
	}
	for name, v := range values {
		for how, out := range outputs(v) {
			for i, f := range forbidden {
				if strings.Contains(out, f) {
					t.Errorf("%s under %s shows secret %d", name, how, i) // and not the output, which holds it
				}
			}
		}
	}
	require.Equal(t, "[redacted]", fmt.Sprint(token))
	require.Equal(t, "[redacted]", fmt.Sprintf("%x", rec.Hash))
	require.Contains(t, fmt.Sprintf("%+v", rec), "leak test", "the rest of a record is there to be read")
	require.Contains(t, fmt.Sprintf("%+v", key), "leak test")
	shown := outputs([]apikey.Key{key})
	for _, how := range []string{"%v", "%+v", "%s", "Sprint", "Errorf", "log", "json", "xml", "panic"} {
		require.NotContains(t, shown[how], "siti@", how)
		require.NotContains(t, shown[how], "S1234567D", how)
	}
}

// outputs is everything that v comes out as.
func outputs(v any) map[string]string {
	all := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%08.3f", "%T", "% x", "%+q"} {
		all[verb] = fmt.Sprintf(verb, v)
	}
	all["Sprint"] = fmt.Sprint("x", v, errors.New("y"))
	all["Errorf"] = fmt.Errorf("failed with %v", v).Error()

	text, err := json.Marshal(v)
	all["json"] = fmt.Sprint(string(text), err)
	text, err = xml.Marshal(v)
	all["xml"] = fmt.Sprint(string(text), err)
	var b bytes.Buffer
	err = gob.NewEncoder(&b).Encode(v)
	all["gob"] = fmt.Sprint(b.String(), err)

	var logged bytes.Buffer
	log.New(&logged, "", 0).Printf("%v %+v", v, v)
	for _, h := range []slog.Handler{slog.NewTextHandler(&logged, nil), slog.NewJSONHandler(&logged, nil)} {
		l := slog.New(h)
		l.Info("found", "value", v, slog.Group("group", "value", v))
		l.With("value", v).Info("again")
	}
	all["log"] = logged.String()

	var page bytes.Buffer
	err = template.Must(template.New("").Parse("{{.}} {{printf `%#v` .}}")).Execute(&page, v)
	all["template"] = fmt.Sprint(page.String(), err)

	func() {
		defer func() { all["panic"] = fmt.Sprintf("%v %+v", recover(), v) }()
		panic(v)
	}()
	return all
}

// TestFailedComparisonsShowNoToken holds what testify prints of values, past any of their methods.
func TestFailedComparisonsShowNoToken(t *testing.T) {
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme_live"})
	require.NoError(t, err)
	a, _, err := keys.Issue(t.Context(), apikey.Request{Owner: "user_42", Label: "x"})
	require.NoError(t, err)
	pepper, err := apikey.NewPepper([]byte(canary))
	require.NoError(t, err)
	var out failure
	require.False(t, assert.Equal(&out, []apikey.Token{a}, []apikey.Token{{}}))
	require.False(t, assert.Nil(&out, a))
	require.False(t, assert.Equal(&out, pepper, apikey.Pepper{}))
	require.NotEmpty(t, out.Builder.String())
	require.NotContains(t, out.Builder.String(), "acme_live_")
	require.NotContains(t, out.Builder.String(), canary)
}

type failure struct{ strings.Builder }

func (f *failure) Errorf(format string, args ...any) { fmt.Fprintf(f, format, args...) }

// TestPanicsShowNothing panics for real, in a process of its own: the runtime prints what it panics
// with in its own way.
func TestPanicsShowNothing(t *testing.T) {
	const variable = "LATCHKEY_TEST_PANIC"
	hash := store.Hash("hash-" + strings.Repeat("h", 27))
	if kind := os.Getenv(variable); kind != "" {
		keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme_live"})
		require.NoError(t, err)
		token, _, err := keys.Issue(t.Context(), apikey.Request{Owner: "user_42", Label: "x"})
		require.NoError(t, err)
		pepper, err := apikey.NewPepper([]byte(canary))
		require.NoError(t, err)
		panic(map[string]any{"token": token, "pepper": pepper, "hash": hash, "record": store.Record{Hash: hash}}[kind])
	}
	for _, kind := range []string{"token", "pepper", "hash", "record"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestPanicsShowNothing$")
		cmd.Env = append(os.Environ(), variable+"="+kind)
		out, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), "panic: ", kind)
		for _, secret := range []string{"acme_live_", canary, string(hash)} {
			require.NotContains(t, string(out), secret, kind)
		}
	}
}

func TestTokenAndPepperZeroValues(t *testing.T) {
	require.Empty(t, apikey.Token{}.Reveal())
	require.Equal(t, "[redacted]", fmt.Sprintf("%v", apikey.Token{}))
	require.Empty(t, apikey.Pepper{}.ID())
	text, err := json.Marshal(map[string]any{"token": apikey.Token{}})
	require.NoError(t, err)
	require.JSONEq(t, `{"token":"[redacted]"}`, string(text))
}
