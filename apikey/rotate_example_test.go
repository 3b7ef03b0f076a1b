package apikey_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
)

// The old token goes on until the new one is in use, and for its grace from then on.
func ExampleService_Rotate() {
	ctx := context.Background()
	now := time.Date(2026, time.March, 1, 9, 30, 0, 0, time.UTC)
	keys, err := apikey.New(new(memstore.Store), apikey.Config{
		Prefix: "acme_live",
		Now:    func() time.Time { return now },
	})
	if err != nil {
		log.Fatal(err)
	}
	old, seen, err := keys.Issue(ctx, apikey.Request{Owner: "user_42", Label: "HR reminders"})
	if err != nil {
		log.Fatal(err)
	}

	token, key, err := keys.Rotate(ctx, apikey.Ref{Owner: "user_42", ID: seen.ID}, apikey.Rotation{
		Grace: 24 * time.Hour, // of the old token, from the first use of the new one
		Hint:  seen.Hint,      // as its owner saw it: of two who press the button at once, one wins
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the same key:", key.ID == seen.ID)

	try := func(which string, token apikey.Token) {
		key, err := keys.Verify(ctx, token.Reveal())
		switch {
		case errors.Is(err, apikey.ErrSuperseded):
			fmt.Println(which, "is refused")
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println(which, "works until", key.TokenExpiresAt().Format(time.DateOnly))
		}
	}
	try("the old token", old)
	try("the new token", token) // and the grace begins
	try("the old token", old)
	now = now.AddDate(0, 0, 2)
	try("the old token", old)
	try("the new token", token)
	// Output:
	// the same key: true
	// the old token works until 2026-08-28
	// the new token works until 2026-08-28
	// the old token works until 2026-03-02
	// the old token is refused
	// the new token works until 2026-08-28
}
