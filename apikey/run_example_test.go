package apikey_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/memstore"
)

// serve serves until it is interrupted, and then writes what Run still has to write.
func serve(server *http.Server, keys *apikey.Service) error {
	run, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- keys.Run(run) }()

	interrupted, release := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted.Done()
		release()                             // a second signal ends the program at once
		server.Shutdown(context.Background()) // the requests under way are the last uses
	}()
	err := server.ListenAndServe()
	if errors.Is(err, http.ErrServerClosed) {
		err = server.Shutdown(context.Background()) // which waits for the one above
	}

	stop()
	return errors.Join(err, <-ended) // only now close the database
}

// Run ends after the server, and before the database is closed.
func ExampleService_Run() {
	keys, err := apikey.New(new(memstore.Store), apikey.Config{Prefix: "acme_live"})
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: "127.0.0.1:0"}
	server.Shutdown(context.Background()) // as if it had been interrupted
	fmt.Println(serve(server, keys))
	// Output: <nil>
}
