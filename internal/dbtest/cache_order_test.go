package dbtest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
)

// oldest is the MaxAge of the caches below: the least that may be, so that much of it passes.
const oldest = 100 * time.Millisecond

// A forever is a cache without a bound.
type forever struct {
	keys  *apikey.Service
	known sync.Map
}

func (f *forever) Verify(ctx context.Context, token string) (apikey.Key, error) {
	if key, ok := f.known.Load(token); ok {
		return key.(apikey.Key), nil
	}
	key, err := f.keys.Verify(ctx, token)
	if err == nil {
		f.known.Store(token, key)
	}
	return key, err
}

// A cachedState is what there is to know of a key whose old token always ends at once.
type cachedState struct {
	token   string // that opens it
	revoked bool
}

// cachedOrder is the model of such keys, one at a time.
var cachedOrder = porcupine.Model{
	Init: func() any { return cachedState{} },
	Step: func(state, input, output any) (bool, any) {
		s, op, r := state.(cachedState), input.(Op), output.(Result)
		switch op.Kind {
		case "issue":
			return s.token == "", cachedState{token: r.Token}
		case "verify":
			return (r.Outcome == "ok") == (op.Token == s.token && !s.revoked), s
		case "revoke":
			return r.Outcome == "ok", cachedState{s.token, true}
		}
		switch r.Outcome { // of a rotation
		case "ok":
			return !s.revoked, cachedState{token: r.Token}
		case "inactive":
			return s.revoked, s
		}
		return r.Outcome == "conflict", s
	},
}

// A cachedHistory is what happened to one key, in real time, since that is what the bound is of. Two
// processes are told what to do by one clock, as in a history.
type cachedHistory struct {
	began  time.Time
	mu     sync.Mutex
	ops    []porcupine.Operation
	tokens []string
}

func (h *cachedHistory) do(t *testing.T, instance caller, op Op) {
	start := time.Since(h.began)
	r, err := instance.do(op)
	end := time.Since(h.began)
	if !assert.NoError(t, err) || !assert.NotEqual(t, lost, r.Outcome, r.Text) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: op.Client, Input: op, Call: int64(start), Output: r, Return: int64(end)})
	if r.Token != "" {
		h.tokens = append(h.tokens, r.Token)
	}
}

// token returns one of the tokens that the key has had, mostly a late one.
func (h *cachedHistory) token(r *rand.Rand) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.tokens[len(h.tokens)-1-r.IntN(min(3, len(h.tokens)))]
}

// recordCached has all clients verify, rotate and in the end revoke one key.
func recordCached(t *testing.T, instances []caller) []porcupine.Operation {
	t.Helper()
	h := cachedHistory{began: time.Now()}
	issued := must(t, instances[0], Op{Kind: "issue", Name: "cached"}, "ok")
	h.ops = []porcupine.Operation{{Input: Op{Kind: "issue"}, Output: issued, Return: 1}}
	h.tokens = []string{issued.Token}
	rotations := 12 // in a hundred
	if len(instances) > 1 {
		rotations = 2 // so that a token is remembered for long
	}
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
			for n := range 40 {
				op := Op{Kind: "verify", Client: client, ID: issued.ID, Name: fmt.Sprint(n, " of ", client), Patience: -1}
				switch k := r.IntN(100); {
				case k < rotations:
					op.Kind = "rotate"
				case k == rotations && n > 20:
					op.Kind = "revoke"
				default:
					op.Token = h.token(r)
				}
				h.do(t, instances[client%len(instances)], op)
				if len(instances) > 1 { // so that answers get too old meanwhile
					time.Sleep(time.Duration(r.IntN(int(oldest / 10))))
				}
			}
		})
	}
	wg.Wait()
	require.False(t, t.Failed())
	return h.ops
}

// relaxed returns the history in which whatever was accepted may have been read earlier than it was asked
// for: by as much as an answer may be old, or, where all is in one process, since the first change began
// that was under way then. What was refused must have been right while it was asked for.
//
// A token opens from one change to another, and at no other time. So of all that accepted it only two say
// something that the others do not: the one that began last, and the one that was over first.
func relaxed(ops []porcupine.Operation, oneProcess bool) []porcupine.Operation {
	var out []porcupine.Operation
	last, first := make(map[string]porcupine.Operation), make(map[string]porcupine.Operation)
	for _, op := range ops {
		if op.Input.(Op).Kind != "verify" || op.Output.(Result).Outcome != "ok" {
			out = append(out, op)
			continue
		}
		asked := op.Call
		if !oneProcess {
			op.Call = max(2, asked-int64(oldest))
		}
		for _, change := range ops {
			if oneProcess && change.Input.(Op).Kind != "verify" && change.Call < asked && change.Return >= asked {
				op.Call = min(op.Call, change.Call)
			}
		}
		token := op.Input.(Op).Token
		if seen, ok := last[token]; !ok || seen.Call < op.Call {
			last[token] = op
		}
		if seen, ok := first[token]; !ok || seen.Return > op.Return {
			first[token] = op
		}
	}
	return slices.AppendSeq(slices.AppendSeq(out, maps.Values(last)), maps.Values(first))
}

// told returns the operations in the order of their calls, with their tokens as numbers.
func told(ops []porcupine.Operation) string {
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	numbers := map[string]int{"": 0}
	number := func(token string) int {
		if _, ok := numbers[token]; !ok {
			numbers[token] = len(numbers)
		}
		return numbers[token]
	}
	var b strings.Builder
	for _, o := range ops {
		op, r := o.Input.(Op), o.Output.(Result)
		fmt.Fprintf(&b, "%s to %s by %d: %s %d %s %d\n", time.Duration(o.Call), time.Duration(o.Return), o.ClientId,
			op.Kind, number(op.Token), r.Outcome, number(r.Token))
	}
	return b.String()
}

// With a cache in front, whatever several goroutines see of a key that is verified, rotated and revoked can
// be explained by one order, in one process at once and across two within the age that answers may have.
func TestCacheOrder(t *testing.T) {
	rounds := 25
	if testing.Short() {
		rounds = 5
	}
	check := func(t *testing.T, instances []caller) {
		seen := make(map[string]int)
		for range rounds {
			ops := recordCached(t, instances)
			explained := relaxed(ops, len(instances) == 1)
			require.True(t, porcupine.CheckOperations(cachedOrder, explained), "no order explains this:\n%s", told(explained))
			for _, op := range ops {
				seen[op.Input.(Op).Kind+" "+op.Output.(Result).Outcome]++
			}
		}
		t.Log(seen)
		for _, want := range []string{"verify ok", "verify superseded", "rotate ok", "revoke ok"} {
			require.NotZero(t, seen[want], want)
		}
	}
	t.Run("memory", func(t *testing.T) { check(t, []caller{here(t, Setup{Database: -1, MaxAge: time.Minute})}) })
	onEach(t, engines, func(t *testing.T, d database) {
		s := Setup{Database: d.index(), DSN: d.fresh(t), MaxAge: time.Minute}
		d.migrated(t, d.pool(t, s.DSN))
		t.Run("one process", func(t *testing.T) { check(t, []caller{here(t, s)}) })
		t.Run("two processes", func(t *testing.T) {
			s.MaxAge = oldest
			check(t, []caller{here(t, s), elsewhere(t, s)})
		})
	})
}

// The check above finds a cache that knows no bound, and one whose answers get older than it says.
func TestCacheOrderOfBroken(t *testing.T) {
	caught := func(t *testing.T, instances []caller) {
		for range 50 {
			if !porcupine.CheckOperations(cachedOrder, relaxed(recordCached(t, instances), len(instances) == 1)) {
				return
			}
		}
		require.Fail(t, "nobody noticed")
	}
	t.Run("memory", func(t *testing.T) {
		caught(t, []caller{here(t, Setup{Database: -1, MaxAge: time.Minute, Forever: true})})
	})
	onEach(t, shared[:1], func(t *testing.T, d database) {
		s := Setup{Database: d.index(), DSN: d.fresh(t), MaxAge: 5 * oldest}
		d.migrated(t, d.pool(t, s.DSN))
		caught(t, []caller{here(t, s), elsewhere(t, s)})
	})
}
