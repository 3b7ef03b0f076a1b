package store_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/store"
	"github.com/opengovsg/latchkey/store/storetest"
)

// A hurried store gives up on reads that take too long, so that a database that hangs does not hold
// on to requests. It embeds a store and passes all other methods on as they are.
type hurried struct {
	store.Store
	patience time.Duration
}

func (h hurried) Get(ctx context.Context, id string) (store.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, h.patience)
	defer cancel()
	return h.Store.Get(ctx, id)
}

// A store that changes how one method works embeds another one.
func ExampleStore() {
	hanging := storetest.Hanging() // stands for a database that does not answer
	keys, err := apikey.New(hurried{hanging, time.Millisecond}, apikey.Config{Prefix: "postman_live"})
	if err != nil {
		log.Fatal(err)
	}

	_, err = keys.Verify(context.Background(),
		"postman_live_01m83pph00zab5rrb146_RfHk7hp3ILTgK2y3mH3UqtmaFCrvkUb7keKpQPXNubf4e9wCY")
	fmt.Println(err)
	fmt.Println(errors.Is(err, apikey.ErrInvalid), errors.Is(err, context.DeadlineExceeded))
	// Output:
	// apikey: unavailable: context deadline exceeded
	// false true
}
