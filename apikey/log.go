package apikey

import (
	"context"
	"log/slog"
	"time"
)

// LogEvents returns a Config.Observer that writes each event to the logger, nil for [slog.Default] as
// it is at the time: late uses, which somebody has to look into, as warnings, and everything else for
// information. What is written is that of [Event.LogValue].
//
// The logger's handler is called in the call that manages the key, so a handler that waits, such as one
// that sends over the network, makes that call wait; verifications never do. The function is safe for
// concurrent use if the handler is, which those of package slog are.
func LogEvents(logger *slog.Logger) func(context.Context, Event) {
	return func(ctx context.Context, e Event) {
		to := logger
		if to == nil {
			to = slog.Default()
		}
		level := slog.LevelInfo
		if e.Kind == EventLateUse {
			level = slog.LevelWarn
		}
		// A group without a name: its attributes stand by themselves.
		to.LogAttrs(ctx, level, "API key event", slog.Attr{Value: e.LogValue()})
	}
}

// LogValue implements [slog.LogValuer] with the kind as "event", the time as "at", and as "key" what
// identifies the key. What the event is about comes with it: the "reason" of a revocation; "expires"
// where the event set it or people were reminded of it; and "prior_expires", the end of the old token, of
// a rotation, an activation or a late use. Times that mean never are left out, and so are contacts and
// metadata, which are about people.
func (e Event) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("event", string(e.Kind)),
		slog.Time("at", e.At),
		slog.Any("key", e.Key),
	}
	switch e.Kind {
	case EventRevoked:
		attrs = append(attrs, slog.String("reason", e.Key.RevokedReason))
	case EventIssued, EventUpdated, EventRotated:
		attrs = appendTime(attrs, "expires", e.Key.ExpiresAt)
	case EventReminded:
		attrs = appendTime(attrs, "expires", e.Key.EndsAt(e.At))
	}
	switch e.Kind {
	case EventRotated, EventActivated, EventLateUse:
		h, _ := e.Key.Handover()
		attrs = appendTime(attrs, "prior_expires", h.PriorExpiresAt)
	}
	return slog.GroupValue(attrs...)
}

// appendTime leaves out the zero time, which means never and would print as the year 1.
func appendTime(attrs []slog.Attr, name string, t time.Time) []slog.Attr {
	if t.IsZero() {
		return attrs
	}
	return append(attrs, slog.Time(name, t))
}
