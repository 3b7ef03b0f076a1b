package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/opengovsg/latchkey/apikey/reminder"
	"github.com/opengovsg/latchkey/examples/postman/mail"
)

// remindBy returns a notifier that sends mails with a link to the settings.
func (s *service) remindBy(settings string) reminder.Notifier {
	return reminder.NotifierFunc(func(ctx context.Context, n reminder.Notice) error {
		// Each contact a mail of its own: nobody learns who else is told, and one that is refused keeps no
		// other from being told. It succeeds once somebody was told, who would otherwise be told again
		// every hour.
		told := 0
		for _, contact := range n.Contacts {
			if s.mail.Send(ctx, reminderLetter(n, contact, settings)) == nil {
				told++
			}
		}
		if told == 0 {
			return errors.New("no contact could be told") // the reasons name the addresses
		}
		if told < len(n.Contacts) {
			s.log.Warn("not all contacts could be told", "key", n.Key.ID, "told", told, "contacts", len(n.Contacts))
		}
		return nil
	})
}

// reminderLetter is the mail to one contact. A label is no place for a link: whoever chooses one would have
// mail with it sent from the service's own address.
func reminderLetter(n reminder.Notice, contact, settings string) mail.Message {
	label := strings.NewReplacer("://", " // ", "www.", "www ", "WWW.", "WWW ").Replace(n.Key.Label)
	when := map[int]string{0: "today", 1: "tomorrow"}[n.DaysLeft]
	if when == "" {
		when = fmt.Sprintf("in %d days", n.DaysLeft)
	}
	what, hint := "API key", n.Key.Hint
	do := "Replace the key, and put the new one wherever it is used. The old one goes on for a while\nafter the new one is first used. If nothing uses the key any more, delete it."
	if h, ok := n.Key.Handover(); ok && n.Pending {
		what, hint = "old API key", h.PriorHint
		do = "A new key was made to replace it, and nothing has used that one yet. Put it wherever the\nold one is used. If nobody has it any more, replace the key once more."
	}
	return mail.Message{
		To:        contact,
		Automatic: true,
		Subject:   fmt.Sprintf("Your %s for Postman expires %s", what, when),
		Text: fmt.Sprintf(`The %s %q that ends in %s works until

    %s

%s

    %s

After that, every request with it is refused.
`, what, label, hint, n.ExpiresAt.Format("Monday, 2 January 2006 at 15:04 (")+n.ExpiresAt.Location().String()+")", do, settings),
	}
}
