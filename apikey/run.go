package apikey

import (
	"context"
	"time"
)

const (
	// flushTimeout keeps a store that hangs from holding up events for good.
	flushTimeout = 30 * time.Second

	// lastFlush bounds how long Run goes on after its context has ended.
	lastFlush = 5 * time.Second
)

// Run writes, every Config.LastUsedEvery, when keys were last used, and hands Config.Observer the
// events of verifications. It returns when ctx ends, after it has written and handed over what is left,
// for which it takes at most five seconds: nil, or an error that wraps [ErrUnavailable] if that could not
// be written.
//
// Start it once for each Service, beside the server, with a context that ends after the last request:
//
//	go keys.Run(ctx)
//
// Without Run keys verify as well, and show no last use. What could not be written is tried again with
// the next batch; [Stats.UsesDropped] counts what was lost to lack of room.
func (s *Service) Run(ctx context.Context) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	ticker := time.NewTicker(s.usage.every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return s.end(context.WithoutCancel(ctx))
		case e := <-s.events:
			s.observe(ctx, e)
		case <-ticker.C:
			s.tick(ctx)
		}
	}
}

// tick flushes; what fails is remembered.
func (s *Service) tick(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, flushTimeout)
	defer cancel()
	s.Flush(ctx)
}

// end does for the last time what Run does.
func (s *Service) end(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lastFlush)
	defer cancel()
	err := s.Flush(ctx)
	for range len(s.events) { // and not what comes meanwhile, of which there may be no end
		select {
		case e := <-s.events:
			s.observe(ctx, e)
		default: // another Run was faster
		}
	}
	return err
}
