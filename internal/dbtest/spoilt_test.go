package dbtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/sqlstore"
)

// Row F40 behind the guard: a schema that is missing, too old or too new refuses nobody.
func TestSpoiltSchema(t *testing.T) {
	onEach(t, engines, func(t *testing.T, d database) {
		requireNoneLeft(t)
		db := d.open(t)
		st := d.store(t, db)
		door := newDoor(t, st).serve(t)
		requireOutage(t, st.Check(bounded(t)))
		door.requireFault(t, nobodys)
		door.requireNothing(bounded(t), t, apikey.Key{Owner: "user_42", ID: nobodysID})
		require.NoError(t, st.Migrate(bounded(t)))
		token, _ := door.issue(t)
		door.requireOpen(t, token)
		door.requireRefused(t, nobodys)

		exec(t, db, `ALTER TABLE latchkey_keys RENAME COLUMN scheme TO scheme_of_another_version`)
		other := newDoor(t, d.store(t, db)).serve(t) // one that has nothing prepared
		other.requireFault(t, token)
		exec(t, db, `ALTER TABLE latchkey_keys RENAME COLUMN scheme_of_another_version TO scheme`)
		other.requireOpen(t, token)
		door.requireRecovers(t, token)

		exec(t, db, `INSERT INTO latchkey_keys_schema (version) VALUES (999)`)
		requireOutage(t, st.Check(bounded(t)))
		requireOutage(t, st.Migrate(bounded(t)))
		door.requireOpen(t, token)
	})
}

// Row F41: a row that a hand has spoilt opens nothing that it should not, hides no other key and none
// of its owner's, and goes away when it is revoked.
func TestSpoiltRow(t *testing.T) {
	const (
		open    = http.StatusOK
		refused = http.StatusUnauthorized
		fault   = http.StatusServiceUnavailable
	)
	onEach(t, engines, func(t *testing.T, d database) {
		requireNoneLeft(t)
		db := d.open(t)
		door := newDoor(t, d.migrated(t, db)).serve(t)
		good, _ := door.issue(t)
		bytes := `x'%s'`
		if d.dialect == sqlstore.Postgres {
			bytes = `'\x%s'`
		}
		hash := func(n int) string { return "hash = " + fmt.Sprintf(bytes, strings.Repeat("ab", n)) }
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
				got, err := door.Verify(bounded(t), token)
				require.NoError(t, err)
				require.False(t, got.Allows("sms:send"), spoil)
				require.Empty(t, got.Contacts())
				require.Empty(t, got.Metadata())
			}
			var listed []string
			for each, err := range door.All(bounded(t), key.Owner) {
				require.NoError(t, err, spoil)
				listed = append(listed, each.ID)
			}
			// What is no longer the owner's, or no key of this service's, is not listed.
			hidden := strings.HasPrefix(spoil, "owner") || strings.HasPrefix(spoil, "prefix")
			require.Equal(t, !hidden, slices.Contains(listed, key.ID), spoil)

			if _, err := door.Revoke(bounded(t), apikey.Ref{Owner: key.Owner, ID: key.ID}, "spoilt"); err != nil {
				require.True(t, hidden, "%s: %v", spoil, err)
			} else if want == open {
				door.requireRefused(t, token)
			} else {
				require.Equal(t, want, door.knock(t.Context(), t, token), spoil)
			}
			door.requireOpen(t, good)
		}
		require.Equal(t, 25, count(t, db, `SELECT COUNT(*) FROM latchkey_keys`))
	})
}
