package browsertest

import (
	"bufio"
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"syscall"

	_ "modernc.org/sqlite"

	_ "github.com/opengovsg/latchkey/settings" // or go test would repeat its last result after a change to the page
	"github.com/opengovsg/latchkey/sqlstore"
)

// A service is the example service, which runs as a process of its own.
type service struct {
	url   string // without a slash at the end
	store *sqlstore.Store
}

// stopService ends the service, if one was started, and returns what is wrong with how it went.
var stopService = func() error { return nil }

var (
	address   = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
	faultLine = regexp.MustCompile(`.*"level":"ERROR".*`)
	tokenText = regexp.MustCompile(`postman_dev_[0-9a-z]{20}_[0-9A-Za-z]{49}`)
)

// startService builds the service and starts the one of all tests on an empty database.
var startService = sync.OnceValues(func() (*service, error) {
	dir, err := os.MkdirTemp("", "browsertest")
	if err != nil {
		return nil, err
	}
	program, file := filepath.Join(dir, "postman"), filepath.Join(dir, "postman.db")
	build := exec.Command("go", "build", "-o", program, "./postman")
	build.Dir = "../../examples"
	if text, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("the service does not build: %w\n%s", err, text)
	}
	run := exec.Command(program, "-dev", "-addr", "127.0.0.1:0", "-dsn", file)
	var log bytes.Buffer
	run.Stderr = &log
	out, err := run.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := run.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	s := &service{url: address.FindString(first)}
	if s.url == "" {
		run.Process.Kill()
		return nil, errors.Join(fmt.Errorf("the service does not say where it is: %s", first), err, run.Wait())
	}
	go io.Copy(io.Discard, lines)

	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	if s.store, err = sqlstore.New(db, sqlstore.SQLite, sqlstore.Config{}); err != nil {
		return nil, err
	}
	stopService = func() error {
		defer os.RemoveAll(dir)
		err := errors.Join(db.Close(), run.Process.Signal(syscall.SIGTERM), run.Wait())
		if line := faultLine.Find(log.Bytes()); line != nil {
			err = errors.Join(err, fmt.Errorf("the service logged a fault: %s", line))
		}
		if tokenText.Match(log.Bytes()) {
			err = errors.Join(err, errors.New("the service logged a token"))
		}
		return err
	}
	return s, nil
})
