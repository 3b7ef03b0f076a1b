package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A client calls the server from any number of goroutines and replaces the token that they send.
type client struct {
	http *http.Client
	url  string

	mu    sync.RWMutex
	token *credential

	answered, byOld atomic.Int64
}

// A credential is a token and the requests under way with it.
type credential struct {
	token    string
	underWay sync.WaitGroup
}

func newClient(url, token string) *client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = workers + 1
	return &client{http: &http.Client{Transport: transport}, url: url, token: &credential{token: token}}
}

// call makes a request with the token that the client has, and fails unless it is served.
func (c *client) call(ctx context.Context) error {
	c.mu.RLock()
	cred := c.token
	cred.underWay.Add(1)
	c.mu.RUnlock()
	defer cred.underWay.Done()
	status, body, err := c.send(ctx, "GET", "/emails", cred.token)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("a request was answered with %d after %d that were served", status, c.answered.Load())
	}
	c.answered.Add(1)
	if body == replaced {
		c.byOld.Add(1)
	}
	return nil
}

// renew asks the server for the next token. The client goes on with the one it has until it is told
// to use the new one, once that is kept where a restart finds it.
func (c *client) renew(ctx context.Context) (string, error) {
	status, body, err := c.send(ctx, "POST", "/token", c.current())
	if err != nil {
		return "", err
	}
	if status != http.StatusOK {
		return "", fmt.Errorf("asking for a token was answered with %d", status)
	}
	var fresh struct{ Token string }
	if err := json.Unmarshal([]byte(body), &fresh); err != nil {
		return "", err
	}
	return fresh.Token, nil
}

// use replaces the token, and returns when the last request with the one before is answered. For these
// there is the grace, and for every other client that shares the token.
func (c *client) use(token string) {
	c.mu.Lock()
	before := c.token
	c.token = &credential{token: token}
	c.mu.Unlock()
	before.underWay.Wait()
}

func (c *client) current() string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.token.token
}

// more waits for so many further requests to be served.
func (c *client) more(ctx context.Context, n int64) error {
	for goal := c.answered.Load() + n; c.answered.Load() < goal; {
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return nil
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(5 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (c *client) send(ctx context.Context, method, path, token string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, nil)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := c.http.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res.StatusCode, string(text), err
}
