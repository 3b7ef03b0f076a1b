package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/legacy"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/examples/postman/databasetest"
	"github.com/opengovsg/latchkey/examples/postman/importer/importertest"
	"github.com/opengovsg/latchkey/settings"
)

// vectors are rows as the earlier system wrote them, with the tokens that open them.
type vectors struct {
	Salt, Version string
	Rows          []struct {
		Token string
		Row   struct {
			ID        int64
			UserID    int64 `json:"user_id"`
			Hash      string
			Label     string
			LastFive  string     `json:"last_five"`
			Until     time.Time  `json:"valid_until"`
			Contacts  []string   `json:"notification_contacts"`
			CreatedAt time.Time  `json:"created_at"`
			DeletedAt *time.Time `json:"deleted_at"`
		}
	}
}

// address is that of a user of the vectors, as somebody once typed it.
func address(user int64) string { return fmt.Sprintf("User%d@Agency.gov.sg", user) }

// earlierSystem makes the earlier system's database with the rows of the vectors.
func earlierSystem(t *testing.T) (vectors, importertest.Source) {
	t.Helper()
	text, err := os.ReadFile("../../apikey/legacy/testdata/postman-legacy.json")
	require.NoError(t, err)
	var v vectors
	require.NoError(t, json.Unmarshal(text, &v))
	require.Len(t, v.Rows, 8)
	source := importertest.NewSource(t)
	users := make(map[int64]bool)
	for _, r := range v.Rows {
		if !users[r.Row.UserID] {
			source.AddUser(t, r.Row.UserID, address(r.Row.UserID))
		}
		users[r.Row.UserID] = true
		source.Add(t, importertest.Row{
			ID: r.Row.ID, User: r.Row.UserID, Label: r.Row.Label, Hash: r.Row.Hash, LastFive: r.Row.LastFive,
			Contacts: r.Row.Contacts, Created: r.Row.CreatedAt, Until: r.Row.Until, Deleted: r.Row.DeletedAt,
		})
	}
	return v, source
}

// noon is a time at which the keys of the vectors live.
func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

// derivations are what was derived for one database and is the same for the next: each takes seconds
// under the race detector.
var derivations sync.Map

// slow counts what is slow about the scheme.
type slow struct {
	*legacy.Postman
	derived atomic.Int64
}

func (s *slow) Derive(ctx context.Context, token string) (string, error) {
	s.derived.Add(1)
	if kept, ok := derivations.Load(token); ok {
		return kept.(string), nil
	}
	kept, err := s.Postman.Derive(ctx, token)
	if err == nil {
		derivations.Store(token, kept)
	}
	return kept, err
}

// A newSystem is a service on a database that was imported into, behind a guard and with its settings.
type newSystem struct {
	*httptest.Server
	keys   *apikey.Service
	scheme *slow
}

func startNewSystem(t *testing.T, v vectors, dsn string) *newSystem {
	t.Helper()
	postman, err := legacy.NewPostman(v.Salt, v.Version)
	require.NoError(t, err)
	s := &newSystem{scheme: &slow{Postman: postman}}
	s.keys, err = apikey.New(importertest.Open(t, dsn).Keys, apikey.Config{
		Prefix: "postman_live", Legacy: []apikey.LegacyScheme{s.scheme}, Now: noon,
	})
	require.NoError(t, err)
	page, err := settings.New(s.keys, settings.Config{
		Owner: func(r *http.Request) (string, error) { return r.URL.Query().Get("me"), nil }, Now: noon,
	})
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/api/keys/", page.API())
	guard := bearer.New(s.keys, bearer.Config{Realm: "postman"})
	mux.Handle("POST /emails", guard.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key, _ := apikey.FromContext(r.Context())
		io.WriteString(w, key.Owner)
	})))
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// send sends a mail with a token, and returns the status and the body of the answer.
func (s *newSystem) send(t *testing.T, token string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/emails", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := s.Client().Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(body)
}

// A shownKey is a key as the settings show it.
type shownKey struct {
	Label    string    `json:"label"`
	LastFive string    `json:"last_five"`
	Until    time.Time `json:"valid_until"`
	Contacts []string  `json:"notification_contacts"`
	Created  time.Time `json:"created_at"`
	State    string    `json:"state"`
}

// shown returns the keys in the settings of an owner, by their labels.
func (s *newSystem) shown(t *testing.T, owner string) map[string]shownKey {
	t.Helper()
	res, err := s.Client().Get(s.URL + "/api/keys/?me=" + owner)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
	var list []shownKey
	require.NoError(t, json.NewDecoder(res.Body).Decode(&list))
	keys := make(map[string]shownKey)
	for _, key := range list {
		keys[key.Label] = key
	}
	require.Len(t, keys, len(list))
	return keys
}

// TestImportJudge imports the rows that the earlier system wrote. Then every token that it would accept
// opens the door, the deleted one does not, and only the first use of each takes its time.
func TestImportJudge(t *testing.T) {
	v, source := earlierSystem(t)
	for _, target := range importertest.Targets {
		t.Run(target.Name, func(t *testing.T) {
			dsn := target.New(t)
			var out, progress strings.Builder
			args := []string{"-from", source.DSN, "-dsn", dsn, "-batch", "3"}
			require.NoError(t, importAt(t.Context(), args, &out, &progress, noon))
			require.Regexp(t, `\b7 imported\n +0 there already\n +1 deleted there, and not imported\n +0 expired there.*\n +0 revoked.*\n +0 refused\n +8 read in`, out.String())

			s := startNewSystem(t, v, dsn)
			for _, r := range v.Rows {
				owner := strings.ToLower(address(r.Row.UserID))
				shown, there := s.shown(t, owner)[r.Row.Label]
				if r.Row.DeletedAt != nil {
					require.False(t, there)
					code, _ := s.send(t, r.Token)
					require.Equal(t, http.StatusUnauthorized, code)
					continue
				}
				contacts := r.Row.Contacts
				if contacts == nil {
					contacts = []string{owner}
				}
				shown.Until, shown.Created = shown.Until.UTC(), shown.Created.UTC()
				require.Equal(t, shownKey{r.Row.Label, r.Row.LastFive, r.Row.Until, contacts, r.Row.CreatedAt, "active"}, shown)
				before := s.scheme.derived.Load()
				for use := range 3 {
					code, who := s.send(t, r.Token)
					require.Equal(t, http.StatusOK, code)
					require.Equal(t, owner, who)
					require.Equal(t, before+1, s.scheme.derived.Load(), "use %d", use)
				}
			}

			// Once more, now that each key was used: nothing comes twice, and nothing changes.
			out.Reset()
			require.NoError(t, importAt(t.Context(), args, &out, &progress, noon))
			require.Regexp(t, `\b0 imported\n +7 there already\n +1 deleted there`, out.String())
			counts, err := s.keys.CountAll(t.Context())
			require.NoError(t, err)
			require.Equal(t, 7, counts.Active)
			require.Equal(t, map[string]int{"sha256": 7}, counts.Schemes)
			before := s.scheme.derived.Load()
			code, _ := s.send(t, v.Rows[0].Token)
			require.Equal(t, http.StatusOK, code)
			require.Equal(t, before, s.scheme.derived.Load())
		})
	}
}

// TestImportedKeysInTheService presents the earlier system's tokens to the service itself, which lets them
// do all that their owners may.
func TestImportedKeysInTheService(t *testing.T) {
	v, source := earlierSystem(t)
	dsn := databasetest.SQLite(t)
	_, err := imported(t, "-from", source.DSN, "-dsn", dsn)
	require.NoError(t, err)
	forgotten := start(t, dsn, func(o *options) { o.now = noon })
	require.Contains(t, forgotten.out.String(), "There are 7 keys of the earlier system whose tokens are refused, since POSTMAN_LEGACY_SALT is not set.")
	require.NoError(t, forgotten.end())
	s := start(t, dsn, func(o *options) { o.legacySalt, o.now = v.Salt, noon })
	require.NotContains(t, s.out.String(), "POSTMAN_LEGACY_SALT")
	for _, r := range v.Rows[4:6] {
		c := s.client()
		c.token = r.Token
		got := c.do(http.MethodGet, "/v1/campaigns", "")
		if r.Row.DeletedAt != nil {
			require.Equal(t, http.StatusUnauthorized, got.status)
			continue
		}
		require.Equal(t, http.StatusOK, got.status)
		s.requireUnsaid(r.Token, r.Row.Hash, v.Salt)
	}
}
