// Package otelkey tells OpenTelemetry what a service of API keys does. It is meant to be copied: it
// needs no more than the API of OpenTelemetry, and its tests show it with the SDK.
//
// The observer goes into the service's configuration, the verifier between the service and the guard,
// and the counters onto the service:
//
//	observer, err := otelkey.Observe(otel.GetMeterProvider())
//	keys, err := apikey.New(st, apikey.Config{Prefix: "acme_live", Observer: observer})
//	counters, err := otelkey.Count(keys, otel.GetMeterProvider())
//	guard := bearer.New(otelkey.Trace(keys, otel.GetTracerProvider()), bearer.Config{Realm: "acme"})
//
// An observer that logs as well is a function that calls both:
//
//	logs := apikey.LogEvents(logger)
//	Observer: func(ctx context.Context, e apikey.Event) { logs(ctx, e); observer(ctx, e) }
//
// Export in the background, with the SDK's batching span processor and its periodic reader: then an
// exporter that is slow makes no request wait, and spans are dropped where there is no more room. An
// exporter that panics there ends the process, since nothing of this package is on that goroutine.
package otelkey

import (
	"context"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/opengovsg/latchkey/apikey"
)

// Observe returns an apikey.Config.Observer that counts events by kind, as latchkey.events, and puts
// each into the span of the caller, if there is one, with the key's public id. Owners and labels are
// not in it: traces tend to be read by more people than may know them.
func Observe(provider metric.MeterProvider) (func(context.Context, apikey.Event), error) {
	events, err := provider.Meter(scope).Int64Counter("latchkey.events",
		metric.WithDescription("What happened to keys, by kind."), metric.WithUnit("{event}"))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, e apikey.Event) {
		kind := kindKey.String(string(e.Kind))
		events.Add(ctx, 1, metric.WithAttributes(kind))
		trace.SpanFromContext(ctx).AddEvent("API key event", trace.WithAttributes(kind, keyIDKey.String(e.Key.ID)))
	}, nil
}
