package main

import (
	"context"
	"time"

	"github.com/opengovsg/latchkey/apikey"
)

// makeSamples makes a database with keys of every sort, as if they had been issued long ago.
func makeSamples(ctx context.Context, path, prefix string) (err error) {
	now := time.Now().UTC() // whose days have 24 hours
	db, keys, err := open(ctx, path, prefix, func() time.Time { return now })
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := db.Close(); err == nil {
			err = closeErr
		}
	}()
	today := now
	issue := func(label string, daysLeft int, contacts ...string) (apikey.Ref, error) {
		const life = 180
		now = today.AddDate(0, 0, daysLeft-life)
		_, key, err := keys.Issue(ctx, apikey.Request{
			Owner:     "team_hr",
			Label:     label,
			Contacts:  contacts,
			ExpiresIn: life * 24 * time.Hour,
		})
		now = today
		return apikey.Ref{Owner: key.Owner, ID: key.ID}, err
	}
	for _, sample := range []struct {
		label    string
		daysLeft int
		contacts []string
	}{
		{"Payroll: gaji & 工资 <live>", 3, []string{"payroll@agency.example", "siti@agency.example"}},
		{"Leave reminders", 13, []string{"hr@agency.example"}},
		{"Nobody's", 2, nil},
		{"Newsletter", 120, []string{"news@agency.example"}},
	} {
		if _, err := issue(sample.label, sample.daysLeft, sample.contacts...); err != nil {
			return err
		}
	}
	revoked, err := issue("Old intranet", 1, "intranet@agency.example")
	if err != nil {
		return err
	}
	if _, err := keys.Revoke(ctx, revoked, "replaced"); err != nil {
		return err
	}
	rotated, err := issue("Appointments", 1, "appointments@agency.example")
	if err != nil {
		return err
	}
	now = today.AddDate(0, 0, -10) // and nobody has used the new token since
	_, _, err = keys.Rotate(ctx, rotated, apikey.Rotation{})
	return err
}
