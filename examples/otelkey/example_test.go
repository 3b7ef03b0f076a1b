package otelkey_test

import (
	"context"
	"fmt"
	"log"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/bearer"
	"github.com/opengovsg/latchkey/examples/otelkey"
	"github.com/opengovsg/latchkey/memstore"
)

func Example() {
	ctx := context.Background()
	// In truth with exporters of the application's choice.
	spans := tracetest.NewInMemoryExporter()
	tracing := sdktrace.NewTracerProvider(sdktrace.WithBatcher(spans))
	metrics := sdkmetric.NewMeterProvider(sdkmetric.WithReader(sdkmetric.NewManualReader()))

	observer, err := otelkey.Observe(metrics)
	if err != nil {
		log.Fatal(err)
	}
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme_live", Observer: observer})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := otelkey.Count(keys, metrics); err != nil {
		log.Fatal(err)
	}
	traced := otelkey.Trace(keys, tracing)
	_ = bearer.New(traced, bearer.Config{Realm: "acme"}) // in front of the handlers

	if _, err := traced.Verify(ctx, "no token"); err != nil {
		fmt.Println(err)
	}
	if err := tracing.ForceFlush(ctx); err != nil {
		log.Fatal(err)
	}
	for _, span := range spans.GetSpans() {
		for _, a := range span.Attributes {
			fmt.Println(span.Name, a.Key, a.Value.AsString())
		}
	}
	// Output:
	// apikey: invalid token: malformed
	// apikey.Verify latchkey.outcome malformed
}
