package signin

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/examples/postman/web"
)

// refused requires that no code is sent, and returns for how long.
func (h *house) refused(address string) time.Duration {
	h.t.Helper()
	sent := len(h.mails)
	refusal, ok := errors.AsType[*web.Refusal](h.sendCode(h.t.Context(), h.request(), address))
	require.True(h.t, ok)
	require.Equal(h.t, 429, refusal.Status)
	require.Len(h.t, h.mails, sent)
	return refusal.RetryAfter
}

func TestResend(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		first := h.code(siti)
		require.Equal(t, 30*time.Second, h.refused("SITI@agency.gov.sg"))
		h.advance(30*time.Second - time.Microsecond)
		require.Equal(t, time.Microsecond, h.refused(siti))
		_ = h.code("ali@agency.gov.sg") // whom it is nothing to
		h.advance(time.Microsecond)
		second := h.code(siti)
		if first != second { // once in a million
			_, err := h.redeem(t.Context(), siti, first)
			require.ErrorIs(t, err, errCode, "the code before")
		}
		for range 3 {
			h.advance(time.Minute)
			_ = h.code(siti)
		}
		h.advance(time.Minute)
		require.Equal(t, 59*time.Minute, h.refused(siti), "five were sent")
		h.advance(59*time.Minute - time.Microsecond)
		require.Equal(t, time.Microsecond, h.refused(siti))
		h.advance(time.Microsecond)
		_ = h.code(siti)
		h.advance(time.Minute)
		second = h.code(siti)

		// Who has signed in starts afresh.
		_, err := h.redeem(t.Context(), siti, second)
		require.NoError(t, err)
		_ = h.code(siti)
	})
}

// TestMailbox asks for codes for addresses that lead to one mailbox.
func TestMailbox(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for i := range maxSent {
			code := h.code(fmt.Sprintf("siti+%d@agency.gov.sg", i))
			_, _ = h.refused(siti), h.refused("siti+x+y@agency.gov.sg")
			for _, address := range []string{siti, "siti+x@agency.gov.sg"} {
				_, err := h.redeem(t.Context(), address, code)
				require.ErrorIs(t, err, errCode, "it is another one's")
			}
			h.advance(resend)
		}
		require.Equal(t, window-resend, h.refused("siti+x@agency.gov.sg"))
		for _, address := range []string{"siti@other.gov.sg", "siti-x@agency.gov.sg", "+siti@agency.gov.sg", "+ali@agency.gov.sg"} {
			_ = h.code(address) // of another mailbox
		}
		h.advance(window)
		owner, err := h.redeem(t.Context(), "Siti+X@agency.gov.sg", h.code("siti+x@agency.gov.sg"))
		require.NoError(t, err)
		require.Equal(t, "siti+x@agency.gov.sg", owner)
	})
}

// wait lets so many addresses wait for people, at each of which so many wrong codes were tried.
func (h *house) wait(addresses, wrong int) {
	h.t.Helper()
	tx, err := h.db.Begin()
	require.NoError(h.t, err)
	for i := range addresses {
		_, err := tx.Exec(h.spell("INSERT INTO postman_codes (address, salt, hash, sent_at, sent, tries, wrong) VALUES (?, ?, ?, ?, 1, 5, ?)"),
			fmt.Sprintf("p%d@agency.gov.sg", i), []byte{1}, []byte{2}, h.clock().UnixMicro(), wrong)
		require.NoError(h.t, err)
	}
	require.NoError(h.t, tx.Commit())
}

func TestManyWaiting(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.wait(maxWaiting-1, 0)
		code := h.code(siti)
		require.ErrorIs(t, h.sendCode(t.Context(), h.request(), "ali@agency.gov.sg"), errBusy)
		require.Len(t, h.mails, 1)
		_, err := h.redeem(t.Context(), siti, code)
		require.NoError(t, err, "who has a code signs in")
		_ = h.code("ali@agency.gov.sg")
		require.ErrorIs(t, h.sendCode(t.Context(), h.request(), "eve@agency.gov.sg"), errBusy)

		h.advance(window)
		_ = h.code("eve@agency.gov.sg")
		var rows int
		require.NoError(t, h.row(t.Context(), "SELECT COUNT(*) FROM postman_codes").Scan(&rows))
		require.Equal(t, 1, rows, "what is over was deleted")
	})
}

// TestGuessesAreKept counts the guesses at an address for as long as they matter, whoever cleans up.
func TestGuessesAreKept(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.cleaned.Store(h.clock().Add(2 * window).UnixMicro()) // or the row would be gone
		guess := func() (wrong int) {
			code := h.code(siti)
			_, err := h.redeem(t.Context(), siti, other(code))
			require.ErrorIs(t, err, errCode)
			require.NoError(t, h.row(t.Context(), "SELECT wrong FROM postman_codes WHERE address = ?", siti).Scan(&wrong))
			return wrong
		}
		require.Equal(t, 1, guess())
		h.advance(window - time.Microsecond)
		require.Equal(t, 2, guess())
		h.advance(window)
		require.Equal(t, 1, guess())
	})
}

// TestGuessing tries a little at each of many addresses.
func TestGuessing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		begun := h.clock()
		_ = h.code("ali@agency.gov.sg")
		h.advance(time.Minute)
		h.wait(maxWrong/maxTries-1, maxTries)
		guess := func(address string) {
			t.Helper()
			code := h.code(address)
			for range maxTries {
				_, err := h.redeem(t.Context(), address, other(code))
				require.ErrorIs(t, err, errCode)
			}
			h.advance(resend)
		}
		guess(siti)
		require.ErrorIs(t, h.sendCode(t.Context(), h.request(), siti), errTired)
		_, err := h.exec(t.Context(), "DELETE FROM postman_codes WHERE address = ?", "p1@agency.gov.sg")
		require.NoError(t, err)
		_, err = h.redeem(t.Context(), siti, h.code(siti))
		require.NoError(t, err, "who was mistaken, and signs in after all, is none who guesses")
		guess("eve@agency.gov.sg")
		guess(siti)
		for _, address := range []string{siti, "ali@agency.gov.sg", "eve@agency.gov.sg"} {
			require.ErrorIs(t, h.sendCode(t.Context(), h.request(), address), errTired)
		}
		_, err = h.redeem(t.Context(), "ali@agency.gov.sg", codeOf(t, h.mails[0]))
		require.ErrorIs(t, err, errTired, "a guess can't be told from it before it is looked at")
		a := h.post("/v1/auth/otp", `{"email":"siti@agency.gov.sg"}`)
		a.refused(t, 503, "service_unavailable")
		require.ErrorIs(t, h.faults[0], errTired, "and the log says why")

		h.advance(begun.Add(window + 2*time.Minute).Sub(h.clock()))
		_, err = h.redeem(t.Context(), siti, h.code(siti))
		require.NoError(t, err)
		_ = h.code("eve@agency.gov.sg")
	})
}

// TestGuessingAtOnce asks for many codes first, and then guesses at all of them at the same time.
func TestGuessingAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.wait(maxWrong/maxTries-1, maxTries)
		var codes [50]string
		for i := range codes {
			codes[i] = h.code(fmt.Sprintf("q%d@agency.gov.sg", i))
		}
		var looked atomic.Int64
		require.Zero(t, together(t, func(i int) error {
			_, err := h.redeem(t.Context(), fmt.Sprintf("q%d@agency.gov.sg", i), other(codes[i]))
			if errors.Is(err, errTired) {
				return errCode
			}
			looked.Add(1)
			return err
		}))
		require.LessOrEqual(t, looked.Load(), int64(maxTries))
		_, err := h.redeem(t.Context(), "q0@agency.gov.sg", codes[0])
		require.ErrorIs(t, err, errTired, "the right one is not told from the others")
	})
}
