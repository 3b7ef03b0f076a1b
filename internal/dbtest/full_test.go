package dbtest

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
)

// requireReads asserts that keys open and are refused as ever while nothing can be written, and that
// whoever writes is told that it was not done.
func requireReads(t *testing.T, door *door, token string, key apikey.Key) {
	t.Helper()
	for range 3 {
		door.requireOpen(t, token)
		door.requireRefused(t, nobodys)
		tok, _, err := door.Issue(bounded(t), apikey.Request{Owner: key.Owner, Label: "never", Metadata: map[string]string{"big": strings.Repeat("x", 1000)}})
		requireUnavailable(t, err)
		require.Equal(t, apikey.Token{}, tok)
		page, err := door.List(bounded(t), key.Owner, apikey.Page{})
		require.NoError(t, err)
		require.Equal(t, []apikey.Key{key}, page.Keys, "nothing is half done")
	}
}

// requireUnwritten asserts that nothing can be written while keys open, also one that is to be rehashed.
func requireUnwritten(t *testing.T, st store.Store, token string, key apikey.Key) {
	t.Helper()
	pepper, err := apikey.NewPepper([]byte(strings.Repeat("p", 32)))
	require.NoError(t, err)
	peppered, err := apikey.New(st, apikey.Config{Prefix: "postman_live", Peppers: []apikey.Pepper{pepper}})
	require.NoError(t, err)
	for _, door := range []*door{newDoor(t, st).serve(t), doorTo(peppered).serve(t)} {
		requireReads(t, door, token, key)
		_, err = door.Revoke(bounded(t), apikey.Ref{Owner: key.Owner, ID: key.ID}, "never")
		requireUnavailable(t, err)
		door.requireOpen(t, token)
	}
}

// requireWritten asserts that writing works again: the key can be revoked, and another one be issued.
func requireWritten(t *testing.T, st store.Store, token string, key apikey.Key) {
	t.Helper()
	door := newDoor(t, st).serve(t)
	_, err := door.Revoke(bounded(t), apikey.Ref{Owner: key.Owner, ID: key.ID}, "")
	require.NoError(t, err)
	door.requireRefused(t, token)
	fresh, _ := door.issue(t)
	door.requireOpen(t, fresh)
}

// A file with one key in it, and the connection that made it.
func newFileWithKey(t *testing.T) (file, token string, key apikey.Key, holder *sql.DB) {
	t.Helper()
	requireNoneLeft(t)
	file = newFile(t)
	holder = one(open(t, file, settings))
	token, key = newDoor(t, migrated(t, holder)).issue(t)
	return file, token, key, holder
}

// Row F35 behind the guard: somebody else holds the write lock for longer than anybody waits.
func TestLockedFile(t *testing.T) {
	file, token, key, holder := newFileWithKey(t)
	st := newStore(t, open(t, file, "_pragma=busy_timeout(5)&_txlock=immediate"))
	exec(t, holder, `BEGIN IMMEDIATE`)
	requireUnwritten(t, st, token, key)
	exec(t, holder, `ROLLBACK`)
	requireWritten(t, st, token, key)
}

// Row F36: a transaction of the application's that has read before another one wrote can't write. The
// key is not issued, at once, and the next transaction works.
func TestOutdatedSnapshot(t *testing.T) {
	requireNoneLeft(t)
	db := open(t, newFile(t), strings.ReplaceAll(settings, "immediate", "deferred"))
	keys := newKeys(t, migrated(t, db))
	door := doorTo(keys).serve(t)
	for range 2 {
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		before := count(t, tx, `SELECT COUNT(*) FROM latchkey_keys`)
		other, _ := door.issue(t)

		inside := keys.WithStore(newStore(t, tx))
		token, _, err := inside.Issue(bounded(t), request("too late"))
		requireUnavailable(t, err)
		require.Equal(t, 5, sqliteCode(t, err))
		require.Equal(t, apikey.Token{}, token)
		door.requireOpen(t, other)
		require.NoError(t, tx.Rollback())
		require.Equal(t, before+1, count(t, db, `SELECT COUNT(*) FROM latchkey_keys`))
	}
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	token, _, err := keys.WithStore(newStore(t, tx)).Issue(bounded(t), request("in time"))
	require.NoError(t, err)
	door.requireRefused(t, token.Reveal())
	require.NoError(t, tx.Commit())
	door.requireOpen(t, token.Reveal())
}

// Row F37 behind the guard: not even one row more has room.
func TestFullFile(t *testing.T) {
	_, token, key, db := newFileWithKey(t)
	st := newStore(t, db)
	door := newDoor(t, st).serve(t)
	count(t, db, fmt.Sprintf(`PRAGMA max_page_count = %d`, count(t, db, `PRAGMA page_count`)))
	var filled []string
	for {
		require.Less(t, len(filled), 10_000)
		tok, _, err := door.Issue(bounded(t), apikey.Request{Owner: "filler", Label: "filler", Metadata: map[string]string{"big": strings.Repeat("x", 900)}})
		if err != nil {
			requireUnavailable(t, err)
			require.Equal(t, 13, sqliteCode(t, err))
			break
		}
		filled = append(filled, tok.Reveal())
	}
	requireReads(t, door, token, key)
	require.Equal(t, len(filled), count(t, db, `SELECT COUNT(*) FROM latchkey_keys WHERE owner = 'filler'`), "what was acknowledged is kept, and no more")
	for _, token := range filled {
		door.requireOpen(t, token)
	}
	// A revocation takes room in an index. It is done or told to be not.
	if _, err := door.Revoke(bounded(t), apikey.Ref{Owner: key.Owner, ID: key.ID}, ""); err != nil {
		requireUnavailable(t, err)
		door.requireOpen(t, token)
	} else {
		door.requireRefused(t, token)
	}
	count(t, db, `PRAGMA max_page_count = 1000000`)
	requireWritten(t, st, token, key)
}

// Row F38 behind the guard.
func TestReadOnlyFile(t *testing.T) {
	for _, params := range []string{"mode=ro", "_pragma=query_only(1)"} {
		t.Run(params, func(t *testing.T) {
			file, token, key, holder := newFileWithKey(t)
			st := newStore(t, open(t, file, params+"&_txlock=immediate"))
			requireUnwritten(t, st, token, key)
			_, err := newDoor(t, st).Revoke(bounded(t), apikey.Ref{Owner: key.Owner, ID: key.ID}, "")
			require.ErrorContains(t, err, "the database takes no writes")
			requireWritten(t, newStore(t, holder), token, key)
		})
	}
}
