//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package filestore

import (
	"errors"
	"os"
)

// lockFile fails: syscall has no lock here that the end of a process releases.
func lockFile(string) (*os.File, error) { return nil, errors.ErrUnsupported }
