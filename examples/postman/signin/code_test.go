package signin

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/examples/postman/mail"
	"github.com/opengovsg/latchkey/examples/postman/web"
)

func TestCode(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		code := h.code("Siti@Agency.GOV.sg")
		require.Equal(t, siti, h.mails[0].To)
		require.True(t, h.mails[0].Automatic)
		require.NotContains(t, h.mails[0].Subject, code, "a locked telephone shows subjects")

		_, err := h.redeem(t.Context(), siti, other(code))
		require.ErrorIs(t, err, errCode)
		_, err = h.redeem(t.Context(), "ali@agency.gov.sg", code)
		require.ErrorIs(t, err, errCode, "of another address")
		owner, err := h.redeem(t.Context(), "SITI@agency.gov.sg", code)
		require.NoError(t, err)
		require.Equal(t, siti, owner)
		_, err = h.redeem(t.Context(), siti, code)
		require.ErrorIs(t, err, errCode, "it was used")
	})
}

func TestCodesDiffer(t *testing.T) {
	seen, first := make(map[string]bool), make(map[byte]bool)
	for range 2000 {
		code := newCode()
		require.True(t, wellFormed(code))
		seen[code], first[code[0]] = true, true
	}
	require.Greater(t, len(seen), 1900)
	require.Len(t, first, 10, "zero among them")
}

func TestCodeExpires(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		code := h.code(siti)
		h.advance(10*time.Minute - time.Microsecond)
		_, err := h.redeem(t.Context(), siti, other(code))
		require.ErrorIs(t, err, errCode)
		h.advance(time.Microsecond)
		_, err = h.redeem(t.Context(), siti, code)
		require.ErrorIs(t, err, errCode)
		h.advance(-time.Microsecond)
		_, err = h.redeem(t.Context(), siti, code)
		require.NoError(t, err, "just in time")
	})
}

func TestTries(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		code := h.code(siti)
		for range 4 {
			_, err := h.redeem(t.Context(), siti, other(code))
			require.ErrorIs(t, err, errCode)
		}
		_, err := h.redeem(t.Context(), siti, code)
		require.NoError(t, err, "the fifth try")

		code = h.code("ali@agency.gov.sg")
		for range 5 {
			_, err := h.redeem(t.Context(), "ali@agency.gov.sg", other(code))
			require.ErrorIs(t, err, errCode)
		}
		_, err = h.redeem(t.Context(), "ali@agency.gov.sg", code)
		require.ErrorIs(t, err, errCode, "the sixth")
	})
}

// together calls a function 50 times at once, and returns how often it succeeded.
func together(t *testing.T, call func(i int) error) int {
	t.Helper()
	var done sync.WaitGroup
	var good atomic.Int64
	start := make(chan struct{})
	for i := range 50 {
		done.Go(func() {
			<-start
			err := call(i)
			if err == nil {
				good.Add(1)
				return
			}
			if _, ok := errors.AsType[*web.Refusal](err); !ok {
				t.Error(err)
			}
		})
	}
	close(start)
	done.Wait()
	return int(good.Load())
}

func TestCodeAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		code := h.code(siti)
		require.Equal(t, 1, together(t, func(int) error {
			_, err := h.redeem(t.Context(), siti, code)
			return err
		}), "who signs in with one code")

		code = h.code("ali@agency.gov.sg")
		require.Zero(t, together(t, func(int) error {
			_, err := h.redeem(t.Context(), "ali@agency.gov.sg", other(code))
			return err
		}))
		var tries int
		require.NoError(t, h.row(t.Context(), "SELECT tries FROM postman_codes WHERE address = ?", "ali@agency.gov.sg").Scan(&tries))
		require.Zero(t, tries, "what guesses at the same time took")

		require.Equal(t, 1, together(t, func(int) error {
			return h.sendCode(t.Context(), h.request(), "eve@agency.gov.sg")
		}), "codes sent to one address")
		require.Equal(t, "eve@agency.gov.sg", h.mails[2].To)
		require.Len(t, h.mails, 3)
		h.advance(resend)
		require.Equal(t, 1, together(t, func(int) error {
			return h.sendCode(t.Context(), h.request(), "eve@agency.gov.sg")
		}), "and again")
	})
}

// TestCodeWithoutWaiting asks for a code and hangs up before it is sent.
func TestCodeWithoutWaiting(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx, cancel := context.WithCancel(t.Context())
		h.deliver = func(mail.Message) error {
			cancel()
			return nil
		}
		require.NoError(t, h.sendCode(ctx, h.request(), siti))
		_, err := h.redeem(t.Context(), siti, codeOf(t, h.mails[0]))
		require.NoError(t, err)
	})
}

func TestCodeNotSent(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.deliver = func(mail.Message) error { return errFull }
		for range 8 { // more than maxSent
			require.ErrorIs(t, h.sendCode(t.Context(), h.request(), siti), errUnsent)
			_, err := h.redeem(t.Context(), siti, codeOf(t, h.mails[len(h.mails)-1]))
			require.ErrorIs(t, err, errCode, "nobody has it")
			require.Equal(t, 30*time.Second, h.refused(siti))
			h.advance(30 * time.Second)
		}
		require.Len(t, h.faults, 8)
		require.NotContains(t, fmt.Sprint(h.faults), "siti")

		// Nor can it be guessed while it is sent.
		h.deliver = func(m mail.Message) error {
			_, err := h.redeem(t.Context(), siti, codeOf(t, m))
			require.ErrorIs(t, err, errCode)
			return nil
		}
		_, err := h.redeem(t.Context(), siti, h.code(siti))
		require.NoError(t, err)
	})
}

// TestCodeKeys holds the hash of a code to the key: a new one is brought to all instances in second place first.
func TestCodeKeys(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		old, other := h.config.Keys[0], []byte("another key for codes")
		for _, c := range []struct {
			keys [][]byte
			good bool
		}{{[][]byte{other}, false}, {nil, false}, {[][]byte{other, old}, true}, {[][]byte{nil, other, old}, true}} {
			code := h.code(siti)
			h.config.Keys = c.keys
			_, err := New(h.config).redeem(t.Context(), siti, code)
			if c.good {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, errCode)
			h.advance(time.Hour)
		}
	})
}

func TestWhoMaySignIn(t *testing.T) {
	h := newHouse(t, t.TempDir()+"/x.db")
	for _, address := range []string{
		"", "siti", "siti@gov.sg", "siti@evilgov.sg", "siti@gov.sg.evil.com", "siti@agency.gov.sg.evil.com", "siti@agency.gov.sg.",
		"siti@agency.gov.sg\r\nBcc: eve@evil.com", "siti@agency.gov.sg,eve@evil.com", "Siti <siti@agency.gov.sg>", " siti@agency.gov.sg",
		"siti@agency.gov.s\u0261", "siti@agency.gov.\u017fg", `"eve@evil.com"@agency.gov.sg`, "siti@agency.gov.sg\x00", "siti@evil.com@agency.gov.sg",
	} {
		require.ErrorIs(t, h.sendCode(t.Context(), h.request(), address), errAddress, address)
		_, err := h.redeem(t.Context(), address, "123456")
		require.ErrorIs(t, err, errAddress, address)
	}
	require.Empty(t, h.mails)
	for _, code := range []string{"", "12345", "1234567", " 12345", "12345\n", "12345a", "+12345", "١٢٣٤٥٦", "１２３４５６"} {
		_, err := h.redeem(t.Context(), siti, code)
		require.ErrorIs(t, err, errForm, code)
	}
}
