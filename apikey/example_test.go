package apikey_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"regexp"
	"strings"
	"time"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store/storetest"
)

// newKeys returns a service, and the token and the key that its one owner has.
func newKeys() (*apikey.Service, apikey.Token, apikey.Key) {
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme_live"})
	if err != nil {
		log.Fatal(err)
	}
	token, key, err := keys.Issue(context.Background(), apikey.Request{
		Owner:    "user_42",
		Label:    "HR reminders",
		Contacts: []string{"hr@agency.gov.sg"},
	})
	if err != nil {
		log.Fatal(err)
	}
	return keys, token, key
}

func Example() {
	ctx := context.Background()
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme_live"})
	if err != nil {
		log.Fatal(err)
	}

	token, _, err := keys.Issue(ctx, apikey.Request{Owner: "user_42", Label: "HR reminders"})
	if err != nil {
		log.Fatal(err)
	}
	presented := token.Reveal() // shown once, and sent by its holder from then on

	key, err := keys.Verify(ctx, presented)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key.Owner, key.Label)
	// Output:
	// user_42 HR reminders
}

func ExampleService_Issue() {
	keys, err := apikey.New(new(memstore.Store), apikey.Config{
		Prefix: "acme_live",
		Scopes: []string{"email:send", "email:read"},
		Now:    func() time.Time { return time.Date(2026, time.March, 1, 9, 30, 0, 0, time.UTC) },
	})
	if err != nil {
		log.Fatal(err)
	}

	token, key, err := keys.Issue(context.Background(), apikey.Request{
		Owner:     "user_42",
		Label:     "HR reminders",
		Scopes:    []string{"email:send"},
		Contacts:  []string{"hr@agency.gov.sg"},
		ExpiresIn: 90 * 24 * time.Hour,
	})
	if err != nil {
		log.Fatal(err)
	}

	// token.Reveal() is what to show to the owner, now or never. Printing the token does not.
	fmt.Println(token)
	fmt.Println(strings.HasSuffix(token.Reveal(), key.Hint))
	fmt.Println(key.Owner, key.Scopes(), key.ExpiresAt)
	// Output:
	// [redacted]
	// true
	// user_42 [email:send] 2026-05-30 09:30:00 +0000 UTC
}

// A refusal says that the token is no good. Any other error says that nobody could tell, and must
// not be taken for a refusal.
func ExampleService_Verify() {
	keys, token, _ := newKeys()
	answer := func(keys *apikey.Service, token string) {
		key, err := keys.Verify(context.Background(), token)
		switch {
		case err == nil:
			fmt.Println("200 hello", key.Owner)
		case errors.Is(err, apikey.ErrInvalid):
			fmt.Println("401", err)
		default:
			fmt.Println("503", err)
		}
	}
	answer(keys, token.Reveal())
	answer(keys, token.Reveal()+"?")

	down := keys.WithStore(storetest.Failing(errors.New("connection refused")))
	answer(down, token.Reveal())
	// Output:
	// 200 hello user_42
	// 401 apikey: invalid token: malformed
	// 503 apikey: unavailable: connection refused
}

func ExampleService_List() {
	ctx := context.Background()
	clock := time.Date(2026, time.March, 1, 9, 30, 0, 0, time.UTC)
	keys, err := apikey.New(new(memstore.Store), apikey.Config{
		Prefix: "acme_live",
		Now:    func() time.Time { clock = clock.Add(time.Second); return clock },
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, label := range []string{"first", "second", "third", "fourth", "fifth"} {
		if _, _, err := keys.Issue(ctx, apikey.Request{Owner: "user_42", Label: label}); err != nil {
			log.Fatal(err)
		}
	}

	page := apikey.Page{Limit: 2}
	for {
		listing, err := keys.List(ctx, "user_42", page)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("a page:")
		for _, key := range listing.Keys {
			fmt.Println(key.Label)
		}
		if listing.Next == "" {
			break
		}
		page.After = listing.Next // what a web page puts into its link to the next one
	}
	// Output:
	// a page:
	// fifth
	// fourth
	// a page:
	// third
	// second
	// a page:
	// first
}

func ExampleService_All() {
	keys, _, _ := newKeys()
	for key, err := range keys.All(context.Background(), "user_42") {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(key.Label, key.State(time.Now()))
	}
	// Output:
	// HR reminders active
}

func ExampleService_Update() {
	ctx := context.Background()
	keys, _, key := newKeys()
	key, err := keys.Update(ctx, apikey.Ref{Owner: "user_42", ID: key.ID}, apikey.Changes{
		Contacts: []string{"hr@agency.gov.sg", "payroll@agency.gov.sg"}, // and the label stays
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(key.Label, key.Contacts())

	_, err = keys.Update(ctx, apikey.Ref{Owner: "user_43", ID: key.ID}, apikey.Changes{Label: new("mine")})
	fmt.Println(errors.Is(err, apikey.ErrNotFound))
	// Output:
	// HR reminders [hr@agency.gov.sg payroll@agency.gov.sg]
	// true
}

func ExampleService_Revoke() {
	ctx := context.Background()
	keys, token, key := newKeys()
	ref := apikey.Ref{Owner: "user_42", ID: key.ID}
	for _, reason := range []string{"left the team", "no longer needed"} {
		key, err := keys.Revoke(ctx, ref, reason)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(key.RevokedReason) // the first one stays
	}

	_, err := keys.Verify(ctx, token.Reveal())
	fmt.Println(errors.Is(err, apikey.ErrRevoked))
	// Output:
	// left the team
	// left the team
	// true
}

// A pepper is replaced by putting a new one first. It writes from then on, the old one still
// verifies, and each key is rehashed when it is next used. Once all are, the old one may go.
func ExampleConfig_peppers() {
	ctx := context.Background()
	// 32 random bytes each, in truth, from where the application keeps its secrets.
	oldPepper, err := apikey.NewPepper([]byte("an example of a pepper, 32 bytes"))
	if err != nil {
		log.Fatal(err)
	}
	newPepper, err := apikey.NewPepper([]byte("another one, and this is 32 long"))
	if err != nil {
		log.Fatal(err)
	}

	st := new(memstore.Store)
	before, err := apikey.New(st, apikey.Config{Prefix: "acme_live", Peppers: []apikey.Pepper{oldPepper}})
	if err != nil {
		log.Fatal(err)
	}
	token, _, err := before.Issue(ctx, apikey.Request{Owner: "user_42", Label: "HR reminders"})
	if err != nil {
		log.Fatal(err)
	}

	keys, err := apikey.New(st, apikey.Config{
		Prefix:  "acme_live",
		Peppers: []apikey.Pepper{newPepper, oldPepper},
	})
	if err != nil {
		log.Fatal(err)
	}
	key, err := keys.Verify(ctx, token.Reveal())
	fmt.Println(key.Label, err)
	// Output:
	// HR reminders <nil>
}

// A pattern finds what looks like a token in text, and parsing tells which of it is one.
func ExampleFormat_Pattern() {
	format, err := apikey.NewFormat("postman_live")
	if err != nil {
		log.Fatal(err)
	}
	text := `
		api_key: postman_live_01m83pph00zab5rrb146_RfHk7hp3ILTgK2y3mH3UqtmaFCrvkUb7keKpQPXNubf4e9wCY
		example: postman_live_xxxxxxxxxxxxxxxxxxxx_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
	`

	for _, found := range regexp.MustCompile(format.Pattern()).FindAllString(text, -1) {
		id, err := format.Parse(found)
		if err != nil {
			continue // a chance match, whose checksum is wrong
		}
		fmt.Println("leaked:", id) // Service.Revoke(ctx, apikey.AnyOwner(id), "leaked") ends it
	}
	// Output:
	// leaked: 01m83pph00zab5rrb146
}

// A key that issues further keys can't hand out more than it has itself.
func ExampleKey_Ceiling() {
	ctx := context.Background()
	keys, err := apikey.New(new(memstore.Store), apikey.Config{
		Prefix: "acme_live",
		Scopes: []string{"email:send", "email:read", "report:read"},
	})
	if err != nil {
		log.Fatal(err)
	}
	_, issuer, err := keys.Issue(ctx, apikey.Request{
		Owner:     "user_42",
		Label:     "deployment",
		Scopes:    []string{"email:send", "email:read"},
		ExpiresIn: 24 * time.Hour,
	})
	if err != nil {
		log.Fatal(err)
	}

	issue := func(scope string) (apikey.Key, error) {
		_, key, err := keys.Issue(ctx, apikey.Request{
			Owner:   issuer.Owner,
			Label:   "one machine",
			Scopes:  []string{scope},
			Ceiling: issuer.Ceiling(),
		})
		return key, err
	}
	key, err := issue("email:send")
	fmt.Println(key.Scopes(), !key.ExpiresAt.After(issuer.ExpiresAt), err)
	_, err = issue("report:read")
	fmt.Println(err)
	// Output:
	// [email:send] true <nil>
	// apikey: beyond what may be granted: number 1 of Scopes is not among the issuer's own
}
