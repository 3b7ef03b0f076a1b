package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

// options are what the service is started with.
type options struct {
	addr  string
	dsn   string
	dev   bool
	url   string        // where people reach it, without a slash at the end; empty: at addr
	drain time.Duration // between the end being announced and no new connection being taken

	smtp, from     string
	plaintext      bool
	user, password string // for the mail server

	peppers    [][]byte // nil for apikey.NoPepper
	legacySalt string

	log io.Writer        // for the log, which is JSON
	now func() time.Time // nil: time.Now
}

const usage = `Postman sends mail for agencies, whose officers sign in with a code and generate API keys.

To try it out:  go run ./examples/postman -dev
                which shows mail at /outbox, and to programs at /outbox.json

To take over the keys of the earlier Postman:  postman import -help

Behind a proxy that speaks TLS and passes the Host on:

  postman -smtp HOST:PORT -from ADDRESS -dsn postgres://... -url https://...

These are read from the environment, since they are secret, and optional:

  SMTP_USERNAME, SMTP_PASSWORD  to log in to the mail server
  POSTMAN_DSN                   the database, instead of -dsn, which a list of processes shows
  POSTMAN_PEPPERS_FILE          a file with a pepper on each line, as "openssl rand -base64 32" prints it, or
                                the word none; the first one hashes, all of them verify
  POSTMAN_LEGACY_SALT           the bcrypt salt of the earlier system, whose keys were imported

Flags:
`

// parse reads the flags and the environment.
func parse(args []string, out io.Writer) (options, error) {
	o := options{user: os.Getenv("SMTP_USERNAME"), password: os.Getenv("SMTP_PASSWORD"), legacySalt: os.Getenv("POSTMAN_LEGACY_SALT"), log: os.Stderr}
	flags := flag.NewFlagSet("postman", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() {
		fmt.Fprint(out, usage)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "the `host:port` to listen on; port 0 takes one that is free")
	flags.StringVar(&o.dsn, "dsn", cmp.Or(os.Getenv("POSTMAN_DSN"), "postman.db"), "the `database`: postgres://…, mysql://… or a SQLite file, which is made where there is none (default $POSTMAN_DSN, or postman.db)")
	flags.Lookup("dsn").DefValue = "" // which -help would show
	flags.BoolVar(&o.dev, "dev", false, "try it out on this machine: mail goes to the page /outbox, and keys begin with postman_dev")
	flags.StringVar(&o.url, "url", "", "the `URL` at which people reach the service, for links in mails (default what it listens on)")
	flags.DurationVar(&o.drain, "drain", 0, "how long to go on with /readyz saying no before new connections are refused, for a load balancer to notice")
	flags.StringVar(&o.smtp, "smtp", "", "the mail server, as `host:port`; at port 465 it speaks TLS, at others STARTTLS")
	flags.StringVar(&o.from, "from", "", "the `address` that mails are from")
	flags.BoolVar(&o.plaintext, "plaintext", false, "send to a mail server without TLS: anybody in between can read along")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	if flags.NArg() > 0 {
		return options{}, errors.New("there is more than flags; see -help")
	}
	var err error
	if o.peppers, err = readPeppers(os.Getenv("POSTMAN_PEPPERS_FILE")); err != nil {
		return options{}, err
	}
	return o, o.check()
}

// check finds out what can't go together.
func (o *options) check() error {
	switch {
	case !o.dev && o.smtp == "":
		return errors.New("name a mail server with -smtp, or try the service out with -dev")
	case o.dev && (o.smtp != "" || o.from != ""):
		return errors.New("-dev sends no mail, so it does not go with -smtp or -from")
	case !o.dev && o.from == "":
		return errors.New("name with -from the address that mails are from")
	case o.user == "" && o.password != "":
		return errors.New("SMTP_PASSWORD does nothing without SMTP_USERNAME")
	case o.drain < 0 || o.drain > time.Minute:
		return errors.New("-drain must be 0s to 1m")
	}
	if o.url != "" {
		u, err := url.Parse(o.url)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			return errors.New("-url must be http:// or https:// and a host")
		}
		o.url = u.Scheme + "://" + u.Host
	}
	return nil
}

// listen opens the socket. Under -dev that is one which only this machine reaches: the outbox has
// everybody's codes.
func (o *options) listen(ctx context.Context) (net.Listener, error) {
	addr := o.addr
	if host, port, err := net.SplitHostPort(addr); err == nil && host == "" && o.dev {
		addr = net.JoinHostPort("127.0.0.1", port)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("can't listen at -addr: %w", err)
	}
	if tcp, ok := listener.Addr().(*net.TCPAddr); o.dev && (!ok || !tcp.IP.IsLoopback()) {
		return nil, errors.Join(errors.New("-dev is for this machine only: -addr must be a loopback address, such as 127.0.0.1:8080"), listener.Close())
	}
	return listener, nil
}

// maxPeppers is the size of the file in bytes.
const maxPeppers = 64 << 10

// readPeppers reads the file with the peppers. No error holds anything of it.
func readPeppers(name string) ([][]byte, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("POSTMAN_PEPPERS_FILE: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPeppers))
	if err != nil {
		return nil, fmt.Errorf("POSTMAN_PEPPERS_FILE: %w", err)
	}
	var peppers [][]byte
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		switch line = strings.TrimSpace(line); line {
		case "":
		case "none":
			peppers = append(peppers, nil)
		default:
			key, err := base64.StdEncoding.DecodeString(line)
			if err != nil {
				return nil, fmt.Errorf("POSTMAN_PEPPERS_FILE: line %d is neither base64 nor the word none", number)
			}
			peppers = append(peppers, key)
		}
	}
	if len(peppers) == 0 {
		return nil, errors.New("POSTMAN_PEPPERS_FILE: there is no pepper in it")
	}
	return peppers, nil
}
