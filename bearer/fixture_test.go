package bearer_test

import (
	"context"
	"crypto/sha256"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

const (
	prefix = "postman_live"

	goodID     = "01m83pph00zab5rrb146"
	goodSecret = "RfHk7hp3ILTgK2y3mH3UqtmaFCrvkUb7keKpQPXNubf"
	otherID    = "01m83pph01ts3gkk83ns"
	otherKey   = "VhojEH0pRtTexWmYgJkBCeiwUSZihevAqQyk28qGh7i"
	revokedID  = "01m83pph02mx9qr26t5m"
	revokedKey = "87uLCKWcWaQKm5Fj1ChIX3hn5HyDRdnoaxW7vg7OvqR"
	expiredID  = "01m83pph03vfnajgnsbv"
	expiredKey = "JfDhd1PE2vrV4E63L1PTFyCVCgFvPLGocJH1rKLpMDp"
	noID       = "01m83pph04aaaaaaaaaa"
	noKey      = "00000000001111111111222222222233333333334AZ"
)

// The tokens of the tests are the same in every process, so that what a fuzzer kept of one run means
// the same in the next.
var (
	good    = tokenOf(goodID, goodSecret)
	other   = tokenOf(otherID, otherKey) // good too, of another owner
	revoked = tokenOf(revokedID, revokedKey)
	expired = tokenOf(expiredID, expiredKey)
	unknown = tokenOf(noID, noKey)
	wrong   = tokenOf(goodID, otherKey) // the id of one key, the secret of another

	secrets = []string{goodSecret, otherKey, revokedKey, expiredKey, noKey}
)

// tokenOf spells a token.
func tokenOf(id, secret string) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	text := prefix + "_" + id + "_" + secret
	sum := make([]byte, 6)
	for i, n := len(sum)-1, crc32.ChecksumIEEE([]byte(text)); i >= 0; i, n = i-1, n/62 {
		sum[i] = digits[n%62]
	}
	return text + string(sum)
}

var now = time.Date(2027, time.January, 1, 0, 0, 0, 0, time.UTC)

// A countingStore counts reads, and lets a test stand in for one.
type countingStore struct {
	store.Store
	reads atomic.Int64
	get   func(context.Context, string) (store.Record, error)
}

func (s *countingStore) Get(ctx context.Context, id string) (store.Record, error) {
	s.reads.Add(1)
	if s.get != nil {
		return s.get(ctx, id)
	}
	return s.Store.Get(ctx, id)
}

// A fixture is a service with a handful of keys and a guard that tells what it refuses.
type fixture struct {
	store *countingStore
	keys  *apikey.Service
	guard *bearer.Guard
	spy   *spy

	mu      sync.Mutex
	reasons []error
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	f := &fixture{store: &countingStore{Store: new(memstore.Store)}, spy: new(spy)}
	for _, rec := range []store.Record{
		{ID: goodID, Owner: "user_1", Hash: hashOf(goodSecret), Scopes: "email:send report:*"},
		{ID: otherID, Owner: "user_2", Hash: hashOf(otherKey)},
		{ID: revokedID, Owner: "user_1", Hash: hashOf(revokedKey), RevokedAt: now.Add(-time.Hour)},
		{ID: expiredID, Owner: "user_1", Hash: hashOf(expiredKey), ExpiresAt: now},
	} {
		rec.Prefix, rec.Label, rec.Scheme = prefix, "label", "sha256"
		require.NoError(t, f.store.Create(t.Context(), rec, 0))
	}
	keys, err := apikey.New(f.store, apikey.Config{Prefix: prefix, Now: func() time.Time { return now }})
	require.NoError(t, err)
	f.keys = keys
	f.guard = bearer.New(keys, bearer.Config{OnDeny: func(_ *http.Request, reason error) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.reasons = append(f.reasons, reason)
	}})
	return f
}

func hashOf(secret string) store.Hash {
	sum := sha256.Sum256([]byte(secret))
	return store.Hash(sum[:])
}

// reset forgets what was counted.
func (f *fixture) reset() {
	f.told()
	f.store.reads.Store(0)
	f.spy.reset()
}

// passed is what the spy sees of one request with the good key and the body.
func passed(body string) sight { return sight{1, true, goodID, "user_1", body} }

// told returns the reasons for which requests were refused since it was last asked.
func (f *fixture) told() []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	reasons := f.reasons
	f.reasons = nil
	return reasons
}

const served = "served\n"

// A spy is the handler that a guard protects. It counts its calls and keeps what the last one saw.
type spy struct {
	mu    sync.Mutex
	calls int
	key   apikey.Key
	keyed bool
	body  string
}

func (s *spy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusTeapot)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.key, s.keyed = apikey.FromContext(r.Context())
	s.body = string(body)
	io.WriteString(w, served)
}

func (s *spy) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls, s.key, s.keyed, s.body = 0, apikey.Key{}, false, ""
}

// A sight is what a spy saw.
type sight struct {
	calls int
	keyed bool
	keyID string
	owner string
	body  string
}

func (s *spy) saw() sight {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sight{s.calls, s.keyed, s.key.ID, s.key.Owner, s.body}
}

// secretless fails the test if the text holds a part of a secret of the fixture, or one of the
// longer words that the request presented.
func secretless(t testing.TB, text string, presented ...string) {
	t.Helper()
	const part = 8
	for _, secret := range secrets {
		for i := range len(secret) - part + 1 {
			require.False(t, strings.Contains(text, secret[i:i+part]), "a part of a secret shows")
		}
	}
	for _, value := range presented {
		for word := range strings.FieldsSeq(value) {
			require.False(t, len(word) >= 12 && strings.Contains(text, word), "what was presented shows")
		}
	}
}
