package reminder

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/opengovsg/latchkey/apikey"
)

// A Notifier tells people of a key.
type Notifier interface {
	// Notify tells the contacts of the notice, and returns nil once that is done or sure to be done. An
	// error, or a panic, means that they were not told, and the next pass tries again. The context ends
	// after two minutes, and Notify must return soon after. It must be safe for concurrent use if
	// several passes may run at a time.
	Notify(ctx context.Context, n Notice) error
}

// A NotifierFunc is a function that is a [Notifier].
type NotifierFunc func(ctx context.Context, n Notice) error

// Notify calls f.
func (f NotifierFunc) Notify(ctx context.Context, n Notice) error { return f(ctx, n) }

// A Notice is what to tell people of a key. It holds no secret, and prints and logs without the
// contacts' addresses.
type Notice struct {
	Key apikey.Key

	// Contacts are whom to tell: the key's, or Config.Fallback's where it has none. There is at least
	// one.
	Contacts []string

	// ExpiresAt is when what people use stops working, as Key.EndsAt tells, in Config.Location.
	ExpiresAt time.Time

	// DaysLeft is how many calendar days ahead that is in Config.Location: 0 today, 1 tomorrow. It is
	// less than Milestone where the notice is late.
	DaysLeft int

	// Pending says that the key was rotated and that nobody has used the new token yet. It is the old
	// token that ends at ExpiresAt, and Key.Handover tells about it; the key itself goes on.
	Pending bool

	// Milestone is the one of Config.Milestones that is due.
	Milestone int
}

// String tells on one line that is fit for a terminal what the notice is about, and how many contacts
// there are.
func (n Notice) String() string {
	what := "ends"
	if n.Pending {
		what = "not used since it was rotated, the old token ends"
	}
	contacts := "1 contact"
	if len(n.Contacts) != 1 {
		contacts = fmt.Sprintf("%d contacts", len(n.Contacts))
	}
	// Quoted, since what people chose may hold characters that a terminal would act on.
	return fmt.Sprintf("key %s %q of %q: %s %s, on %s; %s", n.Key.ID, n.Key.Label, n.Key.Owner, what,
		inDays(n.DaysLeft), n.ExpiresAt.Format("2006-01-02 15:04 -07:00"), contacts)
}

func inDays(n int) string {
	switch n {
	case 0:
		return "today"
	case 1:
		return "tomorrow"
	}
	return fmt.Sprintf("in %d days", n)
}

// LogValue implements [slog.LogValuer] with what identifies the notice.
func (n Notice) LogValue() slog.Value {
	return slog.GroupValue(
		slog.Any("key", n.Key),
		slog.Time("expires_at", n.ExpiresAt),
		slog.Int("days_left", n.DaysLeft),
		slog.Int("milestone", n.Milestone),
		slog.Bool("pending", n.Pending),
		slog.Int("contacts", len(n.Contacts)),
	)
}
