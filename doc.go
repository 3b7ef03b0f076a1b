// Package latchkey is documentation: the code is in the packages below it.
//
// latchkey gives a Go service API keys: it issues them, keeps only their hash, verifies them for
// one read of a store and a fraction of a microsecond, and guards any net/http handler with them.
//
//   - [github.com/opengovsg/latchkey/apikey] issues, verifies, lists, changes, rotates and revokes keys.
//   - [github.com/opengovsg/latchkey/apikey/keycache] answers most verifications from memory, within a stated bound.
//   - [github.com/opengovsg/latchkey/apikey/legacy] tells a service which tokens an earlier system issued.
//   - [github.com/opengovsg/latchkey/apikey/reminder] tells people ahead of time that their keys end.
//   - [github.com/opengovsg/latchkey/bearer] guards net/http handlers (RFC 6750).
//   - [github.com/opengovsg/latchkey/settings] is the page where people manage their keys, and its API.
//   - [github.com/opengovsg/latchkey/emaildomain] admits owners by the domain of their e-mail address.
//   - [github.com/opengovsg/latchkey/sqlstore] keeps keys in a SQL database of yours.
//   - [github.com/opengovsg/latchkey/memstore] keeps keys in memory.
//   - [github.com/opengovsg/latchkey/store] is the contract of a store, for those who write one, and
//     [github.com/opengovsg/latchkey/store/storetest] holds a store to it.
//
// # The words
//
// A key is what an owner has: an id, a label, scopes, an expiry, a state. Its token is the text that
// a client presents, shown once. The secret is the random part of a token. A record is what a store
// keeps: the key and the hash of its secret. An owner is whatever the application says: the id of a
// user or of a team.
//
// # The tour
//
// An application opens a store, makes an [github.com/opengovsg/latchkey/apikey.Service] on it, and
// puts a [github.com/opengovsg/latchkey/bearer.Guard] in front of its handlers:
//
//	keys, err := apikey.New(st, apikey.Config{Prefix: "acme_live", Scopes: []string{"email:send"}})
//	guard := bearer.New(keys, bearer.Config{Realm: "acme"})
//	mux.Handle("POST /emails", guard.Require("email:send")(sendEmail))
//
// A signed-in person asks for a key, and sees its token this once:
//
//	token, key, err := keys.Issue(ctx, apikey.Request{Owner: userID, Label: "HR reminders", Scopes: []string{"email:send"}})
//
// From then on, a client that sends the token reaches the handler, which asks
// [github.com/opengovsg/latchkey/apikey.FromContext] whose key it is.
//
// Sooner or later the token is replaced. Both work until the new one is in use, and the old one for
// its grace from then on:
//
//	token, key, err = keys.Rotate(ctx, apikey.Ref{Owner: userID, ID: key.ID}, apikey.Rotation{Grace: 24 * time.Hour})
//
// Beside its server the application starts one goroutine, which writes when keys were last used and
// tells apikey.Config.Observer what verifications found; apikey.LogEvents is an observer that logs:
//
//	go keys.Run(ctx)
//
// # Compatibility
//
// Tokens are for ever: every release verifies what every earlier one issued, and the format is
// versioned by its shape. So are stored records: a release reads what earlier ones wrote, and a
// change of schema comes as a numbered migration. Until version 1.0 exported Go names may change
// between minor versions, which the changelog says; after that they follow semantic versioning.
// Fields may be added to structs, so write them with field names.
package latchkey
