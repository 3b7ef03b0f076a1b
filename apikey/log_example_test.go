package apikey_test

import (
	"context"
	"log"
	"log/slog"
	"os"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
)

// withoutTimes makes a handler whose output is the same every time.
func withoutTimes() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if a.Value.Kind() == slog.KindTime || a.Key == "id" {
				return slog.Attr{}
			}
			return a
		},
	}))
}

func ExampleLogEvents() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	st, logger := new(memstore.Store), withoutTimes()

	keys, err := apikey.New(st, apikey.Config{
		Prefix:   "acme_live",
		Observer: apikey.LogEvents(logger),
	})
	if err != nil {
		log.Fatal(err)
	}
	go keys.Run(ctx) // until the last request is served

	_, key, err := keys.Issue(ctx, apikey.Request{Owner: "user_42", Label: "HR reminders"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := keys.Revoke(ctx, apikey.Ref{Owner: "user_42", ID: key.ID}, "left the team"); err != nil {
		log.Fatal(err)
	}
	// Output:
	// level=INFO msg="API key event" event=issued key.owner=user_42 key.label="HR reminders"
	// level=INFO msg="API key event" event=revoked key.owner=user_42 key.label="HR reminders" reason="left the team"
}
