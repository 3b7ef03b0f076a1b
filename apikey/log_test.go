package apikey_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
)

// TestLogEvents takes a key through everything that can happen to it and reads what both handlers of
// the standard library write of it.
func TestLogEvents(t *testing.T) {
	handlers := map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			id, forbidden := liveAndLog(t, slog.New(handler(&out)))
			for i, f := range forbidden {
				if strings.Contains(out.String(), f) {
					t.Errorf("the log shows secret %d", i) // and not the output, which holds it
				}
			}
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			require.Len(t, lines, 8)
			for _, line := range lines {
				require.Contains(t, line, id)
			}
			if name == "json" {
				requireEvents(t, lines, id)
			} else {
				require.Contains(t, lines[5], `level=WARN msg="API key event" event="late use" at=2026-03-03T10:30:00.000Z key.id=`+id+
					` key.owner=user_42 key.label="HR = reminders" prior_expires=2026-03-02T10:30:00.000Z`)
				require.Contains(t, lines[7], `key.label="HR = reminders" reason="left \"the\" team"`)
			}
		})
	}
}

func requireEvents(t *testing.T, lines []string, id string) {
	t.Helper()
	var got []map[string]any
	for _, line := range lines {
		var record map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &record))
		require.Equal(t, "API key event", record["msg"])
		require.Equal(t, map[string]any{"id": id, "owner": "user_42", "label": "HR = reminders"}, record["key"])
		for _, common := range []string{"time", "msg", "key"} {
			delete(record, common)
		}
		got = append(got, record)
	}
	const expires, renewed = "2026-08-28T09:30:00Z", "2026-08-28T10:30:00Z"
	require.Equal(t, []map[string]any{
		{"level": "INFO", "event": "issued", "at": "2026-03-01T09:30:00Z", "expires": expires},
		{"level": "INFO", "event": "updated", "at": "2026-03-01T09:30:00Z", "expires": expires},
		{"level": "INFO", "event": "rotated", "at": "2026-03-01T10:30:00Z", "expires": renewed, "prior_expires": expires},
		{"level": "INFO", "event": "reminded", "at": "2026-03-01T10:30:00Z", "expires": expires}, // of the old token, as long as nobody uses the new one
		{"level": "INFO", "event": "activated", "at": "2026-03-01T10:30:00Z", "prior_expires": "2026-03-02T10:30:00Z"},
		{"level": "WARN", "event": "late use", "at": "2026-03-03T10:30:00Z", "prior_expires": "2026-03-02T10:30:00Z"},
		{"level": "INFO", "event": "reminded", "at": "2026-03-03T10:30:00Z", "expires": renewed},
		{"level": "INFO", "event": "revoked", "at": "2026-03-03T10:30:00Z", "reason": `left "the" team`},
	}, got)
}

// liveAndLog takes one key through its life and returns its id, and what no log may show.
func liveAndLog(t *testing.T, logger *slog.Logger) (id string, forbidden []string) {
	t.Helper()
	now := time.Date(2026, time.March, 1, 9, 30, 0, 0, time.UTC)
	pepper, err := apikey.NewPepper([]byte(canary))
	require.NoError(t, err)
	st := new(memstore.Store)
	keys, err := apikey.New(st, apikey.Config{
		Prefix:   "acme_live",
		Peppers:  []apikey.Pepper{pepper},
		Observer: apikey.LogEvents(logger),
		Now:      func() time.Time { return now },
	})
	require.NoError(t, err)
	first, key, err := keys.Issue(t.Context(), apikey.Request{
		Owner: "user_42", Label: "HR = reminders", Contacts: []string{"siti@agency.gov.sg"}, Metadata: map[string]string{"nric": "S1234567D"},
	})
	require.NoError(t, err)
	ref := apikey.Ref{Owner: "user_42", ID: key.ID}
	_, err = keys.Update(t.Context(), ref, apikey.Changes{Contacts: []string{"adam@agency.gov.sg"}})
	require.NoError(t, err)

	now = now.Add(time.Hour)
	second, _, err := keys.Rotate(t.Context(), ref, apikey.Rotation{})
	require.NoError(t, err)
	remind := func() {
		done, err := keys.Remind(t.Context(), ref, now, func(context.Context, apikey.Key) error { return nil })
		require.NoError(t, err)
		require.True(t, done)
	}
	remind()
	_, err = keys.Verify(t.Context(), second.Reveal())
	require.NoError(t, err)
	end(t, keys)

	now = now.Add(48 * time.Hour)
	_, err = keys.Verify(t.Context(), first.Reveal())
	require.ErrorIs(t, err, apikey.ErrSuperseded)
	end(t, keys)
	remind()
	_, err = keys.Revoke(t.Context(), ref, `left "the" team`)
	require.NoError(t, err)
	require.Zero(t, keys.Stats().EventsLost)

	rec, err := st.Get(t.Context(), key.ID)
	require.NoError(t, err)
	forbidden = []string{canary, "siti@", "adam@", "S1234567D", rec.Hint, rec.PriorHint}
	for _, hash := range []string{string(rec.Hash), string(rec.PriorHash)} {
		require.Len(t, hash, 32)
		forbidden = append(forbidden, hash, hex.EncodeToString([]byte(hash)), strings.Trim(fmt.Sprintf("%q", hash), `"`))
	}
	for _, token := range []apikey.Token{first, second} {
		forbidden = append(forbidden, token.Reveal()[len("acme_live_")+21:][:43])
	}
	return key.ID, forbidden
}

// end hands over what verifications have to tell, as a service does that ends.
func end(t *testing.T, keys *apikey.Service) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, keys.Run(ctx))
}

// TestLogEventsForgesNoLine logs what no service lets in and a spoilt row could hold.
func TestLogEventsForgesNoLine(t *testing.T) {
	const forged = "x\nlevel=ERROR msg=forged\r\x1b[2K\x00{\"msg\":\"forged\"}"
	e := apikey.Event{Kind: apikey.EventRevoked, Key: apikey.Key{ID: forged, Owner: forged, Label: forged, RevokedReason: forged}}
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var out bytes.Buffer
		apikey.LogEvents(slog.New(handler(&out)))(t.Context(), e)
		line, ended := strings.CutSuffix(out.String(), "\n")
		require.True(t, ended, name)
		require.NotContains(t, out.String(), " msg=forged ", name)
		for _, c := range []byte(line) {
			require.True(t, ' ' <= c && c <= '~', "%s writes the byte %#x", name, c)
		}
		require.Equal(t, 4, strings.Count(line, `x\nlevel=ERROR`), name)
	}
}

// TestLogEventsToTheDefault changes the default after the observer was made.
func TestLogEventsToTheDefault(t *testing.T) {
	observer := apikey.LogEvents(nil)
	var out bytes.Buffer
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	slog.SetDefault(slog.New(slog.NewTextHandler(&out, nil)))
	observer(t.Context(), apikey.Event{Kind: apikey.EventIssued, Key: apikey.Key{ID: "01m83pph00zab5rrb146"}})
	require.Contains(t, out.String(), "event=issued")
	require.Contains(t, out.String(), "key.id=01m83pph00zab5rrb146")
	require.NotContains(t, out.String(), "expires", "a key without expiry has none to log")
}
