package legacy_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/legacy"
	"github.com/opengovsg/latchkey/internal/servicetest"
	"github.com/opengovsg/latchkey/memstore"
)

const vectors = "testdata/postman-legacy.json"

func TestPostmanMove(t *testing.T) {
	servicetest.RunPostman(t, new(memstore.Store), vectors)
}

func TestPostmanDerivesWhatWasKept(t *testing.T) {
	salt, rows := servicetest.PostmanRows(t, vectors)
	p, err := legacy.NewPostman(salt, "v1")
	require.NoError(t, err)
	require.Len(t, rows, 8)
	for _, row := range []servicetest.PostmanRow{rows[1], rows[5]} { // RunPostman asks all of them
		require.True(t, p.Recognizes(row.Token))
		kept, err := p.Derive(t.Context(), row.Token)
		require.NoError(t, err)
		require.Equal(t, row.Row.Hash, kept)
	}
}

func TestPostmanRecognizes(t *testing.T) {
	salt, rows := servicetest.PostmanRows(t, vectors)
	p, err := legacy.NewPostman(salt, "v1")
	require.NoError(t, err)
	secret := rows[0].Token[len("alice_v1_"):]
	for _, name := range []string{"a", "moh2", "7", "ITsupport", "tan.ah-kow", "info+x", strings.Repeat("n", 64)} {
		require.True(t, p.Recognizes(name+"_v1_"+secret), name)
	}
	encode := func(n int) string { return base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for n := 32; n <= 54; n++ {
		require.True(t, p.Recognizes("alice_v1_"+encode(n)), n)
	}
	for _, bad := range []string{
		"alice_v1_" + encode(31), "alice_v1_" + encode(55), "alice_v1_" + encode(32)[:43], "alice_v1_" + encode(32)[:42] + "B=", // not zero in its last bits
		"", "_", "__", "_v1_", secret, "alice_v1_", "alice_v1", "alice_v1" + secret, "_v1_" + secret,
		"alice_v2_" + secret, "alice_V1_" + secret, "alice__" + secret, "alice_v1__" + secret,
		"alice_v1_" + secret + "_", "alice_v1_" + secret + "_x", "alice_v1_" + secret + "x", "alice_v1_" + secret + "\n", // the old parser took what is behind an underscore
		"a_b_v1_" + secret, "al ice_v1_" + secret, "al\x00ice_v1_" + secret, "älice_v1_" + secret, "al=ice_v1_" + secret,
		strings.Repeat("n", 65) + "_v1_" + secret,
		"alice_v1_" + secret[:43], "alice_v1_" + secret[:43] + "=", "alice_v1_" + secret[:42] + "==", "alice_v1_" + secret[:43] + "-", "alice_v1_" + secret[:43] + "_",
		"alice_v1_" + secret[:40] + "\r\n" + secret[42:], "alice_v1_\n" + secret[1:], "alice_v1_" + secret + "\r\n", "alice_v1_" + secret[:43] + "\n",
		"alice_v1_" + strings.Repeat("x", 72) + secret, // P28
	} {
		require.False(t, p.Recognizes(bad), bad)
		_, err := p.Derive(t.Context(), bad)
		require.Error(t, err)
	}
	require.Zero(t, testing.AllocsPerRun(100, func() { p.Recognizes(rows[0].Token) }))
}

// FuzzPostman holds that what is recognised is spelled back to itself from its parts, so that no two
// spellings are one token, and that it can stand in a header.
func FuzzPostman(f *testing.F) {
	const secret = "f7BZybYzx96wr+OYaq95UENTGAtZ4bzigvCO/zidSYr5"
	for _, token := range []string{
		"alice_v1_" + secret, "alice_v1_" + secret[:42] + "B=", "tan.ah-kow+x_v1_" + secret, "alice_v1_" + secret[:42] + "==", "alice_v1_" + secret + "_x", "a_b_v1_" + secret,
		"alice_v1_" + secret[:40] + "\r\n" + secret[42:], "alice_v1_" + strings.Repeat("A", 72), "alice_v1_" + strings.Repeat("A", 76), "_v1_" + secret,
	} {
		f.Add(token)
	}
	p, err := legacy.NewPostman("$2b$04$CCCCCCCCCCCCCCCCCCCCC.", "v1")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, token string) {
		if !p.Recognizes(token) {
			return
		}
		parts := strings.Split(token, "_")
		require.Len(t, parts, 3)
		raw, err := base64.StdEncoding.Strict().DecodeString(parts[2])
		require.NoError(t, err)
		require.Equal(t, token, parts[0]+"_v1_"+base64.StdEncoding.EncodeToString(raw))
		require.Regexp(t, `^[A-Za-z0-9._~+/-]{1,64}_v1_[A-Za-z0-9+/]+=*$`, token)
		kept, err := p.Derive(t.Context(), token)
		require.NoError(t, err)
		require.True(t, p.Keeps(kept), kept)
	})
}

// What is kept of no token would be taken over as a key that nothing opens.
func TestPostmanKeeps(t *testing.T) {
	salt, rows := servicetest.PostmanRows(t, vectors)
	p, err := legacy.NewPostman(salt, "v1")
	require.NoError(t, err)
	for _, row := range rows {
		require.True(t, p.Keeps(row.Row.Hash))
	}
	sum := rows[0].Row.Hash[len("alice_v1_"):]
	for _, bad := range []string{
		"", sum, "alice_v1_", "alice_v2_" + sum, "_v1_" + sum, "al_ice_v1_" + sum, strings.Repeat("n", 65) + "_v1_" + sum,
		"alice_v1_" + salt + sum, "alice_v1_" + sum[:30], "alice_v1_" + sum + "y", "alice_v1_" + sum + " ", " alice_v1_" + sum,
		"alice_v1_" + sum[:30] + "/", "alice_v1_" + sum[:30] + "+", "alice_v1_" + sum[:15] + "\n" + sum[15:],
	} {
		require.False(t, p.Keeps(bad), bad)
	}
}

func TestSHA256(t *testing.T) {
	s, err := legacy.NewSHA256(legacy.SHA256Config{Name: "sg-notify", Prefix: "sgn-", MinLen: 36, MaxLen: 40})
	require.NoError(t, err)
	require.Equal(t, "sg-notify", s.Name())
	token := "sgn-" + strings.Repeat("0aZ~", 8)
	for text, want := range map[string]bool{
		token: true, token + "1234": true, token + "12345": false, token[:35]: false, "SGN-" + token[4:]: false,
		token[:35] + "\n": false, token[:35] + " ": false, token[:35] + "\x7f": false, token[:34] + "é": false, "": false,
	} {
		require.Equal(t, want, s.Recognizes(text), text)
	}
	kept, err := s.Derive(t.Context(), token)
	require.NoError(t, err)
	sum := sha256.Sum256([]byte(token))
	require.Equal(t, hex.EncodeToString(sum[:]), kept)
	require.True(t, s.Keeps(kept))
	for _, bad := range []string{"", kept[:62], kept[:63], kept + "00", kept + " ", strings.ToUpper(kept), "x" + kept[1:]} {
		require.False(t, s.Keeps(bad), bad)
	}
	require.Zero(t, testing.AllocsPerRun(100, func() { s.Recognizes(token) }))

	for _, c := range []legacy.SHA256Config{
		{}, {Name: "a", MinLen: 20, MaxLen: 20}, {Prefix: "x", MinLen: 20, MaxLen: 20}, {Name: "a", Prefix: "x y", MinLen: 20, MaxLen: 20},
		{Name: "a", Prefix: "x", MinLen: 16, MaxLen: 20}, {Name: "a", Prefix: "x", MinLen: 20, MaxLen: 19}, {Name: "a", Prefix: "x", MinLen: 20, MaxLen: 1025},
		{Name: "a", Prefix: strings.Repeat("x", 65), MinLen: 100, MaxLen: 100},
	} {
		_, err := legacy.NewSHA256(c)
		require.Error(t, err)
	}
}

// A token that no scheme recognises costs what it did without schemes.
func TestMalformedAllocatesNothing(t *testing.T) {
	salt, rows := servicetest.PostmanRows(t, vectors)
	p, err := legacy.NewPostman(salt, "v1")
	require.NoError(t, err)
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme_live", Legacy: []apikey.LegacyScheme{p}})
	require.NoError(t, err)
	ctx := t.Context()
	for _, token := range []string{"nonsense", rows[0].Token + "_x", "acme_live_01m83pph00zab5rrb146_RfHk7hp3ILTgK2y3mH3UqtmaFCrvkUb7keKpQPXNubf4e9wCZ"} {
		require.Zero(t, testing.AllocsPerRun(100, func() {
			if _, err := keys.Verify(ctx, token); err != apikey.ErrMalformed {
				t.Error("not malformed")
			}
		}))
	}
}
