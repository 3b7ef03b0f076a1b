package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"github.com/opengovsg/latchkey/apikey"
	"github.com/opengovsg/latchkey/internal/bench/scratch"
	"github.com/opengovsg/latchkey/sqlstore"
)

// A row is a fleet and what was found of it.
type row struct {
	setting
	finding
}

// measure runs a fleet of processes on a schema of its own.
func measure(ctx context.Context, s setting) (found finding, err error) {
	dsn, drop, err := scratch.Postgres(ctx)
	if err != nil {
		return finding{}, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	keys, st, closeDB, err := openKeys(dsn)
	if err != nil {
		return finding{}, err
	}
	defer closeDB()
	if err := st.Store.(*sqlstore.Store).Migrate(ctx); err != nil {
		return finding{}, err
	}
	o := order{setting: s, DSN: dsn}
	var ids []string
	for range s.Keys {
		token, key, err := keys.Issue(ctx, apikey.Request{Owner: "user_42", Label: "HR reminders"})
		if err != nil {
			return finding{}, err
		}
		o.Tokens, ids = append(o.Tokens, token.Reveal()), append(ids, key.ID)
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	findings, errs := make([]finding, s.Instances), make([]error, s.Instances+1)
	var all, changing sync.WaitGroup
	for i := range s.Instances {
		all.Go(func() {
			if findings[i], errs[i] = runInstance(ctx, o); errs[i] != nil {
				cancel() // the others
			}
		})
	}
	changes, stop := context.WithCancel(ctx)
	defer stop()
	changing.Go(func() { errs[s.Instances] = change(changes, keys, ids, s.Changes) })
	all.Wait()
	stop()
	changing.Wait()
	for _, f := range findings {
		found.add(f)
	}
	return found, errors.Join(errs...)
}

// runInstance runs one instance as a process of this program.
func runInstance(ctx context.Context, o order) (f finding, err error) {
	program, err := os.Executable()
	if err != nil {
		return finding{}, err
	}
	cmd := exec.CommandContext(ctx, program, "instance")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return finding{}, err
	}
	cmd.Cancel, cmd.WaitDelay = stdin.Close, 10*time.Second
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return finding{}, err
	}
	if err := cmd.Start(); err != nil {
		return finding{}, err
	}
	err = errors.Join(json.NewEncoder(stdin).Encode(o), json.NewDecoder(stdout).Decode(&f))
	return f, errors.Join(err, stdin.Close(), cmd.Wait())
}

// change changes the labels of keys, so many times a second for each, until the context ends.
func change(ctx context.Context, keys *apikey.Service, ids []string, rate float64) error {
	if rate == 0 {
		return nil
	}
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Duration(rand.ExpFloat64() / rate / float64(len(ids)) * float64(time.Second))):
		}
		label := fmt.Sprintf("HR reminders, changed %d times", n+1)
		_, err := keys.Update(ctx, apikey.AnyOwner(ids[rand.IntN(len(ids))]), apikey.Changes{Label: &label})
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
}

func write(w io.Writer, rows []row, quick bool) {
	fmt.Fprint(w, "# A fleet, measured\n\n")
	if quick {
		fmt.Fprint(w, "**Made with -quick: good for a look, and not to be quoted.**\n\n")
	}
	fmt.Fprintf(w, "Written by `go run ./internal/bench/fleet`, on %d cores, %s, %s/%s, the database on the same cores. Each instance is a process\n",
		runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	fmt.Fprint(w, "with a cache of its own. The formulas are those of [scaling.md](scaling.md). A list is a poll, or a further page of one.\n\n")
	fmt.Fprintln(w, "| instances | keys | uses of a key a second at each | changes of a key a second | MaxAge | verifications a second | reads a second, formula | measured | ratio | lists a second, formula | measured |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|---|")
	for _, r := range rows {
		seconds := r.Measured.Seconds()
		measured := float64(r.Gets) / seconds
		fmt.Fprintf(w, "| %d | %d | %v | %v | %s | %.0f | %.1f | %.1f | %.2f | %.1f | %.1f |\n", r.Instances, r.Keys, r.Rate, r.Changes, r.MaxAge,
			float64(r.Verified)/seconds, reads(r.setting), measured, measured/reads(r.setting), polls(r.setting), float64(r.Lists)/seconds)
	}
}
