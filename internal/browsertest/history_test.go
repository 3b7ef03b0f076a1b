package browsertest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opengovsg/latchkey/apikey"
)

const day = 24 * time.Hour

// scopes are those that the service gives to each key.
var scopes = []string{"email:send", "campaign:read"}

// at returns what issues keys as the service did some time ago, to make keys that have a past.
func (s *site) at(t *testing.T, ago time.Duration) *apikey.Service {
	t.Helper()
	keys, err := apikey.New(s.store, apikey.Config{Prefix: "postman_dev", Scopes: scopes,
		Now: func() time.Time { return time.Now().Add(-ago) }})
	require.NoError(t, err)
	return keys
}

// issue makes a key that was issued some time ago.
func (s *site) issue(t *testing.T, ago, life time.Duration, label string, contacts ...string) (apikey.Ref, string) {
	t.Helper()
	token, key, err := s.at(t, ago).Issue(t.Context(), apikey.Request{Owner: s.owner, Label: label, Contacts: contacts, Scopes: scopes, ExpiresIn: life})
	require.NoError(t, err)
	return apikey.Ref{Owner: s.owner, ID: key.ID}, token.Reveal()
}

// use opens the API with a token some time ago.
func (s *site) use(t *testing.T, ago time.Duration, token string) {
	t.Helper()
	keys := s.at(t, ago)
	_, err := keys.Verify(t.Context(), token)
	require.NoError(t, err)
	require.NoError(t, keys.Flush(t.Context()))
}

// replace rotates a key some time ago.
func (s *site) replace(t *testing.T, ago, grace time.Duration, key apikey.Ref) string {
	t.Helper()
	token, _, err := s.at(t, ago).Rotate(t.Context(), key, apikey.Rotation{Grace: grace})
	require.NoError(t, err)
	return token.Reveal()
}

// history gives the officer keys that have a past: one in each state that a list can show.
func (s *site) history(t *testing.T) {
	t.Helper()
	s.issue(t, 370*day, 366*day, "Old portal", "portal@agency.gov.sg")
	_, token := s.issue(t, 171*day, 180*day, "Appointment letters", "letters@agency.gov.sg", "desk@agency.gov.sg", "duty@agency.gov.sg")
	s.use(t, 3*time.Hour, token)
	key, token := s.issue(t, 100*day, 180*day, "Payslips", "payroll@agency.gov.sg")
	s.use(t, 2*day, token)
	s.use(t, 20*time.Minute, s.replace(t, time.Hour, 7*day, key))
	key, _ = s.issue(t, 41*day, 180*day, "Newsletter", "news@agency.gov.sg")
	s.replace(t, 6*day, day, key)
	_, token = s.issue(t, 8*day, 180*day, "Survey invitations", "survey@agency.gov.sg", "siti@agency.gov.sg")
	s.use(t, 5*time.Minute, token)
}
