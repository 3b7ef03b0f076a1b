package apikey

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// vectors are tokens and hashes computed by an independent implementation.
type vectors struct {
	Peppers []struct {
		KeyHex string `json:"key_hex"`
		ID     string `json:"id"`
	} `json:"peppers"`
	Accept []struct {
		Token    string   `json:"token"`
		Prefix   string   `json:"prefix"`
		ID       string   `json:"id"`
		UnixMS   int64    `json:"id_unix_ms"`
		Secret   string   `json:"secret"`
		Checksum string   `json:"checksum"`
		SHA256   string   `json:"sha256_hex"`
		HMAC     []string `json:"hmac_sha256_hex"`
	} `json:"accept"`
	Reject []struct {
		Token  string `json:"token"`
		Prefix string `json:"prefix"`
		Why    string `json:"why"`
	} `json:"reject"`
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	text, err := os.ReadFile("testdata/token.json")
	require.NoError(t, err)
	var v vectors
	require.NoError(t, json.Unmarshal(text, &v))
	require.NotEmpty(t, v.Accept)
	require.NotEmpty(t, v.Reject)
	return v
}

func mustFormat(t testing.TB, prefix string) Format {
	t.Helper()
	f, err := NewFormat(prefix)
	require.NoError(t, err)
	return f
}

func TestVectorsAccept(t *testing.T) {
	v := readVectors(t)
	var peppers []Pepper
	for _, p := range v.Peppers {
		key, err := hex.DecodeString(p.KeyHex)
		require.NoError(t, err)
		pepper, err := NewPepper(key)
		require.NoError(t, err)
		require.Equal(t, p.ID, pepper.ID())
		peppers = append(peppers, pepper)
	}
	h, err := newHasher(peppers)
	require.NoError(t, err)

	for _, a := range v.Accept {
		f := mustFormat(t, a.Prefix)
		id, secret, ok := f.parse(a.Token)
		require.True(t, ok, a.Token)
		require.Equal(t, a.ID, id)
		require.Equal(t, a.Secret, secret)
		require.Equal(t, a.Checksum, a.Token[len(a.Token)-checksumLen:])
		require.Equal(t, a.Token, f.join(a.ID, a.Secret))
		require.Equal(t, a.ID[:idTimeLen], newID(time.UnixMilli(a.UnixMS), make([]byte, idLen))[:idTimeLen])

		public, err := f.Parse(a.Token)
		require.NoError(t, err)
		require.Equal(t, a.ID, public)

		d, known := h.sum(schemeSHA256, a.Secret)
		require.True(t, known)
		require.Equal(t, a.SHA256, hex.EncodeToString(d[:]))
		for i, want := range a.HMAC {
			d, known := h.sum(schemeHMAC+peppers[i].ID(), a.Secret)
			require.True(t, known)
			require.Equal(t, want, hex.EncodeToString(d[:]))
		}
	}
}

func TestVectorsReject(t *testing.T) {
	for _, r := range readVectors(t).Reject {
		_, err := mustFormat(t, r.Prefix).Parse(r.Token)
		require.ErrorIs(t, err, ErrMalformed, r.Why)
	}
}

// TestOneSpelling changes a token in every way that a hand or a program does (rows P1 to P5 and P8
// to P14) and expects none of the results to parse.
func TestOneSpelling(t *testing.T) {
	a := readVectors(t).Accept[0]
	f, token := mustFormat(t, a.Prefix), a.Token
	refuse := func(row, token string) {
		t.Helper()
		_, err := f.Parse(token)
		require.ErrorIs(t, err, ErrMalformed, "%s: %q", row, token)
	}
	const b64token = secretAlphabet + "-._~+/="

	for i := range len(token) {
		refuse("P1 prefix of a token", token[:i])
		refuse("P4 deletion", token[:i]+token[i+1:])
		refuse("P4 duplication", token[:i+1]+token[i:])
		for _, c := range []byte(b64token) {
			if c != token[i] {
				refuse("P3 substitution", token[:i]+string(c)+token[i+1:])
			}
			refuse("P2 insertion", token[:i]+string(c)+token[i:])
		}
		if i > 0 && token[i] != token[i-1] {
			refuse("P4 swap", token[:i-1]+token[i:i+1]+token[i-1:i]+token[i+1:])
		}
		if flipped := flipCase(token[i]); flipped != token[i] {
			refuse("P5 one letter's case", token[:i]+string(flipped)+token[i+1:])
		}
	}
	for _, c := range []byte(b64token) {
		refuse("P2 one character more", token+string(c))
	}
	refuse("P2 twice", token+token)
	refuse("P2 a further part", token+"_x")
	refuse("P5 upper", strings.ToUpper(token))
	refuse("P5 lower", strings.ToLower(token))
	refuse("P8 zero checksum", token[:len(token)-checksumLen]+"000000")
	refuse("P8 checksum past 32 bits", token[:len(token)-checksumLen]+"zzzzzz")
	padded := readVectors(t).Accept[8].Token
	refuse("P8 unpadded checksum", strings.Replace(padded, "004fpF", "4fpF", 1))
	refuse("P10 newline inside", token[:40]+"\r\n"+token[40:])
	refuse("P14 separators", strings.Repeat("_", len(token)))
	refuse("P14 no id", f.join("", a.Secret))
	refuse("P14 no secret", f.join(a.ID, ""))
	refuse("A30 separators", strings.Repeat("_", 1_000_000))

	// What the checksum can't tell, since it is computed over what follows, the alphabets must.
	for _, id := range []string{"../../../etc/passwd0", "%%%%%%%%%%%%%%%%%%%%", "01m83pph00zab5rrb14I", "01m83pph00zab5rrb14u", "' OR 1=1--__________"} {
		require.Len(t, id, idLen)
		refuse("P15 id", f.join(id, a.Secret))
	}
	for _, c := range []byte("-.~+/=_ \x00\n") {
		refuse("P9 secret", f.join(a.ID, a.Secret[1:]+string(c)))
	}
}

func flipCase(c byte) byte {
	switch {
	case 'a' <= c && c <= 'z':
		return c - 'a' + 'A'
	case 'A' <= c && c <= 'Z':
		return c - 'A' + 'a'
	}
	return c
}

func TestParseAllocatesNothing(t *testing.T) {
	v := readVectors(t)
	f := mustFormat(t, v.Accept[0].Prefix)
	inputs := []string{v.Accept[0].Token, strings.Repeat(".", 1_000_000)}
	for _, r := range v.Reject {
		inputs = append(inputs, r.Token)
	}
	require.Zero(t, testing.AllocsPerRun(10, func() {
		for _, token := range inputs {
			f.Parse(token)
		}
	}))
}

func TestNewFormat(t *testing.T) {
	for _, prefix := range []string{"a", "k9", "postman_live", "ab_cd_ef", "a_1", strings.Repeat("x", 32)} {
		f, err := NewFormat(prefix)
		require.NoError(t, err)
		require.Equal(t, prefix, f.Prefix())
	}
	for _, prefix := range []string{"", "_", "a_", "_a", "a__b", "A", "9a", "a-b", "a b", "é", "aé", "a{", "a`", "{a", "a_:", "a/", "a\x00", "a_B", strings.Repeat("x", 33)} {
		_, err := NewFormat(prefix)
		require.ErrorIs(t, err, ErrInvalidArgument, "%q", prefix)
	}
	_, err := Format{}.Parse("_01m83pph00zab5rrb146_RfHk7hp3ILTgK2y3mH3UqtmaFCrvkUb7keKpQPXNubf1DZ5bW")
	require.ErrorIs(t, err, ErrMalformed, "the zero Format must parse nothing")
	_, err = Format{}.Parse(Format{}.join("01m83pph00zab5rrb146", strings.Repeat("0", secretLen)))
	require.ErrorIs(t, err, ErrMalformed, "not even what it spells itself")
}

// TestPattern finds tokens as they lie about in the world, and in nothing else.
func TestPattern(t *testing.T) {
	v := readVectors(t)
	f := mustFormat(t, "postman_live")
	re := regexp.MustCompile(f.Pattern())
	a, b := v.Accept[0].Token, v.Accept[6].Token
	for _, leak := range []string{
		"%s", `key = "%s"`, "https://example.com/?k=%s&x=1", "Authorization: Bearer %s", "key: %s\n", `{"key":"%s"}`,
		"secret-token:%s", "it was %s.", "%s_suffix", "prefix_%s", "KEY=%s;", "<b>%s</b>", "'%s',",
	} {
		require.Equal(t, []string{a}, re.FindAllString(strings.ReplaceAll(leak, "%s", a), -1), leak)
	}
	require.Equal(t, []string{a, b}, re.FindAllString(a+" "+b, -1), "neighbours")
	require.Equal(t, []string{a, b}, re.FindAllString(a+b, -1), "glued neighbours")
	for _, r := range v.Reject {
		for _, found := range re.FindAllString(r.Token, -1) {
			if found == a {
				continue // a token with something before or behind it, which a scanner should find
			}
			_, err := f.Parse(found)
			require.ErrorIs(t, err, ErrMalformed, "%s: the checksum must refuse what the pattern can't", r.Why)
		}
	}
	for _, other := range []string{"", "postman_live", strings.ToUpper(a), v.Accept[1].Token, a[:len(a)-1],
		strings.Replace(a, "01m8", "0im8", 1), strings.Replace(a, "01m8", "0lm8", 1), strings.Replace(a, "01m8", "0om8", 1), strings.Replace(a, "01m8", "0um8", 1),
	} {
		require.Empty(t, re.FindAllString(other, -1), other)
	}
}

// FuzzParse holds the law of the format: whatever parses formats back to itself.
func FuzzParse(f *testing.F) {
	v := readVectors(f)
	for _, a := range v.Accept {
		f.Add(a.Prefix, a.Token)
	}
	for _, r := range v.Reject {
		f.Add(r.Prefix, r.Token)
	}
	f.Fuzz(func(t *testing.T, prefix, token string) {
		format, err := NewFormat(prefix)
		if err != nil {
			return
		}
		id, secret, ok := format.parse(token)
		public, err := format.Parse(token)
		require.Equal(t, ok, err == nil)
		if !ok {
			require.Empty(t, public)
			return
		}
		require.Equal(t, token, format.join(id, secret))
		require.True(t, validID(public))
		require.Regexp(t, "^"+format.Pattern()+"$", token)
	})
}
