package settings_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/settings"
)

func Example() {
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme_live", Scopes: []string{"email:send"}})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()

	s, err := settings.New(keys, settings.Config{
		Owner:    signedIn, // asks your session: func(*http.Request) (owner string, err error)
		Scopes:   []string{"email:send"},
		Expiries: []time.Duration{180 * 24 * time.Hour, 30 * 24 * time.Hour},
	})
	if err != nil {
		log.Fatal(err)
	}
	mux.Handle("/settings/keys/", s.Page())
	mux.Handle("/api/keys/", s.API())

	for _, session := range []string{"alice-session", ""} {
		r := httptest.NewRequest("GET", "/api/keys/", nil)
		r.AddCookie(&http.Cookie{Name: "session", Value: session})
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 []
	// 401 {"code":"unauthenticated","message":"Sign in first."}
}
