package otelkey

import (
	"context"

	"go.opentelemetry.io/otel/metric"

	"github.com/opengovsg/latchkey/apikey"
)

// Count registers counters that are read from the service's Stats whenever metrics are collected:
// latchkey.verifications by outcome, latchkey.uses.dropped and latchkey.events.lost. A verification pays
// nothing for them. They are those of this process, so that the sum over the instances is that of the
// service. Unregister what is returned to end it.
func Count(keys *apikey.Service, provider metric.MeterProvider) (metric.Registration, error) {
	meter := provider.Meter(scope)
	verifications, err := meter.Int64ObservableCounter("latchkey.verifications",
		metric.WithDescription("Verifications of tokens, by outcome."), metric.WithUnit("{verification}"))
	if err != nil {
		return nil, err
	}
	dropped, err := meter.Int64ObservableCounter("latchkey.uses.dropped",
		metric.WithDescription("Uses of keys that were forgotten before they could be written."), metric.WithUnit("{use}"))
	if err != nil {
		return nil, err
	}
	lost, err := meter.Int64ObservableCounter("latchkey.events.lost",
		metric.WithDescription("Events that the observer did not get."), metric.WithUnit("{event}"))
	if err != nil {
		return nil, err
	}
	return meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := keys.Stats()
		for outcome, n := range map[string]int64{
			verified:     s.Verified,
			"malformed":  s.Malformed,
			"unknown":    s.Unknown,
			"expired":    s.Expired,
			"revoked":    s.Revoked,
			"superseded": s.Superseded,
			"corrupt":    s.Corrupt,
			unavailable:  s.Unavailable,
		} {
			o.ObserveInt64(verifications, n, metric.WithAttributes(outcomeKey.String(outcome)))
		}
		o.ObserveInt64(dropped, s.UsesDropped)
		o.ObserveInt64(lost, s.EventsLost)
		return nil
	}, verifications, dropped, lost)
}
