package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// changesPerSecond is how many keys end in a second of churn, of a thousand.
const changesPerSecond = 20

// load sends requests for a while: so many a second, or as fast as the workers can where the rate is 0.
func load(ctx context.Context, s *server, rate int, workers uint64, for_ time.Duration) []answer {
	attacker := vegeta.NewAttacker(vegeta.Workers(workers), vegeta.MaxWorkers(workers), vegeta.KeepAlive(true),
		vegeta.Connections(int(workers)), vegeta.HTTP2(false), vegeta.Timeout(10*time.Second))
	results := attacker.Attack(func(t *vegeta.Target) error {
		n, token := s.tokens.pick()
		t.Method = http.MethodGet
		t.URL = s.Addr + "/?" + strconv.Itoa(n)
		t.Header = http.Header{"Authorization": {"Bearer " + token}}
		return nil
	}, vegeta.Rate{Freq: rate, Per: time.Second}, for_, s.name)
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()
	var answers []answer
	for r := range results {
		_, number, _ := strings.Cut(r.URL, "?")
		n, err := strconv.Atoi(number)
		if err != nil {
			continue // none was sent
		}
		answers = append(answers, answer{s.tokens.life(n), r.Timestamp, r.Latency, int(r.Code)})
	}
	return answers
}

// churn sends requests as load does, and meanwhile ends keys: it revokes one and issues another, and
// rotates the next so that its old token ends at once.
func churn(ctx context.Context, s *server, rate int, workers uint64, for_ time.Duration) ([]answer, int, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	type outcome struct {
		changes int
		err     error
	}
	done := make(chan outcome, 1)
	go func() {
		changes, err := s.change(ctx)
		stop()
		done <- outcome{changes, err}
	}()
	answers := load(ctx, s, rate, workers, for_)
	stop()
	o := <-done
	return answers, o.changes, o.err
}

// change ends keys until the context does.
func (s *server) change(ctx context.Context) (changes int, err error) {
	tick := time.NewTicker(time.Second / changesPerSecond)
	defer tick.Stop()
	for ; ; changes++ {
		select {
		case <-ctx.Done():
			return changes, nil
		case <-tick.C:
		}
		var next issued
		err := s.tokens.end(func(k issued) (err error) {
			if changes%2 == 0 {
				if _, err = s.ask("/revoke", k.ID); err != nil {
					return err
				}
				next, err = s.ask("/issue", "")
				return err
			}
			next, err = s.ask("/rotate", k.ID)
			return err
		})
		if err != nil {
			return changes, err
		}
		s.tokens.add(next)
	}
}

// ask has the server change a key.
func (s *server) ask(path, id string) (k issued, err error) {
	res, err := http.PostForm(s.Control+path, url.Values{"id": {id}})
	if err != nil {
		return issued{}, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return issued{}, fmt.Errorf("%s: %s", path, res.Status)
	}
	return k, json.NewDecoder(res.Body).Decode(&k)
}
