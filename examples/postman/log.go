package main

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/opengovsg/latchkey/apikey/reminder"
)

// logged logs each request by the route that served it. The address itself is not logged, nor any header:
// either may hold what is secret.
func (s *service) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		rec := &recorder{ResponseWriter: w}
		defer func() {
			s.log.LogAttrs(r.Context(), slog.LevelInfo, "request", slog.String("method", method(r.Method)), slog.String("route", r.Pattern),
				slog.Int("status", rec.status), slog.Duration("took", time.Since(began)))
		}()
		next.ServeHTTP(rec, r)
	})
}

// method keeps out of the log what is no method but whatever a client sent.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch:
		return m
	}
	return "other"
}

// A recorder remembers the status: 0 if a handler panicked before there was one.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// reminded logs what came of a pass.
func (s *service) reminded(report reminder.Report, err error) {
	if err != nil {
		s.log.Error("reminders", "report", report.String(), "err", err)
		return
	}
	s.log.Info("reminders", "report", report.String())
}
