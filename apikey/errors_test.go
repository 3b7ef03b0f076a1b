package apikey

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestErrors holds the words of errors and what they are: a caller tells them apart by the kind, and
// an operator reads the words.
func TestErrors(t *testing.T) {
	arg := error(&ArgumentError{"Label", "must not be blank"})
	require.EqualError(t, arg, "apikey: Label must not be blank")
	require.ErrorIs(t, arg, ErrInvalidArgument)
	for _, other := range []error{ErrInvalid, ErrNotFound, ErrForbidden, ErrUnavailable} {
		require.NotErrorIs(t, arg, other)
	}
	for _, reason := range []error{ErrMalformed, ErrUnknown, ErrExpired, ErrRevoked, ErrCorrupt} {
		require.ErrorIs(t, reason, ErrInvalid)
		require.NotErrorIs(t, reason, ErrUnavailable)
		require.EqualError(t, &RefusedError{"01m83pph00zab5rrb146", reason}, reason.Error()+": key 01m83pph00zab5rrb146")
		require.ErrorIs(t, &RefusedError{"01m83pph00zab5rrb146", reason}, reason)
	}
	for _, decision := range []error{ErrNotFound, ErrLimit, ErrConflict} {
		require.Equal(t, decision, fromStore(fmt.Errorf("table keys: %w", decision)))
		require.NotErrorIs(t, fromStore(decision), ErrUnavailable)
		require.NotErrorIs(t, decision, ErrInvalid)
	}
}
