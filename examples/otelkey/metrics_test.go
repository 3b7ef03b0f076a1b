package otelkey_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/examples/otelkey"
	"github.com/opengovsg/latchkey/memstore"
)

// newMetrics returns a provider and what reads it.
func newMetrics(t *testing.T) (*sdkmetric.MeterProvider, *sdkmetric.ManualReader) {
	t.Helper()
	reader := sdkmetric.NewManualReader()
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	t.Cleanup(func() { require.NoError(t, provider.Shutdown(context.Background())) })
	return provider, reader
}

// collect returns the counts by metric and by the attributes of each series, and all that was read.
func collect(t *testing.T, reader *sdkmetric.ManualReader) (map[string]map[string]int64, *metricdata.ResourceMetrics) {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	counts := make(map[string]map[string]int64)
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			sum := m.Data.(metricdata.Sum[int64])
			require.True(t, sum.IsMonotonic, m.Name)
			counts[m.Name] = make(map[string]int64)
			for _, point := range sum.DataPoints {
				series := ""
				for _, a := range point.Attributes.ToSlice() {
					series += string(a.Key) + "=" + a.Value.String()
				}
				counts[m.Name][series] = point.Value
			}
		}
	}
	return counts, &all
}

// TestCount meets every outcome a number of times of its own, and then 12 000 tokens that open nothing, which add to the counts
// and make no series.
func TestCount(t *testing.T) {
	provider, reader := newMetrics(t)
	f := newFixture(t, nil)
	registration, err := otelkey.Count(f.keys, provider)
	require.NoError(t, err)
	verifiers := f.verifiers()
	verifications := make(map[string]int64)
	for i, outcome := range []string{"verified", "malformed", "unknown", "expired", "revoked", "superseded", "corrupt", "unavailable"} {
		for range i + 1 {
			_, err := verifiers[outcome].Verify(t.Context(), f.tokens[outcome])
			require.Equal(t, outcome == "verified", err == nil)
		}
		verifications["latchkey.outcome="+outcome] = int64(i + 1)
	}
	require.Len(t, verifications, len(verifiers))
	want := map[string]map[string]int64{
		"latchkey.verifications": verifications,
		"latchkey.uses.dropped":  {"": 0},
		"latchkey.events.lost":   {"": 0},
	}
	counts, all := collect(t, reader)
	require.Equal(t, want, counts)
	f.requireNoSecret(t, all)

	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		_, err := f.keys.Verify(t.Context(), garbage(r, f.tokens["verified"]))
		require.ErrorIs(t, err, apikey.ErrMalformed)
	}
	elsewhere, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme_live", MaxPerOwner: 10_000})
	require.NoError(t, err)
	for range 2000 {
		token, _, err := elsewhere.Issue(t.Context(), apikey.Request{Owner: "nobody", Label: "x"})
		require.NoError(t, err)
		_, err = f.keys.Verify(t.Context(), token.Reveal())
		require.ErrorIs(t, err, apikey.ErrUnknown)
	}
	verifications["latchkey.outcome=malformed"] += 10_000
	verifications["latchkey.outcome=unknown"] += 2000
	counts, _ = collect(t, reader)
	require.Equal(t, want, counts)

	require.NoError(t, registration.Unregister())
	counts, _ = collect(t, reader)
	require.Empty(t, counts["latchkey.verifications"])
}

// TestObserve manages keys under a span of the caller's, and hands over what verifications have to tell
// without one.
func TestObserve(t *testing.T) {
	metrics, reader := newMetrics(t)
	tracing, spans := newTracing(t)
	observer, err := otelkey.Observe(metrics)
	require.NoError(t, err)
	f := newFixture(t, observer)

	ctx, caller := tracing.Tracer("test").Start(t.Context(), "request")
	token, key, err := f.keys.Issue(ctx, apikey.Request{Owner: "user_42", Label: "HR reminders", Contacts: []string{"siti@agency.gov.sg"}})
	require.NoError(t, err)
	ref := apikey.Ref{Owner: "user_42", ID: key.ID}
	next, _, err := f.keys.Rotate(ctx, ref, apikey.Rotation{Grace: time.Second})
	require.NoError(t, err)
	_, err = f.keys.Verify(ctx, next.Reveal())
	require.NoError(t, err)
	f.now = f.now.Add(time.Minute)
	_, err = f.keys.Verify(ctx, token.Reveal())
	require.ErrorIs(t, err, apikey.ErrSuperseded)
	_, err = f.keys.Revoke(ctx, ref, "left the team")
	require.NoError(t, err)
	caller.End()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, f.keys.Run(ended))

	require.Len(t, spans.GetSpans(), 1)
	type event struct{ name, kind, id string }
	var told []event
	for _, e := range spans.GetSpans()[0].Events {
		require.Len(t, e.Attributes, 2)
		require.Equal(t, "latchkey.event", string(e.Attributes[0].Key))
		require.Equal(t, "latchkey.key.id", string(e.Attributes[1].Key))
		told = append(told, event{e.Name, e.Attributes[0].Value.AsString(), e.Attributes[1].Value.AsString()})
	}
	require.Equal(t, []event{
		{"API key event", "issued", key.ID},
		{"API key event", "rotated", key.ID},
		{"API key event", "revoked", key.ID},
	}, told)

	counts, all := collect(t, reader)
	require.Equal(t, map[string]map[string]int64{"latchkey.events": { // of which the fixture's own are a part
		"latchkey.event=issued":    6,
		"latchkey.event=rotated":   2,
		"latchkey.event=activated": 1,
		"latchkey.event=late use":  1,
		"latchkey.event=revoked":   2,
	}}, counts)
	f.secrets = append(f.secrets, token.Reveal()[len("acme_live_")+21:][:43], next.Reveal()[len("acme_live_")+21:][:43])
	f.requireNoSecret(t, spans.GetSpans())
	f.requireNoSecret(t, all)
}

// A stuckMetrics exporter does not return until it is let go.
type stuckMetrics struct {
	sdkmetric.Exporter
	entered, let chan struct{}
}

func (stuckMetrics) Temporality(k sdkmetric.InstrumentKind) metricdata.Temporality {
	return sdkmetric.DefaultTemporalitySelector(k)
}

func (stuckMetrics) Aggregation(k sdkmetric.InstrumentKind) sdkmetric.Aggregation {
	return sdkmetric.DefaultAggregationSelector(k)
}

func (s stuckMetrics) Export(context.Context, *metricdata.ResourceMetrics) error {
	select {
	case s.entered <- struct{}{}:
	default:
	}
	<-s.let
	return nil
}

func (stuckMetrics) Shutdown(context.Context) error { return nil }

// TestStuckMetricsHoldUpNothing issues and verifies while the exporter does not return.
func TestStuckMetricsHoldUpNothing(t *testing.T) {
	exporter := stuckMetrics{nil, make(chan struct{}, 1), make(chan struct{})}
	provider := sdkmetric.NewMeterProvider(sdkmetric.WithReader(
		sdkmetric.NewPeriodicReader(exporter, sdkmetric.WithInterval(time.Millisecond))))
	observer, err := otelkey.Observe(provider)
	require.NoError(t, err)
	f := newFixture(t, observer)
	_, err = otelkey.Count(f.keys, provider)
	require.NoError(t, err)
	within(t, exporter.entered)
	for range 1000 {
		_, err := f.keys.Verify(t.Context(), f.tokens["verified"])
		require.NoError(t, err)
	}
	_, err = f.keys.Revoke(t.Context(), apikey.AnyOwner(f.ids["verified"]), "")
	require.NoError(t, err)
	_, err = f.keys.Verify(t.Context(), f.tokens["verified"])
	require.ErrorIs(t, err, apikey.ErrRevoked)
	close(exporter.let) // only now
	require.NoError(t, provider.Shutdown(context.Background()))
}
