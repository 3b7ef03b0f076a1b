package main

import (
	"context"
	"errors"
	"io"
)

// serve runs the service until the context ends.
func serve(ctx context.Context, args []string, out io.Writer) error {
	return errors.New("serve is not written yet")
}
