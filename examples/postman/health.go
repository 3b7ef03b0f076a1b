package main

import (
	"context"
	"net/http"
	"time"

	"github.com/opengovsg/latchkey/examples/postman/web"
)

// readiness bounds how long the database may take to answer.
const readiness = 2 * time.Second

// serveHealth says that the process answers.
func (s *service) serveHealth(w http.ResponseWriter, _ *http.Request) {
	web.JSON(w, http.StatusOK, map[string]string{"status": "ok"})
}

// serveReady says whether to send requests here: the database answers, its tables are those of this release,
// and the service is not about to end.
func (s *service) serveReady(w http.ResponseWriter, r *http.Request) {
	if s.ending.Load() {
		web.Refuse(w, web.Unavailable("The service is ending."))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), readiness)
	defer cancel()
	err := s.db.Ready(ctx)
	if err == nil {
		err = s.signin.Ready(ctx)
	}
	if err != nil {
		s.fault(r, err)
		web.Refuse(w, web.Unavailable("The database is not ready."))
		return
	}
	web.JSON(w, http.StatusOK, map[string]string{"status": "ready"})
}
