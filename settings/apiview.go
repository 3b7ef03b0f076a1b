package settings

import (
	"time"

	"github.com/opengovsg/latchkey/apikey"
)

// A keyView is a key as the API shows it.
type keyView struct {
	ID           string        `json:"id"`
	LastFive     string        `json:"last_five"`
	Label        string        `json:"label"`
	PlainTextKey string        `json:"plain_text_key,omitempty"`
	ValidUntil   *string       `json:"valid_until"`
	Contacts     []string      `json:"notification_contacts"`
	CreatedAt    *string       `json:"created_at"`
	LastUsedAt   *string       `json:"last_used_at"`
	State        string        `json:"state"`
	Rotation     *rotationView `json:"rotation"`
}

// A rotationView is the last rotation of a key, while its new or its old token matters.
type rotationView struct {
	RotatedAt       *string `json:"rotated_at"`
	ActivatedAt     *string `json:"activated_at"`
	PriorLastFive   string  `json:"prior_last_five"`
	PriorValidUntil *string `json:"prior_valid_until"`
}

func (s *Settings) view(key apikey.Key) keyView {
	v := keyView{
		ID:         key.ID,
		LastFive:   key.Hint,
		Label:      key.Label,
		ValidUntil: instant(key.ExpiresAt),
		Contacts:   key.Contacts(),
		CreatedAt:  instant(key.CreatedAt),
		LastUsedAt: instant(key.LastUsedAt()),
		State:      stateOf(key, s.config.Now()),
	}
	if h, ok := key.Handover(); ok && (v.State == statePending || v.State == stateRotating) {
		v.Rotation = &rotationView{
			RotatedAt:       instant(h.RotatedAt),
			ActivatedAt:     instant(h.ActivatedAt),
			PriorLastFive:   h.PriorHint,
			PriorValidUntil: instant(h.PriorExpiresAt),
		}
	}
	return v
}

// instant spells a time in ISO 8601 with milliseconds, as JavaScript does, and null for never.
func instant(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	text := t.UTC().Format("2006-01-02T15:04:05.000Z")
	return &text
}
