// Command postman is a small service as Postman.gov.sg is one: officers sign in with a code that is mailed
// to them, generate API keys in their settings, and send mail with them.
//
//	go run ./examples/postman -dev                                   # mail goes to a page of its own
//	go run ./examples/postman -smtp mail:587 -dsn postgres://…       # as in production
//	go run ./examples/postman import -from postgres://… -dsn …       # takes over the keys of the earlier system
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	command, args := serve, os.Args[1:]
	if len(args) > 0 && args[0] == "import" {
		command, args = importKeys, args[1:]
	}
	if err := command(ctx, args, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "postman:", err)
		os.Exit(1)
	}
}
