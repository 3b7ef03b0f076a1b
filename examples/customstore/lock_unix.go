//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package filestore

import (
	"fmt"
	"os"
	"syscall"
)

// lockFile returns the file at path, locked until it is closed or the process ends, however it ends.
// It is a file of its own, since the one with the records is replaced, and it is never removed: of
// two processes one would lock the file that the other has just removed.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}
