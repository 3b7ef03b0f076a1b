package filestore

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

var now = time.Date(2026, time.March, 1, 9, 30, 0, 123_456_000, time.UTC)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, newPath(t), Config{NoSync: true}) })
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "keys") }

// open returns the store in a file, which is closed with the test.
func open(t *testing.T, path string, c Config) *Store {
	t.Helper()
	st, err := Open(path, c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	return st
}

// sample returns a record with a value in each field.
func sample(n int) store.Record {
	return store.Record{
		ID:         fmt.Sprintf("01m83pph00000000000%d", n),
		Owner:      "user_42",
		Prefix:     "acme_live",
		Alias:      fmt.Sprintf("old-%d", n),
		Label:      "<HR> & \u2028 reminders",
		Hint:       "e9wCY",
		Scopes:     "email:send",
		Contacts:   `["hr@agency.gov.sg"]`,
		Metadata:   `{"team":"hr"}`,
		Scheme:     "sha256",
		Hash:       "\x00\xff printable canary \n\xc3",
		CreatedAt:  now,
		UpdatedAt:  now,
		ExpiresAt:  now.AddDate(1, 0, 0),
		LastUsedAt: now.Add(time.Hour),
		PriorHash:  "\x00\xff printable canary of the one before \n\xc3",
		Version:    1,
	}
}

func all(t *testing.T, st *Store) []store.Record {
	t.Helper()
	recs, err := st.List(t.Context(), store.Query{Limit: store.MaxLimit})
	require.NoError(t, err)
	return recs
}

// lines returns what is in the file.
func lines(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return slices.Collect(strings.Lines(string(text)))
}

func TestReopen(t *testing.T) {
	path := newPath(t)
	st := open(t, path, Config{})
	for n := range 4 {
		require.NoError(t, st.Create(t.Context(), sample(n), 0))
	}
	revoked := sample(1)
	revoked.RevokedAt, revoked.RevokedReason = now, "left the team"
	require.NoError(t, st.Update(t.Context(), revoked))
	require.NoError(t, st.Touch(t.Context(), []store.Use{{ID: sample(2).ID, At: now.Add(2 * time.Hour)}}))
	gone := sample(3)
	gone.RevokedAt = now.Add(-time.Hour)
	require.NoError(t, st.Update(t.Context(), gone))
	purged, err := st.Purge(t.Context(), now, 10)
	require.NoError(t, err)
	require.Equal(t, 1, purged)
	want := all(t, st)
	require.Len(t, want, 3)

	for range 3 { // on what writes left, and on what opening left
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode())
		require.NoError(t, st.Close())
		st = open(t, path, Config{})
		require.Equal(t, want, all(t, st))
	}
	require.Len(t, lines(t, path), 3, "opening leaves a line for each record and nothing of what was purged")
}

// A process that dies while it writes leaves part of a line, whose write was never acknowledged.
func TestTornLastLine(t *testing.T) {
	path := newPath(t)
	st := open(t, path, Config{NoSync: true})
	require.NoError(t, st.Create(t.Context(), sample(1), 0))
	require.NoError(t, st.Create(t.Context(), sample(2), 0))
	require.NoError(t, st.Close())
	whole := lines(t, path)
	require.Len(t, whole, 2)

	for n := range whole[1] {
		require.NoError(t, os.WriteFile(path, []byte(whole[0]+whole[1][:n]), 0o600))
		st := open(t, path, Config{NoSync: true})
		require.Len(t, all(t, st), 1, "after %d bytes of the second line", n)
		require.NoError(t, st.Create(t.Context(), sample(3), 0))
		want := all(t, st)
		require.NoError(t, st.Close())
		st = open(t, path, Config{NoSync: true})
		require.Equal(t, want, all(t, st), "what is written behind a torn line is kept")
		require.NoError(t, st.Close())
	}
}

// Row F41: what can't be read may have been a revocation, so nothing is skipped.
func TestDamagedFileIsNotOpened(t *testing.T) {
	path := newPath(t)
	st := open(t, path, Config{NoSync: true})
	for n := range 3 {
		require.NoError(t, st.Create(t.Context(), sample(n), 0))
	}
	require.NoError(t, st.Close())
	whole := lines(t, path)
	for name, second := range map[string]string{
		"empty":            "\n",
		"zeros":            strings.Repeat("\x00", 80) + "\n",
		"cut":              whole[1][:80] + "\n",
		"joined":           whole[1][:80] + whole[1],
		"quote lost":       strings.Replace(whole[1], `"`, "", 1),
		"quote added":      strings.Replace(whole[1], `{`, `{"`, 1),
		"hash not base64":  strings.Replace(whole[1], `"Hash":"`, `"Hash":"?`, 1),
		"prior not base64": strings.Replace(whole[1], `"PriorHash":"`, `"PriorHash":"?`, 1),
		"unknown field":    strings.Replace(whole[1], `"Label"`, `"Colour"`, 1),
		"two values":       strings.TrimSuffix(whole[1], "\n") + "{}\n",
	} {
		for _, damaged := range []string{whole[0] + second + whole[2], whole[0] + second} {
			require.NoError(t, os.WriteFile(path, []byte(damaged), 0o600))
			st, err := Open(path, Config{NoSync: true})
			require.EqualError(t, err, "filestore: "+path+": line 2 is damaged, or of a later release", name)
			require.Nil(t, st)
			require.Equal(t, damaged, strings.Join(lines(t, path), ""), "the file stays for an operator to look at")
		}
	}
}

// A process that dies while it opens the file leaves a temporary one.
func TestHalfWrittenTempFile(t *testing.T) {
	path := newPath(t)
	st := open(t, path, Config{NoSync: true})
	require.NoError(t, st.Create(t.Context(), sample(1), 0))
	want := all(t, st)
	require.NoError(t, st.Close())
	require.NoError(t, os.WriteFile(path+".tmp", []byte(`{"Delete":["`+sample(1).ID+"\"]}\n"+`{"Put":[{"ID":"01m8`), 0o644))

	st = open(t, path, Config{NoSync: true})
	require.Equal(t, want, all(t, st))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode())
	require.NoFileExists(t, path+".tmp")
}

func TestOneOpenerAtATime(t *testing.T) {
	path := newPath(t)
	first := open(t, path, Config{NoSync: true})
	require.NoError(t, first.Create(t.Context(), sample(1), 0))
	second, err := Open(path, Config{NoSync: true})
	require.ErrorContains(t, err, path+".lock")
	require.Nil(t, second)

	require.NoError(t, first.Close())
	require.NoError(t, first.Close())
	second = open(t, path, Config{NoSync: true})
	require.Len(t, all(t, second), 1)
	_, err = first.Get(t.Context(), sample(1).ID)
	require.ErrorIs(t, err, os.ErrClosed, "whoever has the file now may have revoked the key")
	require.ErrorIs(t, first.Create(t.Context(), sample(2), 0), os.ErrClosed)
}

// Rows F37 and F38: keys verify as long as they can be read.
func TestFailedWriteIsTheLast(t *testing.T) {
	path := newPath(t)
	st := open(t, path, Config{NoSync: true})
	require.NoError(t, st.Create(t.Context(), sample(1), 0))
	want := all(t, st)

	good := st.file
	readOnly, err := os.Open(path)
	require.NoError(t, err)
	defer readOnly.Close()
	st.file = readOnly
	require.ErrorContains(t, st.Create(t.Context(), sample(2), 0), "write "+path)
	st.file = good
	require.Error(t, st.Create(t.Context(), sample(3), 0), "nobody knows how the file ends")
	revoked := sample(1)
	revoked.RevokedAt = now
	require.Error(t, st.Update(t.Context(), revoked))
	require.Equal(t, want, all(t, st))

	require.NoError(t, st.Close())
	st = open(t, path, Config{NoSync: true})
	require.Equal(t, want, all(t, st))
	require.NoError(t, st.Update(t.Context(), revoked))
}

func TestOpenFailsWhereItCannotWrite(t *testing.T) {
	st, err := Open(filepath.Join(t.TempDir(), "no", "such", "folder"), Config{})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.Nil(t, st)
}

// Row M33.
func TestStorePrintsNoHash(t *testing.T) {
	st := open(t, newPath(t), Config{NoSync: true})
	require.NoError(t, st.Create(t.Context(), sample(1), 0))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		require.NotContains(t, fmt.Sprintf(verb, st), "canary")
		require.NotContains(t, fmt.Sprintf(verb, struct{ Store store.Store }{st}), "canary")
	}
}
