package dbtest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

// A machine has a store and a memstore do the same and holds them to the same answers.
type machine struct {
	st   store.Store
	like *memstore.Store
}

// decisions are those of a store and what a context says.
var decisions = []error{store.ErrNotFound, store.ErrExists, store.ErrLimit, store.ErrConflict, context.Canceled}

// decisionOf returns which of the decisions an error is.
func decisionOf(t *rapid.T, err error) error {
	if err == nil {
		return nil
	}
	for _, d := range decisions {
		if errors.Is(err, d) {
			return d
		}
	}
	require.NoError(t, err, "it is one of the decisions")
	return err
}

// both calls both stores, now and then with a context that has ended, and returns what they
// answered once that is known to be the same.
func both[T any](t *rapid.T, m *machine, call func(context.Context, store.Store) (T, error)) (T, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if seldom(t, "perhaps") && seldom(t, "ended") {
		cancel()
	}
	want, wantErr := call(ctx, m.like)
	got, gotErr := call(ctx, m.st)
	require.Equal(t, decisionOf(t, wantErr), decisionOf(t, gotErr))
	require.Equal(t, want, got)
	return want, decisionOf(t, wantErr)
}

// write makes of a method without a result one for both.
func write(call func(context.Context, store.Store) error) func(context.Context, store.Store) (any, error) {
	return func(ctx context.Context, st store.Store) (any, error) { return nil, call(ctx, st) }
}

// Check asserts after each step that both keep the same.
func (m *machine) Check(t *rapid.T) {
	all := store.Query{Limit: store.MaxLimit}
	want, err := m.like.List(context.Background(), all)
	require.NoError(t, err)
	got, err := m.st.List(context.Background(), all)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func (m *machine) Create(t *rapid.T) {
	rec, limit := anyRecord(t), rapid.IntRange(-1, 4).Draw(t, "max")
	both(t, m, write(func(ctx context.Context, st store.Store) error { return st.Create(ctx, rec, limit) }))
}

func (m *machine) Get(t *rapid.T) {
	id := ids.Draw(t, "id")
	both(t, m, func(ctx context.Context, st store.Store) (store.Record, error) { return st.Get(ctx, id) })
}

func (m *machine) List(t *rapid.T) {
	q := anyQuery(t)
	both(t, m, func(ctx context.Context, st store.Store) ([]store.Record, error) { return st.List(ctx, q) })
}

// Update is mostly one that may succeed.
func (m *machine) Update(t *rapid.T) {
	rec := anyRecord(t)
	if kept, err := m.like.Get(context.Background(), rec.ID); err == nil {
		rec.Version = kept.Version + rapid.SampledFrom([]int64{0, 0, 0, -1, 1}).Draw(t, "off")
		if !seldom(t, "owned by another") {
			rec.Owner = kept.Owner
		}
	}
	both(t, m, write(func(ctx context.Context, st store.Store) error { return st.Update(ctx, rec) }))
}

func (m *machine) Touch(t *rapid.T) {
	uses := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) store.Use {
		return store.Use{ID: ids.Draw(t, "id"), At: instants.Draw(t, "at")}
	}), 0, 6).Draw(t, "uses")
	both(t, m, write(func(ctx context.Context, st store.Store) error { return st.Touch(ctx, uses) }))
}

// Purge goes on until nothing is left to purge, as which records go first is for a store to choose.
func (m *machine) Purge(t *rapid.T) {
	before, limit := instants.Draw(t, "before"), rapid.IntRange(-1, 3).Draw(t, "limit")
	if before.IsZero() {
		return // the service asks for nothing before 1970
	}
	for {
		n, err := both(t, m, func(ctx context.Context, st store.Store) (int, error) { return st.Purge(ctx, before, limit) })
		if err == nil && n < max(limit, 1) {
			return
		}
	}
}

// What is drawn is drawn from little, so that much of it meets. Owners and aliases differ by what
// collations like to overlook.
var (
	ids      = rapid.Map(rapid.IntRange(0, 9), func(n int) string { return sample(n).ID })
	owners   = rapid.SampledFrom([]string{"user_42", "User_42", "user_42 ", "us\u00e9r", "use\u0301r", "us%r"})
	prefixes = rapid.SampledFrom([]string{"postman_live", "postman_test"})
	aliases  = rapid.SampledFrom([]string{"", "", "", "a", "A", "a ", "\u00e9", "e\u0301"})
	texts    = rapid.Map(rapid.StringN(0, 40, 250), func(s string) string {
		return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "")
	})
	hashes   = rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 40), func(b []byte) store.Hash { return store.Hash(b) })
	instants = rapid.Custom(func(t *rapid.T) time.Time {
		n := rapid.IntRange(-4, 3).Draw(t, "instant")
		if n == -4 {
			return time.Time{}
		}
		return now.Add(time.Duration(n) * time.Microsecond)
	})
)

func anyRecord(t *rapid.T) store.Record {
	when := instants.Filter(func(at time.Time) bool { return !at.IsZero() })
	rec := store.Record{
		ID:            ids.Draw(t, "id"),
		Owner:         owners.Draw(t, "owner"),
		Prefix:        prefixes.Draw(t, "prefix"),
		Alias:         aliases.Draw(t, "alias"),
		Label:         texts.Draw(t, "label"),
		Hint:          rapid.StringN(0, 8, 8).Filter(func(s string) bool { return !strings.Contains(s, "\x00") }).Draw(t, "hint"),
		Scopes:        rapid.SampledFrom([]string{"", "email:send", "email:* sms:send"}).Draw(t, "scopes"),
		Contacts:      rapid.SampledFrom([]string{"", `[ "a@x.gov.sg" ]`, `["b@x.gov.sg"]`}).Draw(t, "contacts"),
		Metadata:      rapid.SampledFrom([]string{"", `{ "b":"1", "a":"'\\"}`}).Draw(t, "metadata"),
		Scheme:        rapid.SampledFrom([]string{"sha256", "hmac-sha256:c6b3a147"}).Draw(t, "scheme"),
		Hash:          hashes.Draw(t, "hash"),
		CreatedAt:     when.Draw(t, "created"),
		UpdatedAt:     when.Draw(t, "updated"),
		ExpiresAt:     instants.Draw(t, "expires"),
		RevokedReason: texts.Draw(t, "reason"),
		LastUsedAt:    instants.Draw(t, "used"),
		Version:       int64(rapid.IntRange(0, 4).Draw(t, "version")),
	}
	if seldom(t, "rotated") {
		rec.RotatedAt, rec.ActivatedAt = when.Draw(t, "rotated at"), instants.Draw(t, "activated")
		rec.Grace = time.Duration(rapid.IntRange(0, 3).Draw(t, "grace")) * time.Microsecond
		rec.PriorHint, rec.PriorScheme, rec.PriorHash = "prior", "sha256", hashes.Draw(t, "prior hash")
		rec.PriorExpiresAt = instants.Draw(t, "prior expires")
		rec.RemindedFor, rec.RemindingUntil = instants.Draw(t, "reminded"), instants.Draw(t, "reminding")
	}
	if rapid.IntRange(0, 3).Draw(t, "revoked") == 0 {
		rec.RevokedAt = when.Draw(t, "revoked at")
	}
	return rec
}

// seldom reports true now and then.
func seldom(t *rapid.T, what string) bool {
	return rapid.SampledFrom([]bool{false, false, false, false, true}).Draw(t, what)
}

// anyQuery seldom combines much, since what does selects nothing of the few records there are.
func anyQuery(t *rapid.T) (q store.Query) {
	if seldom(t, "by owner") {
		q.Owner = owners.Draw(t, "owner")
	}
	if seldom(t, "by prefix") {
		q.Prefix = prefixes.Draw(t, "prefix")
	}
	if seldom(t, "by alias") {
		q.Alias = aliases.Draw(t, "alias")
	}
	if seldom(t, "by expiry") {
		q.ExpiresFrom, q.ExpiresBefore = instants.Draw(t, "from"), instants.Draw(t, "before")
	}
	if seldom(t, "by prior expiry") {
		q.PriorExpiresFrom, q.PriorExpiresBefore = instants.Draw(t, "prior from"), instants.Draw(t, "prior before")
	}
	if seldom(t, "by change") {
		q.ChangedSince = instants.Draw(t, "since")
	}
	if rapid.Bool().Draw(t, "after") {
		// Mostly one that is kept, and also below, between and above.
		q.After = rapid.SampledFrom([]string{"", "", "", "0", "zz"}).Draw(t, "off") + ids.Draw(t, "id")
		q.After = q.After[:min(len(q.After), 20)]
	}
	q.State = rapid.SampledFrom([]store.State{
		store.AnyState, store.AnyState, store.AnyState, store.Active, store.Expired, store.Revoked, -1, store.Revoked + 1,
	}).Draw(t, "state")
	q.At = now.Add(time.Duration(rapid.IntRange(-4, 4).Draw(t, "at")) * time.Microsecond)
	q.Limit = rapid.SampledFrom([]int{10, 10, store.MaxLimit, 3, 2, 1, 0, -1}).Draw(t, "limit")
	return q
}

// drive runs a machine a number of times, each on the store that open returns emptied.
func drive(t *testing.T, tb rapid.TB, runs int, open func() store.Store) {
	t.Helper()
	setFlag(t, "rapid.checks", fmt.Sprint(runs))
	setFlag(t, "rapid.steps", "50")
	rapid.Check(tb, func(t *rapid.T) {
		t.Repeat(rapid.StateMachineActions(&machine{open(), new(memstore.Store)}))
	})
}

// setFlag sets a flag for as long as the test runs.
func setFlag(t *testing.T, name, value string) {
	t.Helper()
	f := flag.Lookup(name)
	before := f.Value.String()
	require.NoError(t, f.Value.Set(value))
	t.Cleanup(func() { require.NoError(t, f.Value.Set(before)) })
}

// Whatever is done to a store, it answers as a memstore does.
func TestMachine(t *testing.T) {
	t.Run("memory", func(t *testing.T) {
		drive(t, t, 100, func() store.Store { return new(memstore.Store) })
	})
	onEach(t, databases, func(t *testing.T, d database) { drive(t, t, 25, d.emptying(t)) })
}

// emptying returns what empties a store and returns it.
func (d database) emptying(t *testing.T) func() store.Store {
	t.Helper()
	db := d.open(t)
	st := d.migrated(t, db)
	return func() store.Store {
		exec(t, db, "DELETE FROM latchkey_keys")
		return st
	}
}
