// Package legacy has schemes for keys that earlier systems issued: they tell a service which tokens are
// those systems', and what those systems kept of them.
//
//	postman, err := legacy.NewPostman(salt, "v1")
//	keys, err := apikey.New(st, apikey.Config{Prefix: "postman_live", Legacy: []apikey.LegacyScheme{postman}})
//
// An importer makes a record of each old row with [apikey.Service.LegacyRecord]. From then on old tokens
// open their keys. The first use of each is as slow as it was in the earlier system; what that system
// kept is then replaced by a hash like that of any other key.
//
// It is apart from package apikey because it alone needs golang.org/x/crypto, and algorithms that FIPS
// 140-3 does not have.
package legacy
