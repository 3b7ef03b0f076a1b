package reminder_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/apikey/reminder"
	"github.com/opengovsg/latchkey/memstore"
)

// A job that runs every day, over the last days of a key that nobody looks after.
func Example() {
	ctx := context.Background()
	today := time.Date(2026, time.March, 1, 9, 30, 0, 0, time.UTC)
	now := func() time.Time { return today }
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme_live", Now: now})
	if err != nil {
		log.Fatal(err)
	}
	_, _, err = keys.Issue(ctx, apikey.Request{
		Owner:     "user_42",
		Label:     "HR reminders",
		Contacts:  []string{"hr@agency.gov.sg"},
		ExpiresIn: 30 * 24 * time.Hour,
	})
	if err != nil {
		log.Fatal(err)
	}

	mail := reminder.NotifierFunc(func(ctx context.Context, n reminder.Notice) error {
		fmt.Printf("%s, days left: %d, to %s: %q ends on %s\n", today.Format("Jan 2"),
			n.DaysLeft, n.Contacts, n.Key.Label, n.ExpiresAt.Format("Monday, January 2 at 15:04"))
		return nil
	})
	singapore := time.FixedZone("Singapore", 8*60*60)
	r, err := reminder.New(keys, mail, reminder.Config{Location: singapore, Now: now})
	if err != nil {
		log.Fatal(err)
	}
	for range 30 {
		if _, err := r.Once(ctx); err != nil {
			log.Print(err) // and the next one tries again
		}
		today = today.Add(24 * time.Hour)
	}
	// Output:
	// Mar 3, days left: 28, to [hr@agency.gov.sg]: "HR reminders" ends on Tuesday, March 31 at 17:30
	// Mar 17, days left: 14, to [hr@agency.gov.sg]: "HR reminders" ends on Tuesday, March 31 at 17:30
	// Mar 28, days left: 3, to [hr@agency.gov.sg]: "HR reminders" ends on Tuesday, March 31 at 17:30
	// Mar 30, days left: 1, to [hr@agency.gov.sg]: "HR reminders" ends on Tuesday, March 31 at 17:30
}

// A plan shows what would be sent, and whom nobody can tell.
func ExampleReminder_Plan() {
	ctx := context.Background()
	now := time.Date(2026, time.March, 1, 9, 30, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme_live", Now: clock})
	if err != nil {
		log.Fatal(err)
	}
	for _, label := range []string{"HR reminders", "payroll"} {
		if _, _, err := keys.Issue(ctx, apikey.Request{Owner: "user_42", Label: label, ExpiresIn: 90 * 24 * time.Hour}); err != nil {
			log.Fatal(err)
		}
	}
	now = now.Add(87 * 24 * time.Hour)

	r, err := reminder.New(keys, reminder.NotifierFunc(send), reminder.Config{
		Now: clock,
		// The key itself names nobody, and the application knows whose it is.
		Fallback: func(_ context.Context, key apikey.Key) ([]string, error) {
			return []string{key.Owner + "@agency.gov.sg"}, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	for n, err := range r.Plan(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%q, days left: %d, to %s\n", n.Key.Label, n.DaysLeft, n.Contacts)
	}
	// Unordered output:
	// "payroll", days left: 3, to [user_42@agency.gov.sg]
	// "HR reminders", days left: 3, to [user_42@agency.gov.sg]
}

// send is what an application sends its mails with.
func send(context.Context, reminder.Notice) error { return nil }

// In a server, Run goes beside the server, in every instance of it.
func ExampleReminder_Run() {
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme_live"})
	if err != nil {
		log.Fatal(err)
	}
	singapore := time.FixedZone("Singapore", 8*60*60)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	r, err := reminder.New(keys, reminder.NotifierFunc(send), reminder.Config{
		Milestones: []int{28, 14, 3, 1}, // days ahead, which are the default
		Location:   singapore,           // where the days are counted
		OnPass: func(report reminder.Report, err error) {
			slog.Info("reminders", "report", report.String(), "err", err)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	go r.Run(ctx)
}
