package legacy_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strconv"
	"time"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/legacy"
	"github.com/opengovsg/latchkey/memstore"
	"github.com/opengovsg/latchkey/store"
)

func Example() {
	ctx := context.Background()
	st := new(memstore.Store)
	salt := "$2b$10$P3jUf//c43y8BJSTgM.bWe"
	type oldRow struct {
		ID                  int
		UserID, Hash, Label string
		LastFive            string
		Contacts            []string
		CreatedAt, ValidTo  time.Time
	}
	oldRows := []oldRow{{
		2, "user_101", "moh2_v1_JpiORRBBE/iurr1grk5taGOZ1.id6jK", "team 2", "k11c7", []string{"team1@agency.gov.sg"},
		time.Date(2026, 11, 1, 1, 2, 3, 0, time.UTC), time.Date(2027, 5, 24, 8, 0, 0, 0, time.UTC),
	}}
	now := func() time.Time { return time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC) }

	postman, err := legacy.NewPostman(salt, "v1") // or NewSHA256 and its SHA256Config, where the SHA-256 of the token was kept
	if err != nil {
		log.Fatal(err)
	}
	config := apikey.Config{Prefix: "postman_live", Legacy: []apikey.LegacyScheme{postman}}
	config.Now = now
	keys, err := apikey.New(st, config)
	if err != nil {
		log.Fatal(err)
	}
	for _, row := range oldRows { // of keys that are neither expired nor deleted
		rec, err := keys.LegacyRecord(apikey.LegacyKey{
			Scheme:    postman.Name(),
			OldID:     strconv.Itoa(row.ID),
			Kept:      row.Hash,
			Owner:     row.UserID,
			Label:     row.Label,
			Hint:      row.LastFive,
			Contacts:  row.Contacts,
			CreatedAt: row.CreatedAt,
			ExpiresAt: row.ValidTo,
		})
		if err != nil {
			log.Fatal(err)
		}
		err = st.Create(ctx, rec, 0)
		if err != nil && !errors.Is(err, store.ErrExists) { // which was taken over before
			log.Fatal(err)
		}
	}

	key, err := keys.Verify(ctx, "moh2_v1_6kH1dte7z7b9Src0v2LciXfMiS+ywmpopocH0i7k11c7")
	fmt.Println(key.Owner, key.Label, err)
	// Output: user_101 team 2 <nil>
}
