package dbtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
)

const (
	clients     = 8 // as many as there are goroutines, half of them in either of two processes
	keysAtATime = 2
	opsAtATime  = 9 // of each client
)

// A history is what was told to instances and what they answered. Time is counted, not measured: the
// one clock that two processes have in common for certain is that of whoever tells them what to do.
// The way there and back makes an operation last longer than it does and never shorter, so whatever
// no order explains is wrong.
type history struct {
	at  atomic.Int64
	mu  sync.Mutex
	ops []porcupine.Operation
}

func (h *history) do(t *testing.T, instance caller, op Op) {
	start := h.at.Add(1)
	r, err := instance.do(op)
	end := h.at.Add(1)
	if !assert.NoError(t, err) {
		return
	}
	if r.Outcome == lost {
		assert.GreaterOrEqual(t, op.Patience, time.Duration(0), "nothing but its context keeps a call from an answer, not %s", r.Text)
		if op.Kind == "verify" || op.Kind == "look" {
			return
		}
		end = math.MaxInt64 // it may happen at any time from now on
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: op.Client, Input: op, Call: start, Output: r, Return: end})
}

// A minted key is one that is not kept yet.
type minted struct {
	id, token string
	hash      []byte
}

func mint(t *testing.T) minted {
	t.Helper()
	st := new(memstore.Store)
	keys, err := apikey.New(st, apikey.Config{Prefix: sample(0).Prefix, Now: func() time.Time { return now }})
	require.NoError(t, err)
	token, key, err := keys.Issue(t.Context(), apikey.Request{Owner: "mint", Label: "minted"})
	require.NoError(t, err)
	rec, err := st.Get(t.Context(), key.ID)
	require.NoError(t, err)
	return minted{key.ID, token.Reveal(), []byte(rec.Hash)}
}

// record has all clients work on a few keys at a time, each first created and in the end mostly
// revoked, and returns what happened.
func record(t *testing.T, instances []caller, waves int, patience time.Duration) []porcupine.Operation {
	t.Helper()
	var h history
	for range waves {
		keys := make([]minted, keysAtATime)
		for i := range keys {
			keys[i] = mint(t)
		}
		var wg sync.WaitGroup
		for client := range clients {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
				for n := range opsAtATime {
					op := random(r, n, patience)
					key := keys[r.IntN(len(keys))]
					op.Client, op.ID, op.Token, op.Hash = client, key.id, key.token, key.hash
					op.Name = fmt.Sprintf("%s %d of %d", op.Kind, n, client)
					h.do(t, instances[client%len(instances)], op)
				}
			})
		}
		wg.Wait()
	}
	require.False(t, t.Failed())
	return h.ops
}

// random returns the n-th operation of a client in a wave.
func random(r *rand.Rand, n int, patience time.Duration) Op {
	op := Op{Kind: "verify", Patience: -1}
	if r.IntN(3) == 0 {
		op.At = time.Hour
	}
	switch k := r.IntN(20); {
	case n == 0 && k < 10, k == 0:
		op.Kind = "create"
		op.Max = 100_000 * r.IntN(2)
	case k < 4:
		op.Kind = "look"
	case k < 12:
		op.Kind = "update"
		switch r.IntN(3) {
		case 0:
			op.Label = fmt.Sprintf("label %d", r.Uint32())
		case 1:
			op.Scopes = [][]string{granted[:1], granted[1:], granted}[r.IntN(3)]
		default:
			op.Expires = time.Duration(1+r.IntN(150)) * time.Minute
		}
	case k == 12 && n > 2:
		op.Kind = "revoke"
	}
	if r.IntN(25) == 0 {
		op.Patience = patience * time.Duration(r.IntN(4)) / 3 // with none the context has ended before
	}
	return op
}

// requireEventful asserts that a history has something to tell.
func requireEventful(t *testing.T, ops []porcupine.Operation) {
	t.Helper()
	seen := make(map[string]int)
	for _, op := range ops {
		seen[op.Input.(Op).Kind+" "+op.Output.(Result).Outcome]++
	}
	t.Log(len(ops), seen)
	for _, want := range []string{
		"create ok", "create exists", "look ok", "look missing", "verify ok", "verify unknown", "verify expired", "verify revoked",
		"update ok", "update missing", "update inactive", "update argument", "revoke ok", "revoke missing", "update lost",
	} {
		require.NotZero(t, seen[want], want)
	}
}

// Whatever several goroutines, in two processes, see of a key can be explained by one order of what
// they did to it, in which nothing comes before it began or after it was acknowledged.
func TestOrder(t *testing.T) {
	check := func(t *testing.T, instances []caller, patience time.Duration) {
		ops := record(t, instances, 60, patience)
		requireEventful(t, ops)
		require.Empty(t, disorder(ops))
	}
	t.Run("memory", func(t *testing.T) {
		check(t, []caller{here(t, Setup{Database: -1})}, 3*time.Microsecond)
	})
	onEach(t, engines, func(t *testing.T, d database) { check(t, d.twins(t, ""), 2*time.Millisecond) })
}

// The check above finds what is broken.
func TestOrderOfBroken(t *testing.T) {
	caught := func(t *testing.T, instances []caller) {
		for range 50 {
			if len(disorder(record(t, instances, 3, time.Millisecond))) > 0 {
				return
			}
		}
		require.Fail(t, "nobody noticed")
	}
	for name := range broken {
		t.Run(name, func(t *testing.T) {
			t.Run("memory", func(t *testing.T) { caught(t, []caller{here(t, Setup{Database: -1, Broken: name})}) })
			onEach(t, engines, func(t *testing.T, d database) { caught(t, d.twins(t, name)) })
		})
	}
}
