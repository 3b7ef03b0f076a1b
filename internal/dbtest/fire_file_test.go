package dbtest

import (
	"context"
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
		tok, _, err := door.Issue(t.Context(), apikey.Request{Owner: key.Owner, Label: "never", Metadata: map[string]string{"big": strings.Repeat("x", 1000)}})
		requireUnavailable(t, err)
		require.Equal(t, apikey.Token{}, tok)
		page, err := door.List(t.Context(), key.Owner, apikey.Page{})
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
	for _, door := range []*door{newDoor(t, st), doorTo(peppered)} {
		requireReads(t, door, token, key)
		_, err = door.Revoke(t.Context(), apikey.Ref{Owner: key.Owner, ID: key.ID}, "never")
		requireUnavailable(t, err)
		door.requireOpen(t, token)
	}
}

// Rows F35, F37 and F38 behind the guard: a file that can't be written for now, or at all.
func TestFireF35F37F38File(t *testing.T) {
	prepare := func(t *testing.T) (file, token string, key apikey.Key, holder *sql.DB) {
		file = newFile(t)
		holder = one(open(t, file, settings))
		door := newDoor(t, migrated(t, holder))
		token, key = door.issue(t)
		return file, token, key, holder
	}
	t.Run("F35 locked", func(t *testing.T) {
		file, token, key, holder := prepare(t)
		db := open(t, file, "_pragma=busy_timeout(5)&_txlock=immediate")
		t.Cleanup(requireNoneLeft(t, db))
		exec(t, holder, `BEGIN IMMEDIATE`)
		requireUnwritten(t, newStore(t, db), token, key)
		exec(t, holder, `ROLLBACK`)
		requireEnds(t, newStore(t, db), token, key)
	})
	t.Run("F37 full", func(t *testing.T) {
		_, token, key, db := prepare(t)
		t.Cleanup(requireNoneLeft(t, db))
		st := newStore(t, db)
		// Fill the pages that there are, so that not even a row fits.
		count(t, db, fmt.Sprintf(`PRAGMA max_page_count = %d`, count(t, db, `PRAGMA page_count`)))
		door := newDoor(t, st)
		var err error
		filled := 0
		for ; err == nil; filled++ {
			require.Less(t, filled, 10_000)
			_, _, err = door.Issue(t.Context(), apikey.Request{Owner: "filler", Label: "filler", Metadata: map[string]string{"big": strings.Repeat("x", 900)}})
		}
		requireUnavailable(t, err)
		requireReads(t, door, token, key)
		require.Equal(t, filled-1, count(t, db, `SELECT COUNT(*) FROM latchkey_keys WHERE owner = 'filler'`), "nothing that failed is kept")
		// A revocation takes room in an index. It is done or told to be not.
		if _, err := door.Revoke(t.Context(), apikey.Ref{Owner: key.Owner, ID: key.ID}, ""); err != nil {
			requireUnavailable(t, err)
			door.requireOpen(t, token)
		} else {
			door.requireRefused(t, token)
		}
		count(t, db, `PRAGMA max_page_count = 1000000`)
		requireEnds(t, st, token, key)
	})
	for _, params := range []string{"mode=ro", "_pragma=query_only(1)"} {
		t.Run("F38 "+params, func(t *testing.T) {
			file, token, key, holder := prepare(t)
			db := open(t, file, params+"&_txlock=immediate")
			t.Cleanup(requireNoneLeft(t, db))
			requireUnwritten(t, newStore(t, db), token, key)
			_, err := newDoor(t, newStore(t, db)).Revoke(t.Context(), apikey.Ref{Owner: key.Owner, ID: key.ID}, "")
			require.ErrorContains(t, err, "the database takes no writes")
			requireEnds(t, newStore(t, holder), token, key)
		})
	}
}

// requireEnds asserts that writing works again: the key can be revoked, and another one be issued.
func requireEnds(t *testing.T, st store.Store, token string, key apikey.Key) {
	t.Helper()
	door := newDoor(t, st)
	_, err := door.Revoke(t.Context(), apikey.Ref{Owner: key.Owner, ID: key.ID}, "")
	require.NoError(t, err)
	door.requireRefused(t, token)
	fresh, _ := door.issue(t)
	door.requireOpen(t, fresh)
}

// Row F36: a transaction of the application's that has read before another one wrote can't write. The
// key is not issued, at once, and the next transaction works.
func TestFireF36Snapshot(t *testing.T) {
	db := open(t, newFile(t), strings.ReplaceAll(settings, "immediate", "deferred"))
	keys := newKeys(t, migrated(t, db))
	for range 2 {
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		before := count(t, tx, `SELECT COUNT(*) FROM latchkey_keys`)
		_, _, err = keys.Issue(t.Context(), request("other"))
		require.NoError(t, err)

		inside := keys.WithStore(newStore(t, tx))
		token, _, err := inside.Issue(t.Context(), request("too late"))
		requireUnavailable(t, err)
		require.Equal(t, 5, sqliteCode(t, err))
		require.Equal(t, apikey.Token{}, token)
		require.NoError(t, tx.Rollback())
		require.Equal(t, before+1, count(t, db, `SELECT COUNT(*) FROM latchkey_keys`))
	}
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	token, _, err := keys.WithStore(newStore(t, tx)).Issue(t.Context(), request("in time"))
	require.NoError(t, err)
	require.NoError(t, tx.Commit())
	doorTo(keys).requireOpen(t, token.Reveal())
}

// Row F40 behind the guard: a schema that is missing, too old or too new refuses nobody.
func TestFireF40Schema(t *testing.T) {
	onEach(t, engines, func(t *testing.T, d database) {
		db := d.open(t)
		st := d.store(t, db)
		door := newDoor(t, st)
		door.requireFault(t.Context(), t, nobodys)
		door.requireNothing(t.Context(), t, apikey.Key{Owner: "user_42", ID: nobodysID})
		require.NoError(t, st.Migrate(t.Context()))
		token, _ := door.issue(t)
		door.requireOpen(t, token)
		door.requireRefused(t, nobodys)

		exec(t, db, `ALTER TABLE latchkey_keys RENAME COLUMN scheme TO scheme_of_another_version`)
		other := newDoor(t, d.store(t, db)) // one that has nothing prepared
		other.requireFault(t.Context(), t, token)
		require.Error(t, d.store(t, db).Check(t.Context()))
		exec(t, db, `ALTER TABLE latchkey_keys RENAME COLUMN scheme_of_another_version TO scheme`)
		other.requireOpen(t, token)
		door.requireRecovers(t, token)
	})
}

// Row F41: a row that a hand has spoilt opens nothing, whatever the spoiling, and spoils nothing else.
func TestFireF41Corrupt(t *testing.T) {
	const (
		open    = 200
		refused = 401
		fault   = 503
	)
	onEach(t, engines, func(t *testing.T, d database) {
		db := d.open(t)
		st := d.migrated(t, db)
		door := newDoor(t, st)
		good, _ := door.issue(t)
		bytesOf := map[string]string{"SQLite": `x'%s'`, "PostgreSQL": `'\x%s'`, "MySQL": `x'%s'`}[strings.Fields(d.name)[0]]
		hash := func(n int) string { return "hash = " + fmt.Sprintf(bytesOf, strings.Repeat("ab", n)) }
		for spoil, want := range map[string]int{
			hash(0):                               refused,
			hash(31):                              refused,
			hash(32):                              refused,
			hash(33):                              refused,
			`scheme = ''`:                         fault,
			`scheme = 'sha512'`:                   fault,
			`scheme = 'SHA256'`:                   fault,
			`scheme = 'hmac-sha256:00000000'`:     fault,
			`owner = ''`:                          fault,
			`prefix = 'postman_test'`:             refused,
			`prefix = ''`:                         refused,
			`expires_at = 0`:                      refused,
			`expires_at = -62135596800000000`:     refused,
			`expires_at = -9223372036854775808`:   refused,
			`revoked_at = 0`:                      refused,
			`revoked_at = -62135596800000000`:     refused,
			`revoked_at = 9223372036854775807`:    refused,
			`contacts = '["a@agency.gov.sg'`:      open,
			`metadata = '{"a":'`:                  open,
			`metadata = '{"a":1}'`:                open,
			`scopes = '  email:*   ,*:* *'`:       open,
			`created_at = 9223372036854775807`:    open,
			`last_used_at = -9223372036854775808`: open,
			`version = -1`:                        open,
		} {
			token, key := door.issue(t)
			exec(t, db, `UPDATE latchkey_keys SET `+spoil+` WHERE id = `+d.arg(1), key.ID)
			require.Equal(t, want, door.knock(t.Context(), t, token), spoil)
			door.requireOpen(t, good)
			if want == open {
				got, err := door.Verify(t.Context(), token)
				require.NoError(t, err)
				require.False(t, got.Allows("sms:send"), spoil)
				require.Empty(t, got.Contacts())
				require.Empty(t, got.Metadata())
			}
			_, err := door.Revoke(t.Context(), apikey.AnyOwner(key.ID), "spoilt")
			if err == nil {
				door.requireOpen(t, good)
				require.NotEqual(t, open, door.knock(t.Context(), t, token), spoil)
			}
			listed, err := door.List(t.Context(), key.Owner, apikey.Page{Limit: 100})
			require.NoError(t, err, spoil)
			require.NotEmpty(t, listed.Keys)
		}
		recs, err := st.List(context.WithoutCancel(t.Context()), store.Query{Limit: store.MaxLimit})
		require.NoError(t, err)
		require.Len(t, recs, 25)
	})
}
