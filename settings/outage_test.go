package settings_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

// TestUnavailable answers 503 with what was typed, tells the application, and shows nothing of the cause.
func TestUnavailable(t *testing.T) {
	cause := errors.New("dial tcp 10.0.0.1: password=hunter2")
	s := newSiteOn(t, storetest.Failing(cause))
	const id = "01m83pph00zab5rrb146"
	answers := []answer{
		s.open("alice", "/"), s.open("alice", "/new"), s.open("alice", "/"+id), s.press("alice", "/"+id+"/delete"),
		s.press("alice", "/new", "label", "kept label", "contacts", "a@agency.gov.sg"),
		s.press("alice", "/"+id+"/rotate", "seen", "abcde", "grace", "86400"),
		s.call("alice", "GET", "/", ""), s.call("alice", "DELETE", "/"+id, ""),
		s.call("alice", "POST", "/", `{"label":"x","notification_contacts":["a@agency.gov.sg"]}`),
		s.open("outage", "/"), s.call("outage", "GET", "/", ""),
	}
	for i, a := range answers {
		require.Equal(t, 503, a.status, i)
		require.Equal(t, "1", a.header.Get("Retry-After"))
		require.NotContains(t, a.body, "hunter2")
		requireSecure(t, a)
	}
	require.Contains(t, answers[4].body, `value="kept label"`)
	require.Contains(t, answers[4].body, "Look at the list before you try again.")
	answers[6].refused(t, 503, "unavailable")
	require.Equal(t, len(answers), s.faultCount())
	require.ErrorIs(t, s.faults[0], cause)
}

// TestUnavailableKeepsContacts has the store fail before and while contacts are saved, and shows what was
// typed in either case.
func TestUnavailableKeepsContacts(t *testing.T) {
	st := new(memstore.Store)
	const typed = "b@agency.gov.sg\nc@agency.gov.sg"
	for name, broken := range map[string]store.Store{"down": storetest.Failing(errDown), "read-only": readOnly{st}} {
		s := newSiteOn(t, st)
		_, key := s.issue("alice", "HR "+name)
		s = newSiteOn(t, broken)
		a := s.press("alice", "/"+key.ID+"/contacts", "contacts", typed)
		require.Equal(t, 503, a.status, name)
		require.Equal(t, "1", a.header.Get("Retry-After"))
		require.Contains(t, a.body, ">\n"+typed+"</textarea>", name)
		require.Contains(t, a.body, "What you entered is still here")
		require.Contains(t, a.body, `action="./../`+key.ID+`/contacts"`)
		require.Equal(t, name == "read-only", strings.Contains(a.body, "HR "+name))
		requireSecure(t, a)

		a = s.press("alice", "/"+key.ID+"/rotate", "seen", key.Hint, "grace", "86400")
		require.Equal(t, 503, a.status, name)
		require.Equal(t, "1", a.header.Get("Retry-After"))
		require.Contains(t, a.body, "it may be that the key was replaced")
		require.NotRegexp(t, tokenText, a.body)
		require.Equal(t, 2, s.faultCount())
	}
}

var errDown = errors.New("the database is down")

// A readOnly store takes no writes.
type readOnly struct{ store.Store }

func (readOnly) Update(context.Context, store.Record) error { return errDown }
