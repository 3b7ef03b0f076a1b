package reminder_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/reminder"
	"github.com/opengovsg/latchkey/memstore"
)

// A notifier that fails or panics for some keys is asked again for these, and for no other.
func TestNotifierFails(t *testing.T) {
	h := newHouse(t, new(memstore.Store), reminder.Config{})
	for _, label := range []string{"a", "fails", "b", "panics", "c"} {
		h.issue(label, 60*day, ann)
	}
	h.told.fail = func(n reminder.Notice) error {
		switch n.Key.Label {
		case "fails":
			return errors.New("try again")
		case "panics":
			panic("at the disco")
		}
		return nil
	}
	h.clock.Set(start.Add(46 * day))
	report, err := h.Once(t.Context())
	require.ErrorContains(t, err, "try again")
	require.ErrorContains(t, err, "panicked")
	require.NotErrorIs(t, err, apikey.ErrUnavailable, "the store is well")
	require.Equal(t, reminder.Report{Sent: 3, Failed: 2}, report)
	require.Equal(t, []string{"a 14/14", "b 14/14", "c 14/14"}, h.told.take())

	h.told.fail = nil
	require.Equal(t, reminder.Report{Sent: 2, Done: 3}, h.requirePass("fails 14/14", "panics 14/14"))
}

// However many fail, an error stays short, and has nobody's address.
func TestErrorsAreBoundedAndPlain(t *testing.T) {
	h := newHouse(t, new(memstore.Store), reminder.Config{Fallback: func(_ context.Context, key apikey.Key) ([]string, error) {
		return nil, errors.New("no team of Bob.Builder@example.com")
	}})
	for n := range 40 {
		h.issue(fmt.Sprint(n), 60*day, "o'neil+keys@example.com", "ann@example.com")
	}
	h.told.fail = func(n reminder.Notice) error {
		return fmt.Errorf("550 5.1.1 <O'Neil+keys@EXAMPLE.com>: unknown;\r\nann@example.com too, via smtp://u:p@host %s: %w",
			strings.Repeat("x", 10_000), context.DeadlineExceeded)
	}
	h.clock.Set(start.Add(46 * day))
	report, err := h.Once(t.Context())
	require.Equal(t, reminder.Report{Failed: 40}, report)
	require.ErrorContains(t, err, "550 5.1.1 [address] unknown;")
	require.ErrorContains(t, err, "reminder: and 30 more keys")
	require.Len(t, strings.Split(err.Error(), "\n"), 11)
	require.Less(t, len(err.Error()), 5000)
	require.NotContains(t, err.Error(), "@")
	require.NotContains(t, strings.ToLower(err.Error()), "o'neil")

	h.issue("contactless", 60*day)
	h.clock.Set(start.Add(92 * day))
	report, err = h.Once(t.Context())
	require.Equal(t, reminder.Report{Failed: 1}, report)
	require.ErrorContains(t, err, "no team of [address]")
	require.NotContains(t, err.Error(), "@")
}

// What a fallback names need not look like an address.
func TestErrorsHideWhomTheFallbackNames(t *testing.T) {
	h := newHouse(t, new(memstore.Store), reminder.Config{Fallback: func(context.Context, apikey.Key) ([]string, error) {
		return []string{"", "+65 9123 4567"}, nil
	}})
	h.issue("a", 60*day)
	h.told.fail = func(n reminder.Notice) error {
		text := "no such number: " + n.Contacts[1]
		n.Contacts[1] = "" // a notifier may do what it likes with what it was given
		return errors.New(text)
	}
	h.clock.Set(start.Add(46 * day))
	_, err := h.Once(t.Context())
	require.ErrorContains(t, err, "no such number: [address]")
	require.NotContains(t, err.Error(), "9123")
}

// The application decides whom to tell where the key does not say.
func TestFallback(t *testing.T) {
	asked := 0
	h := newHouse(t, new(memstore.Store), reminder.Config{Fallback: func(_ context.Context, key apikey.Key) ([]string, error) {
		asked++
		switch key.Label {
		case "nobody's":
			return nil, nil
		case "panics":
			panic("at the disco")
		}
		return []string{key.Owner + "@example.com"}, nil
	}})
	h.issue("has", 60*day, ann)
	h.issue("owner's", 60*day)
	h.issue("nobody's", 60*day)
	h.issue("panics", 60*day)
	h.requirePass()
	require.Zero(t, asked, "nothing is due")
	h.clock.Set(start.Add(46 * day))

	planned, failed := 0, 0
	for n, err := range h.Plan(t.Context()) {
		if err != nil {
			require.EqualError(t, err, "reminder: key "+n.Key.ID+": the fallback panicked")
			failed++
			continue
		}
		planned++
	}
	require.Equal(t, 2, planned)
	require.Equal(t, 1, failed)

	report, err := h.Once(t.Context())
	require.ErrorContains(t, err, "the fallback panicked")
	require.Equal(t, reminder.Report{Sent: 2, Failed: 1, NoContacts: 1}, report)
	for _, n := range h.told.notices {
		want := map[string][]string{"has": {ann}, "owner's": {"user_42@example.com"}}[n.Key.Label]
		require.Equal(t, want, n.Contacts)
	}
	before := asked
	report, err = h.Once(t.Context())
	require.Error(t, err)
	require.Equal(t, reminder.Report{Done: 2, Failed: 1, NoContacts: 1}, report)
	require.Equal(t, before+2, asked, "for those that nobody was told of")
}

// Between the list and the notice a key may change; whoever is told is told what is.
func TestKeyChangesMeanwhile(t *testing.T) {
	var h *house
	var change func(key apikey.Key)
	h = newHouse(t, new(memstore.Store), reminder.Config{Fallback: func(_ context.Context, key apikey.Key) ([]string, error) {
		change(key) // which is asked right before
		return []string{"owner@example.com"}, nil
	}})
	_, err := h.keys.RevokeAll(t.Context(), "user_42", "")
	require.NoError(t, err)
	for _, c := range []struct {
		what   string
		change func(key apikey.Key) error
		want   []string
	}{
		{"renewed", func(key apikey.Key) error {
			_, _, err := h.keys.Rotate(t.Context(), ref(key), apikey.Rotation{Immediately: true})
			return err
		}, nil},
		{"shortened", func(key apikey.Key) error {
			_, err := h.keys.Update(t.Context(), ref(key), apikey.Changes{ExpiresAt: h.clock.Now().Add(2 * day)})
			return err
		}, nil}, // the next pass finds it
		{"revoked", func(key apikey.Key) error {
			_, err := h.keys.Revoke(t.Context(), ref(key), "")
			return err
		}, nil},
		{"purged", func(key apikey.Key) error {
			if _, err := h.keys.Revoke(t.Context(), ref(key), ""); err != nil {
				return err
			}
			at := h.clock.Now()
			h.clock.Set(at.Add(time.Second))
			_, err := h.keys.Purge(t.Context(), h.clock.Now())
			return err
		}, nil},
		{"given a contact", func(key apikey.Key) error {
			_, err := h.keys.Update(t.Context(), ref(key), apikey.Changes{Contacts: []string{ann}})
			return err
		}, []string{ann}},
		{"given a label", func(key apikey.Key) error {
			_, err := h.keys.Update(t.Context(), ref(key), apikey.Changes{Label: new("other")})
			return err
		}, []string{"owner@example.com"}},
	} {
		change = func(key apikey.Key) { require.NoError(t, c.change(key), c.what) }
		h.clock.Set(start)
		_, key := h.issue("a", 60*day)
		h.clock.Set(start.Add(46 * day))
		report, err := h.Once(t.Context())
		require.NoError(t, err, c.what)
		var told []string
		for _, n := range h.told.notices {
			told = append(told, n.Contacts...)
			require.True(t, n.Key.Label == "a" || c.what == "given a label")
		}
		require.Equal(t, c.want, told, c.what)
		require.Equal(t, len(c.want), report.Sent, c.what)
		require.Zero(t, report.Failed, c.what)
		h.told.take()
		change = func(apikey.Key) {}
		if c.what == "shortened" {
			h.requirePass("a 2/3")
		}
		if _, err = h.keys.Revoke(t.Context(), ref(key), ""); c.what != "purged" {
			require.NoError(t, err)
		}
	}
}

// A pass ends where its context does, and says so.
func TestOnceEndsWithItsContext(t *testing.T) {
	h := newHouse(t, new(memstore.Store), reminder.Config{})
	for n := range 5 {
		h.issue(fmt.Sprint(n), 60*day, ann)
	}
	h.clock.Set(start.Add(46 * day))
	ctx, cancel := context.WithCancel(t.Context())
	h.told.fail = func(reminder.Notice) error {
		cancel() // and the notice is sent
		return nil
	}
	report, err := h.Once(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, reminder.Report{Sent: 1}, report)
	report, err = h.Once(t.Context())
	require.NoError(t, err)
	require.Equal(t, reminder.Report{Sent: 4, Done: 1}, report, "what was sent was kept all the same")
}

// A notice prints without addresses, and without anything that a terminal would act on.
func TestNoticePrints(t *testing.T) {
	n := reminder.Notice{
		Key: apikey.Key{ID: "01m83pph00zab5rrb146", Owner: "user_42\u2028\x1b[2J", Label: "été \u202egro.live\r\n"},

		Contacts: []string{ann}, ExpiresAt: start, DaysLeft: 3, Milestone: 3,
	}
	require.Equal(t, `key 01m83pph00zab5rrb146 "été \u202egro.live\r\n" of "user_42\u2028\x1b[2J": ends in 3 days, on 2026-03-01 09:30 +00:00; 1 contact`, n.String())
	n.Key.Label, n.Key.Owner = "HR reminders", "user_42"
	n.Pending, n.DaysLeft, n.Contacts = true, 1, []string{ann, "bob@example.com"}
	require.Equal(t, `key 01m83pph00zab5rrb146 "HR reminders" of "user_42": not used since it was rotated, the old token ends tomorrow, on 2026-03-01 09:30 +00:00; 2 contacts`, n.String())
	n.DaysLeft = 0
	var line strings.Builder
	slog.New(slog.NewJSONHandler(&line, nil)).Info("reminding", "notice", n)
	fmt.Fprintf(&line, "%v %+v %s", n, n, n)
	require.Contains(t, line.String(), "ends today")
	require.Contains(t, line.String(), `"contacts":2`)
	require.NotContains(t, line.String(), "example.com")
	require.Equal(t, "1 sent, 2 failed, 3 without contacts, 4 done before", reminder.Report{Sent: 1, Failed: 2, NoContacts: 3, Done: 4}.String())
}

// A nilError is what a notifier returns that has an error type of its own and nothing to say.
type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

func TestNotifierReturnsANilPointer(t *testing.T) {
	h := newHouse(t, new(memstore.Store), reminder.Config{})
	h.issue("one", 60*day, ann)
	h.told.fail = func(reminder.Notice) error { return (*nilError)(nil) }
	h.clock.Set(start.Add(46 * day))
	report, err := h.Once(t.Context())
	require.ErrorContains(t, err, "an error that can't be printed")
	require.Equal(t, reminder.Report{Failed: 1}, report)
}

// A mail server may name the one it refuses by the part before the @ alone.
func TestErrorsHideNames(t *testing.T) {
	h := newHouse(t, new(memstore.Store), reminder.Config{})
	h.issue("one", 60*day, "siti.tan@agency.example")
	h.told.fail = func(reminder.Notice) error { return errors.New("550 no such user siti.tan") }
	h.clock.Set(start.Add(46 * day))
	_, err := h.Once(t.Context())
	require.ErrorContains(t, err, "550 no such user [address]")
	require.NotContains(t, err.Error(), "siti")
}
