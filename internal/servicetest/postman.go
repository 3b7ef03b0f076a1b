package servicetest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/legacy"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/store"
)

// A PostmanRow is a row of the earlier Postman's table with the token that opens it.
type PostmanRow struct {
	Token string
	Row   struct {
		ID         int
		UserID     int `json:"user_id"`
		Hash       string
		Label      string
		LastFive   string     `json:"last_five"`
		ValidUntil time.Time  `json:"valid_until"`
		Contacts   []string   `json:"notification_contacts"`
		CreatedAt  time.Time  `json:"created_at"`
		DeletedAt  *time.Time `json:"deleted_at"`
	}
}

// PostmanRows reads the salt and the rows from a file.
func PostmanRows(t *testing.T, file string) (salt string, rows []PostmanRow) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var v struct {
		Salt string
		Rows []PostmanRow
	}
	require.NoError(t, json.Unmarshal(text, &v))
	require.NotEmpty(t, v.Rows)
	return v.Salt, v.Rows
}

// counted counts the slow derivations of a scheme.
type counted struct {
	apikey.LegacyScheme
	derived atomic.Int64
}

// derivations are what was derived for one store and is the same for the next: under the race detector
// each takes seconds.
var derivations sync.Map

func (c *counted) Derive(ctx context.Context, token string) (string, error) {
	c.derived.Add(1)
	if kept, ok := derivations.Load(token); ok {
		return kept.(string), nil
	}
	kept, err := c.LegacyScheme.Derive(ctx, token)
	if err == nil {
		derivations.Store(token, kept)
	}
	return kept, err
}

// RunPostman takes over the rows in the file of vectors, but for what was deleted, and requires that their
// tokens open a guarded handler, and nothing else does.
func RunPostman(t *testing.T, st store.Store, vectors string) {
	salt, rows := PostmanRows(t, vectors)
	postman, err := legacy.NewPostman(salt, "v1")
	require.NoError(t, err)
	scheme := &counted{LegacyScheme: postman}
	now := rows[0].Row.CreatedAt.AddDate(0, 0, 20)
	keys := newService(t, st, apikey.Config{
		Prefix: prefix, Legacy: []apikey.LegacyScheme{scheme}, LegacyAtOnce: 2, Now: func() time.Time { return now },
	})
	ids := make(map[string]string) // by token
	for range 2 {                  // an import that is repeated takes nothing over twice
		for _, row := range rows {
			if row.Row.DeletedAt != nil {
				continue
			}
			rec, err := keys.LegacyRecord(apikey.LegacyKey{
				Scheme: "postman", OldID: strconv.Itoa(row.Row.ID), Kept: row.Row.Hash,
				Owner: fmt.Sprint("user_", row.Row.UserID), Label: row.Row.Label, Hint: row.Row.LastFive,
				Contacts: row.Row.Contacts, CreatedAt: row.Row.CreatedAt, ExpiresAt: row.Row.ValidUntil,
			})
			require.NoError(t, err)
			err = st.Create(t.Context(), rec, 0)
			if ids[row.Token] == "" {
				require.NoError(t, err)
				ids[row.Token] = rec.ID
			} else {
				require.ErrorIs(t, err, store.ErrExists)
			}
		}
	}
	require.Len(t, ids, 7)

	server := httptest.NewServer(bearer.New(keys, bearer.Config{Realm: "postman"}).Handler(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			key, _ := apikey.FromContext(r.Context())
			fmt.Fprint(w, key.ID)
		})))
	defer server.Close()
	refusal := knock(t, server, spell(prefix, "01m83pph00zab5rrb146", strings.Repeat("0", 43)))
	require.True(t, strings.HasPrefix(refusal, "401 "))
	mutated := func(token string) []string {
		end := len(token) - 1
		return []string{
			token[:end] + string("AB"[token[end]&1]), "x" + token, token[1:], token + "_x", token + token, strings.ToUpper(token), // at least one of A and B is another
			strings.Replace(token, "_v1_", "_v2_", 1), strings.Replace(token, "_v1_", "x_v1_", 1),
		}
	}

	// The first uses of one key, a hundred at once.
	first := rows[0].Token
	answers := make([]string, 100)
	atOnce(len(answers), func(i int) {
		for range 20 { // on a slow machine somebody may wait for 5 seconds in vain
			if answers[i] = knock(t, server, first); !strings.HasPrefix(answers[i], "503 ") {
				return
			}
		}
	})
	for _, answer := range answers {
		require.Equal(t, "200 "+ids[first], answer)
	}
	require.LessOrEqual(t, scheme.derived.Load(), int64(2))
	rec, err := st.Get(t.Context(), ids[first])
	require.NoError(t, err)
	require.Equal(t, int64(2), rec.Version, "it is upgraded once")

	for _, row := range rows[1:] {
		before := scheme.derived.Load()
		if row.Row.DeletedAt != nil {
			require.Equal(t, refusal, knock(t, server, row.Token))
			continue
		}
		require.Equal(t, "200 "+ids[row.Token], knock(t, server, row.Token))
		require.Equal(t, before+1, scheme.derived.Load())
		for range 3 {
			require.Equal(t, "200 "+ids[row.Token], knock(t, server, row.Token))
		}
		require.Equal(t, before+1, scheme.derived.Load(), "the second use derives nothing")
	}
	for _, token := range mutated(rows[1].Token) {
		require.NotEqual(t, rows[1].Token, token)
		require.Equal(t, refusal, knock(t, server, token))
	}
	counts, err := keys.CountAll(t.Context())
	require.NoError(t, err)
	require.Equal(t, apikey.Counts{Active: 7, Legacy: 7, Schemes: map[string]int{"sha256": 7}}, counts)
}

// knock presents a token and returns the status and the body of the answer, and its headers but the date
// where it is refused.
func knock(t *testing.T, server *httptest.Server, token string) string {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		return err.Error()
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := server.Client().Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body := new(strings.Builder)
	if err := res.Write(body); err != nil {
		return err.Error()
	}
	_, headers, _ := strings.Cut(body.String(), "\r\n")
	head, text, _ := strings.Cut(headers, "\r\n\r\n")
	if res.StatusCode == http.StatusOK {
		return "200 " + text
	}
	var kept []string
	for line := range strings.SplitSeq(head, "\r\n") {
		if !strings.HasPrefix(line, "Date: ") {
			kept = append(kept, line)
		}
	}
	return fmt.Sprint(res.StatusCode, " ", strings.Join(kept, "\n"), "\n", text)
}
