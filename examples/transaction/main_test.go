package main

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store/storetest"
)

func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a 100% app?.db")
	var out strings.Builder
	require.NoError(t, run(t.Context(), path, &out))
	require.Equal(t, `Siti signs up, and the transaction commits.
  users with the id user_1: 1
  the key verifies: it is "first key" of user_1
Adam signs up, and the transaction rolls back.
  users with the id user_2: 0
  the key is unknown
`, out.String())
	require.FileExists(t, path)
}

// Half of what was to be, such as a user without a key, must not pass.
func TestExpectFails(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	db.SetMaxOpenConns(1) // each has a memory of its own
	_, err = db.Exec("CREATE TABLE users (id TEXT); INSERT INTO users VALUES ('user_1')")
	require.NoError(t, err)
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "transaction_test"})
	require.NoError(t, err)
	a := app{db: db, keys: keys}
	good, _, err := keys.Issue(t.Context(), apikey.Request{Owner: "user_1", Label: "first key"})
	require.NoError(t, err)
	elsewhere, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "transaction_test"})
	require.NoError(t, err)
	unknown, _, err := elsewhere.Issue(t.Context(), apikey.Request{Owner: "user_1", Label: "first key"})
	require.NoError(t, err)

	for _, c := range []struct {
		token apikey.Token
		id    string
		there bool
		pass  bool
	}{
		{good, "user_1", true, true},
		{good, "user_1", false, false},
		{good, "user_2", true, false},
		{good, "user_2", false, false},
		{unknown, "user_1", true, false},
		{unknown, "user_1", false, false},
		{unknown, "user_2", true, false},
		{unknown, "user_2", false, true},
	} {
		err := a.expect(t.Context(), io.Discard, c.token, c.id, c.there)
		require.Equal(t, c.pass, err == nil, "%s, %v: %v", c.id, c.there, err)
	}
	a.keys = keys.WithStore(storetest.Failing(errors.New("down")))
	require.ErrorIs(t, a.expect(t.Context(), io.Discard, unknown, "user_2", false), apikey.ErrUnavailable)
}

func TestRunFails(t *testing.T) {
	require.Error(t, run(t.Context(), filepath.Join(t.TempDir(), "no", "such", "folder.db"), io.Discard))

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, run(ended, filepath.Join(t.TempDir(), "app.db"), io.Discard), context.Canceled)
}
