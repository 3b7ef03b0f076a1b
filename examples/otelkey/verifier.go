package otelkey

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/opengovsg/latchkey/apikey"
)

// scope names this package to OpenTelemetry, as whoever makes the spans and the metrics.
const scope = "github.com/opengovsg/latchkey/examples/otelkey"

// The attributes. What a client sends never becomes one, other than as an id of a well-formed token, and
// that only on a span: each metric has as many series as there are outcomes or kinds of events.
const (
	outcomeKey    = attribute.Key("latchkey.outcome")
	keyIDKey      = attribute.Key("latchkey.key.id")
	supersededKey = attribute.Key("latchkey.key.superseded")
	kindKey       = attribute.Key("latchkey.event")
)

// Trace returns a verifier that makes a span around each verification of the next one, with the outcome
// and, where the token is good or well-formed, the public id in it. The span of a verification that
// nobody could tell the outcome of has the status Error, unless the caller gave up; a refusal is no
// error of the server's. Trace panics if next or provider is nil.
//
// Neither the token nor the text of an error is recorded: what a database driver puts into its errors is
// not known here. What panics while a span is made or ended changes no decision.
func Trace(next apikey.Verifier, provider trace.TracerProvider) apikey.Verifier {
	if next == nil {
		panic("otelkey: Trace: the verifier is nil")
	}
	return &verifier{next, provider.Tracer(scope)}
}

type verifier struct {
	next   apikey.Verifier
	tracer trace.Tracer
}

func (v *verifier) Verify(ctx context.Context, token string) (key apikey.Key, err error) {
	spanCtx, span := v.start(ctx)
	returned := false
	defer func() {
		if !returned {
			err = errors.New("the verifier panicked") // which goes on, once the span is ended
		}
		end(ctx, span, key, err)
	}()
	key, err = v.next.Verify(spanCtx, token)
	returned = true
	return key, err
}

// start returns the context as it is, and a span that records nothing, where none can be made.
func (v *verifier) start(ctx context.Context) (spanCtx context.Context, span trace.Span) {
	defer func() {
		if recover() != nil {
			spanCtx, span = ctx, trace.SpanFromContext(context.Background())
		}
	}()
	return v.tracer.Start(ctx, "apikey.Verify")
}

// end says in the span how the verification ended.
func end(ctx context.Context, span trace.Span, key apikey.Key, err error) {
	defer func() { _ = recover() }()
	outcome := outcomeOf(err)
	span.SetAttributes(outcomeKey.String(outcome))
	var refusal *apikey.RefusedError
	switch {
	case err == nil:
		span.SetAttributes(keyIDKey.String(key.ID), supersededKey.Bool(key.Superseded()))
	case errors.As(err, &refusal):
		span.SetAttributes(keyIDKey.String(refusal.KeyID))
	case outcome == unavailable && !errors.Is(ctx.Err(), context.Canceled):
		span.SetStatus(codes.Error, unavailable)
	}
	span.End()
}

const (
	verified    = "verified"
	refused     = "refused" // for a reason of another verifier's
	unavailable = "unavailable"
)

// reasons are the outcomes of a refusal.
var reasons = []struct {
	err     error
	outcome string
}{
	{apikey.ErrMalformed, "malformed"},
	{apikey.ErrUnknown, "unknown"},
	{apikey.ErrExpired, "expired"},
	{apikey.ErrRevoked, "revoked"},
	{apikey.ErrSuperseded, "superseded"},
	{apikey.ErrCorrupt, "corrupt"},
}

func outcomeOf(err error) string {
	switch {
	case err == nil:
		return verified
	case !errors.Is(err, apikey.ErrInvalid):
		return unavailable
	}
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return r.outcome
		}
	}
	return refused
}
