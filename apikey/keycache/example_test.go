package keycache_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/keycache"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/memstore"
)

func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme_live"})
	if err != nil {
		log.Fatal(err)
	}
	token, key, err := keys.Issue(ctx, apikey.Request{Owner: "user_42", Label: "HR reminders"})
	if err != nil {
		log.Fatal(err)
	}

	cache, err := keycache.New(keys, keycache.Config{
		MaxAge: 10 * time.Second, // how long a key that another process revoked may go on opening
	})
	if err != nil {
		log.Fatal(err)
	}
	go cache.Run(ctx) // asks every second what other processes changed, so that it mostly is one
	guard := bearer.New(cache, bearer.Config{Realm: "acme"})
	mux := http.NewServeMux()
	mux.Handle("GET /emails", guard.Handler(http.NotFoundHandler()))

	for range 100 {
		if _, err := cache.Verify(ctx, token.Reveal()); err != nil {
			log.Fatal(err)
		}
	}
	stats := cache.Stats()
	fmt.Println("mostly from memory:", stats.Hits > 10*stats.Loads)

	if _, err := keys.Revoke(ctx, apikey.Ref{Owner: "user_42", ID: key.ID}, "left the team"); err != nil {
		log.Fatal(err)
	}
	_, err = cache.Verify(ctx, token.Reveal()) // in this process at once
	fmt.Println(err != nil)
	// Output:
	// mostly from memory: true
	// true
}
