package main

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/memstore"
)

func main() {
	// Keys live in a store: here in memory, in production in your SQL database.
	keys, err := apikey.New(new(memstore.Store), apikey.Config{
		Prefix: "acme_live",
		Scopes: []string{"email:send"},
	})
	if err != nil {
		log.Fatal(err)
	}

	// An owner asks for a key and sees its token this once. The store keeps a hash.
	token, key, err := keys.Issue(context.Background(), apikey.Request{
		Owner:  "user_42",
		Label:  "HR reminders",
		Scopes: []string{"email:send"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("curl -X POST -H 'Authorization: Bearer %s' http://127.0.0.1:8080/emails\n", token.Reveal())
	fmt.Println("expires", key.ExpiresAt)

	// A guard lets a handler run for a good key with the scope, and for nothing else.
	guard := bearer.New(keys, bearer.Config{Realm: "acme"})
	http.Handle("POST /emails", guard.Require("email:send")(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			key, _ := apikey.FromContext(r.Context())
			fmt.Fprintf(w, "sending for %s with %q\n", key.Owner, key.Label)
		})))
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
}
