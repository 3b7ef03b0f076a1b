// Package apikey issues, verifies and manages API keys.
//
//	keys, err := apikey.New(st, apikey.Config{Prefix: "acme_live", Scopes: []string{"email:send"}})
//	token, key, err := keys.Issue(ctx, apikey.Request{Owner: "user_42", Label: "HR reminders"})
//	key, err = keys.Verify(ctx, presented)
//
// A [Service] keeps its keys in a [store.Store], such as sqlstore's in a SQL database. A [Token] is
// shown to its owner once; the store keeps a hash. Package bearer puts a Service in front of
// net/http handlers.
package apikey

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/opengovsg/latchkey/store"
)

const (
	defaultTTL     = 180 * 24 * time.Hour
	defaultMaxTTL  = 366 * 24 * time.Hour
	longestMaxTTL  = 100 * 366 * 24 * time.Hour // far from where dates no longer fit a column
	minTTL         = time.Second
	defaultPerUser = 100
	highestPerUser = 1_000_000
)

// A Verifier turns what a client presented into the key it belongs to. [*Service] is one; so is
// whatever wraps one, such as a cache.
type Verifier interface {
	// Verify returns the key the token opens, or an error that wraps ErrInvalid if the token is not
	// good, or any other error if that could not be found out. It is safe for concurrent use.
	Verify(ctx context.Context, token string) (Key, error)
}

// Config says how a [Service] issues and verifies keys. Only Prefix is required; the zero value of
// every other field is the safe setting.
type Config struct {
	// Prefix begins every token; see NewFormat. A key issued under one prefix never verifies under
	// another, also where they share a table.
	Prefix string

	// Peppers key the hashes. The first one hashes new secrets; all of them verify, and so does
	// NoPepper, whether it is listed or not. A key whose hash is not the first one's is rehashed
	// when it next verifies. None: the same as NoPepper alone.
	//
	// An instance that lacks a pepper which another one writes with answers ErrUnavailable for the
	// keys concerned. So bring a new pepper to all instances in second place, {old, new}, or
	// {NoPepper, new} where it is the first one ever, and only then put it first everywhere. Take
	// the old one away when CountAll, of the service of each prefix, does not name it among its
	// Schemes any more, at the latest when every token made under it has expired.
	Peppers []Pepper

	// Scopes are all the scopes that keys may be given; with resource:* among them, every action on
	// the resource, and resource:* itself, which otherwise is not given. A request for any other is
	// refused with ErrForbidden. None: keys carry no scopes. A scope that is taken away here stays
	// with the keys that have it.
	Scopes []string

	// DefaultTTL is the life of a key whose request names none: 180 days where zero, or MaxTTL
	// if that is shorter.
	DefaultTTL time.Duration

	// MaxTTL is the longest life a key may be given: 366 days where zero, at most 36 600 days.
	MaxTTL time.Duration

	// MaxPerOwner is how many active keys one owner may have: 100 where zero, at most 1 000 000.
	MaxPerOwner int

	// AllowNeverExpires lets a request ask for a key that lives until it is revoked. A key nobody
	// remembers stays good forever then.
	AllowNeverExpires bool

	// LastUsedEvery is how precisely it is kept when a key was last used, and how often Run writes it:
	// every minute where zero, otherwise 1 second to 24 hours. A key is written at most once in that
	// time, however often it is used.
	LastUsedEvery time.Duration

	// Legacy are the systems whose keys were taken over with LegacyRecord, and whose tokens go on
	// working. A token goes to the first one that recognises it. Take a system away once CountAll, of
	// the service of each prefix, counts no key as Legacy: until then anybody can have the service
	// derive what is slow to derive.
	Legacy []LegacyScheme

	// LegacyAtOnce is how many such derivations run at once: half of GOMAXPROCS and at least 1
	// where zero, at most 1024. Other tokens wait, for as long as their context and at most for 5
	// seconds, and then nobody could tell: ErrUnavailable.
	LegacyAtOnce int

	// Observer, where not nil, is told what happens to keys, after it was decided: it can neither
	// allow nor deny, and its panics are recovered. Calls that manage keys tell it before they return,
	// with their own context; what verifications have to tell waits for Run, up to 256 events, so that
	// no request waits for it. Refusals of tokens that open nothing are counted in Stats and are no
	// events, so that nobody without a key can flood it. It must be safe for concurrent use, and heed
	// its context: one that does not return holds up Run.
	// LogEvents makes one that logs.
	Observer func(ctx context.Context, e Event)

	// Now is the clock, read once per call: time.Now where nil. Run's intervals are of real time. It must be safe for concurrent use.
	Now func() time.Time
}

// A Service issues, verifies and manages the keys of one prefix. Make one with [New]; the zero
// Service refuses every call with [ErrUnavailable]. It is safe for concurrent use and starts nothing;
// [Service.Run] is for the application to place.
type Service struct {
	store       store.Store
	format      Format
	hasher      *hasher
	scopes      string
	defaultTTL  time.Duration
	maxTTL      time.Duration
	maxPerOwner int
	allowNever  bool
	now         func() time.Time

	observer func(context.Context, Event)

	legacy      []LegacyScheme
	legacyTurns chan struct{} // one for each that derives

	// Shared by the services that WithStore makes.
	rehashing, upgrading *courtesy
	activating           *[courtesies]courtesy
	usage, lateUses      *usage // lateUses is never written anywhere
	stats                *counters
	events               chan Event
	watchers             *watchers
}

var _ Verifier = (*Service)(nil)

// New returns a service that keeps its keys in st. The error, if any, is an [*ArgumentError].
func New(st store.Store, c Config) (*Service, error) {
	if isNil(st) {
		return nil, &ArgumentError{"Store", "must not be nil"}
	}
	format, err := NewFormat(c.Prefix)
	if err != nil {
		return nil, err
	}
	hasher, err := newHasher(c.Peppers)
	if err != nil {
		return nil, err
	}
	if err := checkScopes(c.Scopes); err != nil {
		return nil, err
	}
	legacyAtOnce, err := checkLegacy(c.Legacy, c.LegacyAtOnce)
	if err != nil {
		return nil, err
	}
	s := &Service{
		store:       st,
		format:      format,
		hasher:      hasher,
		scopes:      joinScopes(c.Scopes),
		defaultTTL:  c.DefaultTTL,
		maxTTL:      c.MaxTTL,
		maxPerOwner: c.MaxPerOwner,
		allowNever:  c.AllowNeverExpires,
		now:         c.Now,
		observer:    c.Observer,
		legacy:      slices.Clone(c.Legacy),
		legacyTurns: make(chan struct{}, legacyAtOnce),
		rehashing:   new(courtesy),
		activating:  new([courtesies]courtesy),
		upgrading:   new(courtesy),
		usage:       &usage{every: c.LastUsedEvery},
		lateUses:    &usage{every: lateUseEvery},
		stats:       new(counters),
		events:      make(chan Event, queuedEvents),
		watchers:    new(watchers),
	}
	if s.maxTTL == 0 {
		s.maxTTL = defaultMaxTTL
	}
	if s.maxTTL < minTTL || s.maxTTL > longestMaxTTL {
		return nil, &ArgumentError{"MaxTTL", fmt.Sprintf("must be %s to %s", span(minTTL), span(longestMaxTTL))}
	}
	if s.defaultTTL == 0 {
		s.defaultTTL = min(defaultTTL, s.maxTTL)
	}
	if s.defaultTTL < minTTL || s.defaultTTL > s.maxTTL {
		return nil, &ArgumentError{"DefaultTTL", fmt.Sprintf("must be %s to MaxTTL, which is %s", span(minTTL), span(s.maxTTL))}
	}
	if s.maxPerOwner == 0 {
		s.maxPerOwner = defaultPerUser
	}
	if s.maxPerOwner < 1 || s.maxPerOwner > highestPerUser {
		return nil, &ArgumentError{"MaxPerOwner", fmt.Sprintf("must be 1 to %d", highestPerUser)}
	}
	if s.usage.every == 0 {
		s.usage.every = defaultLastUsedEvery
	}
	if s.usage.every < minLastUsedEvery || s.usage.every > maxLastUsedEvery {
		return nil, &ArgumentError{"LastUsedEvery", fmt.Sprintf("must be %s to %s", span(minLastUsedEvery), span(maxLastUsedEvery))}
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s, nil
}

// WithStore returns a service that is the same but keeps its keys in st, such as a store that
// writes inside a transaction of the application's. Show a token that such a service issues only
// once the transaction is committed: until then there is no key that it opens. Config.Observer is told
// before that, also of what is then rolled back. WithStore panics if st is nil.
func (s *Service) WithStore(st store.Store) *Service {
	if isNil(st) {
		panic("apikey: WithStore: the store is nil")
	}
	c := *s
	c.store = st
	return &c
}

// Format returns the format of the service's tokens, to parse them or to look for them in text.
func (s *Service) Format() Format { return s.format }

var (
	errNotMade   = unavailable(errors.New("the service was not made by New"))
	errNoContext = unavailable(errors.New("the context is nil"))
	errClock     = unavailable(errors.New("the clock tells a time before 1970 or after 9000"))
)

// ready reports what no call can work with.
func (s *Service) ready(ctx context.Context) error {
	if s == nil || s.store == nil || s.hasher == nil {
		return errNotMade
	}
	if ctx == nil {
		return errNoContext
	}
	return nil
}

// lastSecond ends the year 9000: an id has room for longer, a column and most programs have not.
const lastSecond = 221_876_927_999

// clock returns the time, as precise as it is told. A clock that is not set must not pass for a time:
// the zero time means never to a record, so that a revocation at that time would be none.
func (s *Service) clock() (time.Time, error) {
	now := s.now().UTC()
	if sec := now.Unix(); sec < 0 || sec > lastSecond {
		return time.Time{}, errClock
	}
	return now, nil
}

// clockMicro returns the time to the microsecond, which is what a record holds.
func (s *Service) clockMicro() (time.Time, error) {
	now, err := s.clock()
	return now.Truncate(time.Microsecond), err
}

// isNil also finds the nil pointer that a forgotten error check leaves in an interface.
func isNil(st store.Store) bool {
	v := reflect.ValueOf(st)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}
