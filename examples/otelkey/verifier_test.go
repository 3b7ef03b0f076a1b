package otelkey_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/examples/otelkey"
	"github.com/opengovsg/latchkey/store/storetest"
)

// newTracing returns a provider whose spans are kept as soon as they end.
func newTracing(t *testing.T) (*sdktrace.TracerProvider, *tracetest.InMemoryExporter) {
	t.Helper()
	spans := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	t.Cleanup(func() { require.NoError(t, provider.Shutdown(context.Background())) })
	return provider, spans
}

// attributes returns a span's attributes as they would be read.
func attributes(span tracetest.SpanStub) map[string]any {
	all := make(map[string]any)
	for _, a := range span.Attributes {
		all[string(a.Key)] = a.Value.AsInterface()
	}
	return all
}

// TestTrace makes a span of each outcome under one of the caller's.
func TestTrace(t *testing.T) {
	f := newFixture(t, nil)
	provider, spans := newTracing(t)
	for outcome, next := range f.verifiers() {
		t.Run(outcome, func(t *testing.T) {
			ctx, caller := provider.Tracer("test").Start(t.Context(), "request")
			wantKey, wantErr := next.Verify(t.Context(), f.tokens[outcome])
			key, err := otelkey.Trace(next, provider).Verify(ctx, f.tokens[outcome])
			require.Equal(t, wantErr, err)
			require.Equal(t, wantKey, key)
			require.Equal(t, outcome == "verified", err == nil)

			require.Len(t, spans.GetSpans(), 1)
			span := spans.GetSpans()[0]
			require.Equal(t, "apikey.Verify", span.Name)
			require.Equal(t, caller.SpanContext().SpanID(), span.Parent.SpanID())
			want := map[string]any{"latchkey.outcome": outcome}
			if id := f.ids[outcome]; id != "" {
				want["latchkey.key.id"] = id
			}
			if outcome == "verified" {
				want["latchkey.key.superseded"] = false
			}
			require.Equal(t, want, attributes(span))
			require.Empty(t, span.Events)
			if outcome == "unavailable" {
				require.Equal(t, sdktrace.Status{Code: codes.Error, Description: "unavailable"}, span.Status)
			} else {
				require.Zero(t, span.Status)
			}
			f.requireNoSecret(t, spans.GetSpans())
			spans.Reset()
		})
	}
}

// TestTraceTellsOldTokens verifies by the old token of a key that was rotated.
func TestTraceTellsOldTokens(t *testing.T) {
	f := newFixture(t, nil)
	provider, spans := newTracing(t)
	_, _, err := f.keys.Rotate(t.Context(), apikey.AnyOwner(f.ids["verified"]), apikey.Rotation{})
	require.NoError(t, err)
	_, err = otelkey.Trace(f.keys, provider).Verify(t.Context(), f.tokens["verified"])
	require.NoError(t, err)
	require.Equal(t, true, attributes(spans.GetSpans()[0])["latchkey.key.superseded"])
}

// TestTraceOfACallerWhoGaveUp is of no fault of the server's.
func TestTraceOfACallerWhoGaveUp(t *testing.T) {
	f := newFixture(t, nil)
	provider, spans := newTracing(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := otelkey.Trace(f.keys.WithStore(storetest.Hanging()), provider).Verify(ctx, f.tokens["verified"])
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, map[string]any{"latchkey.outcome": "unavailable"}, attributes(spans.GetSpans()[0]))
	require.Zero(t, spans.GetSpans()[0].Status)
}

// verifyFunc is a verifier of somebody else's.
type verifyFunc func(ctx context.Context, token string) (apikey.Key, error)

func (f verifyFunc) Verify(ctx context.Context, token string) (apikey.Key, error) {
	return f(ctx, token)
}

// TestTraceOfAnotherVerifier refuses for a reason of its own, and panics with a token.
func TestTraceOfAnotherVerifier(t *testing.T) {
	provider, spans := newTracing(t)
	_, err := otelkey.Trace(verifyFunc(func(context.Context, string) (apikey.Key, error) {
		return apikey.Key{}, fmt.Errorf("%w: too many requests", apikey.ErrInvalid)
	}), provider).Verify(t.Context(), "x")
	require.ErrorIs(t, err, apikey.ErrInvalid)
	require.Equal(t, map[string]any{"latchkey.outcome": "refused"}, attributes(spans.GetSpans()[0]))
	require.Zero(t, spans.GetSpans()[0].Status)
	spans.Reset()

	panics := otelkey.Trace(verifyFunc(func(_ context.Context, token string) (apikey.Key, error) { panic(token) }), provider)
	require.PanicsWithValue(t, "a token", func() { panics.Verify(t.Context(), "a token") })
	require.Len(t, spans.GetSpans(), 1, "the span is ended all the same")
	require.Equal(t, map[string]any{"latchkey.outcome": "unavailable"}, attributes(spans.GetSpans()[0]))
	require.Equal(t, codes.Error, spans.GetSpans()[0].Status.Code)
	require.NotContains(t, fmt.Sprintf("%+v", spans.GetSpans()), "a token")

	require.Panics(t, func() { otelkey.Trace(nil, provider) })
	require.Panics(t, func() { otelkey.Trace(panics, nil) })
}

// garbage returns what is no token: random bytes, and a token that is cut short or has a wrong end.
func garbage(r *rand.Rand, token string) string {
	switch n := r.IntN(len(token)); r.IntN(3) {
	case 0:
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.UintN(256))
		}
		return string(b)
	case 1:
		return token[:n]
	default:
		return fmt.Sprintf("%s%06d", token[:len(token)-6], r.IntN(1e6))
	}
}

// TestGarbageMakesNoAttributes presents 10 000 texts that are no tokens: all of them make the same span.
func TestGarbageMakesNoAttributes(t *testing.T) {
	f := newFixture(t, nil)
	provider, spans := newTracing(t)
	traced := otelkey.Trace(f.keys, provider)
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		_, err := traced.Verify(t.Context(), garbage(r, f.tokens["verified"]))
		require.ErrorIs(t, err, apikey.ErrMalformed)
	}
	seen := make(map[attribute.Distinct]int)
	for _, span := range spans.GetSpans() {
		set := attribute.NewSet(span.Attributes...)
		seen[set.Equivalent()]++
		require.Equal(t, "apikey.Verify", span.Name)
		require.Zero(t, span.Status)
	}
	malformed := attribute.NewSet(attribute.String("latchkey.outcome", "malformed"))
	require.Equal(t, map[attribute.Distinct]int{malformed.Equivalent(): 10_000}, seen)
}

// A panicking exporter panics in the request that ends the span, or starts it.
type panicking struct{ sdktrace.SpanExporter }

func (panicking) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	panic("the exporter panics")
}
func (panicking) Shutdown(context.Context) error { return nil }

type panickingAtStart struct{ sdktrace.SpanProcessor }

func (panickingAtStart) OnStart(context.Context, sdktrace.ReadWriteSpan) {
	panic("the processor panics")
}

// TestPanickingExporterChangesNoDecision has tracing panic at both ends of a span.
func TestPanickingExporterChangesNoDecision(t *testing.T) {
	f := newFixture(t, nil)
	for name, option := range map[string]sdktrace.TracerProviderOption{
		"exporter":  sdktrace.WithSyncer(panicking{}),
		"processor": sdktrace.WithSpanProcessor(panickingAtStart{}),
	} {
		provider := sdktrace.NewTracerProvider(option)
		require.Panics(t, func() {
			_, span := provider.Tracer("test").Start(t.Context(), "by itself")
			span.End()
		}, name)
		for outcome, next := range f.verifiers() {
			wantKey, wantErr := next.Verify(t.Context(), f.tokens[outcome])
			key, err := otelkey.Trace(next, provider).Verify(t.Context(), f.tokens[outcome])
			require.Equal(t, wantErr, err, "%s, %s", name, outcome)
			require.Equal(t, wantKey, key, "%s, %s", name, outcome)
		}
	}
}

// A stuck exporter takes its first batch and is done with it when it is let go.
type stuck struct{ entered, let chan struct{} }

func (s stuck) ExportSpans(context.Context, []sdktrace.ReadOnlySpan) error {
	select {
	case s.entered <- struct{}{}:
	default:
	}
	<-s.let
	return nil
}
func (stuck) Shutdown(context.Context) error { return nil }

// TestStuckExporterHoldsUpNoDecision verifies far more than the queue of spans holds while the exporter
// does not return.
func TestStuckExporterHoldsUpNoDecision(t *testing.T) {
	f := newFixture(t, nil)
	exporter := stuck{make(chan struct{}, 1), make(chan struct{})}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter,
		sdktrace.WithMaxQueueSize(8), sdktrace.WithMaxExportBatchSize(4)))
	traced := otelkey.Trace(f.keys, provider)
	for range 4 {
		_, err := traced.Verify(t.Context(), f.tokens["verified"])
		require.NoError(t, err)
	}
	within(t, exporter.entered)
	for range 1000 {
		_, err := traced.Verify(t.Context(), f.tokens["verified"])
		require.NoError(t, err)
		_, err = traced.Verify(t.Context(), f.tokens["revoked"])
		require.ErrorIs(t, err, apikey.ErrRevoked)
	}
	close(exporter.let) // only now; a verification that waited for it would never have ended
	require.NoError(t, provider.Shutdown(context.Background()))
	require.Equal(t, int64(1004), f.keys.Stats().Verified)
}
