package bearer_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The law of FuzzAuthorization, spelled without the code. The classes of letters are spelled out since
// folding in package regexp goes beyond ASCII.
const scheme = `\A[ \t]*[Bb][Ee][Aa][Rr][Ee][Rr]`

var (
	// opens matches the values that reach the handler with a key.
	opens = regexp.MustCompile(scheme + ` +(` + good + `|` + other + `)[ \t]*\z`)

	// presents matches the values that are held to be bearer credentials, good or bad.
	presents = regexp.MustCompile(scheme + `([\x00- \x7f]|\z)`)
)

// FuzzAuthorization holds the guard to one law: nothing but an issued token, presented once, reaches
// the handler, and whatever else is sent is the client's fault and is answered as that.
func FuzzAuthorization(f *testing.F) {
	const maxSeed = 4 << 10
	for _, row := range rows() {
		var first, second string
		switch len(row.auth) {
		case 0:
			continue
		case 2:
			second = row.auth[1]
			fallthrough
		default:
			first = row.auth[0]
		}
		if len(first) <= maxSeed {
			f.Add(first, second, len(row.auth) == 2)
		}
	}
	f.Add("Bearer "+good, "Bearer "+other, false)
	fixture := newFixture(f)
	handlers := map[string]http.Handler{
		"Handler":  fixture.guard.Handler(fixture.spy),
		"Optional": fixture.guard.Optional(fixture.spy),
	}
	f.Fuzz(func(t *testing.T, first, second string, repeated bool) {
		values := []string{first}
		if repeated {
			values = append(values, second)
		}
		opened := opens.FindStringSubmatch(first)
		for name, h := range handlers {
			fixture.reset()
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header["Authorization"] = values
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			saw, told := fixture.spy.saw(), fixture.told()

			switch {
			case opened != nil && !repeated:
				require.Equal(t, http.StatusOK, w.Code)
				require.Equal(t, 1, saw.calls)
				require.Equal(t, map[string]string{good: goodID, other: otherID}[opened[1]], saw.keyID)
				require.Empty(t, told)
			case name == "Optional" && !repeated && !presents.MatchString(first):
				require.Equal(t, http.StatusOK, w.Code)
				require.Equal(t, sight{calls: 1}, saw, "what carries no credentials passes without a key")
				require.Empty(t, told)
			default:
				require.Zero(t, saw.calls, "the handler ran without a good key")
				require.Contains(t, []int{http.StatusBadRequest, http.StatusUnauthorized}, w.Code)
				require.Equal(t, []string{"no-store"}, w.Header()["Cache-Control"])
				require.Len(t, told, 1)
				parseChallenge(t, w.Header().Get("WWW-Authenticate"))
				secretless(t, w.Body.String()+told[0].Error())
			}
		}
	})
}
