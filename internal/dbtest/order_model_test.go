package dbtest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// A keyState is all there is to know of a key that was or was not created.
type keyState struct {
	exists bool
	View
}

// step tells what an operation makes of a key, alone and in an instant, and what it answers.
func (s keyState) step(op Op) (after keyState, outcome string) {
	if op.Kind == "create" {
		if s.exists {
			return s, "exists"
		}
		view := View{Label: op.Name, Scopes: strings.Join(granted, " "), Expires: life, Version: 1}
		return keyState{true, view}, "ok"
	}
	revoked, expired := s.Reason != "", op.At >= s.Expires
	switch {
	case !s.exists && op.Kind == "verify":
		return s, "unknown"
	case !s.exists:
		return s, "missing"
	case op.Kind == "verify" && revoked:
		return s, "revoked"
	case op.Kind == "verify" && expired:
		return s, "expired"
	case op.Kind == "verify", op.Kind == "look", op.Kind == "revoke" && revoked:
		return s, "ok"
	}
	after = s
	after.Version++
	if op.Kind == "revoke" {
		after.Reason = op.Name
		return after, "ok"
	}
	switch {
	case revoked || expired:
		return s, "inactive"
	case op.Expires != 0 && (op.Expires <= op.At || op.Expires > s.Expires):
		return s, "argument"
	}
	if op.Label != "" {
		after.Label = op.Label
	}
	if len(op.Scopes) > 0 {
		after.Scopes = strings.Join(op.Scopes, " ")
	}
	if op.Expires != 0 {
		after.Expires = op.Expires
	}
	return after, "ok"
}

// order is the model that histories are checked against, key by key.
var order = porcupine.Model{
	Partition: func(ops []porcupine.Operation) (keys [][]porcupine.Operation) {
		byID := make(map[string][]porcupine.Operation)
		for _, op := range ops {
			id := op.Input.(Op).ID
			byID[id] = append(byID[id], op)
		}
		for _, ops := range byID {
			keys = append(keys, ops)
		}
		return keys
	},
	Init: func() any { return keyState{} },
	Step: func(state, input, output any) (bool, any) {
		before, op, got := state.(keyState), input.(Op), output.(Result)
		after, want := before.step(op)
		switch {
		case got.Outcome == lost:
			// It has no end, so the place after all others is among those where it may come, and there
			// it changes what nobody sees.
			return true, after
		case got.Outcome != want:
			return false, before
		case want != "ok" || op.Kind == "create":
			return true, after
		}
		seen := after.View
		if op.Kind != "look" {
			seen.Version = 0
		}
		return got.View == seen, after
	},
}

// disorder returns the operations, in the order of their calls, of each key whose operations no
// order explains.
func disorder(ops []porcupine.Operation) []string {
	var keys []string
	for _, key := range order.Partition(ops) {
		if porcupine.CheckOperations(order, key) {
			continue
		}
		slices.SortFunc(key, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
		var b strings.Builder
		for _, o := range key {
			op, r := o.Input.(Op), o.Output.(Result)
			fmt.Fprintf(&b, "%6d to %6d by %d at %s: %s %s%s %v %s: %s %+v\n", o.Call, o.Return, op.Client,
				op.At, op.Kind, op.Name, op.Label, op.Scopes, op.Expires.Round(time.Minute), r.Outcome, r.View)
		}
		keys = append(keys, b.String())
	}
	return keys
}
