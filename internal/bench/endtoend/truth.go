package main

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// A life is a token, and when its answers are known. It is good from before anybody learns of it.
type life struct {
	issued
	ending time.Time // before what ended it was sent; zero while it lives
	ended  time.Time // after that was acknowledged
}

// tokens are the tokens of a server, those that have ended too.
type tokens struct {
	mu    sync.Mutex
	lives []*life
	alive []int // places in lives
	dead  []int
}

func newTokens(keys []issued) *tokens {
	t := new(tokens)
	for _, k := range keys {
		t.add(k)
	}
	return t
}

func (t *tokens) add(k issued) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.alive = append(t.alive, len(t.lives))
	t.lives = append(t.lives, &life{issued: k})
}

// pick returns a token to send: one in ten of those that have ended, where there are any.
func (t *tokens) pick() (int, string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	from := t.alive
	if len(t.dead) > 0 && rand.IntN(10) == 0 {
		from = t.dead
	}
	n := from[rand.IntN(len(from))]
	return n, t.lives[n].Token
}

// life returns the token at a place.
func (t *tokens) life(n int) *life {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lives[n]
}

// end notes that a token ends with what change does. Meanwhile either answer is right.
func (t *tokens) end(change func(k issued) error) error {
	t.mu.Lock()
	i := rand.IntN(len(t.alive))
	n := t.alive[i]
	l := t.lives[n]
	l.ending = time.Now()
	t.mu.Unlock()
	if err := change(l.issued); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l.ended = time.Now()
	t.alive[i] = t.alive[len(t.alive)-1] // nobody else ends tokens, and those added come at the end
	t.alive = t.alive[:len(t.alive)-1]
	t.dead = append(t.dead, n)
	return nil
}

// An answer is what came of one request.
type answer struct {
	life  *life
	began time.Time
	took  time.Duration
	code  int
}

// mistakes are answers that can't be right.
type mistakes struct{ allowed, refused, failed int }

func (m *mistakes) add(n mistakes) {
	m.allowed += n.allowed
	m.refused += n.refused
	m.failed += n.failed
}

func (m mistakes) sum() int { return m.allowed + m.refused + m.failed }

// judge counts the answers that can't be right: a token that was let in after its end was acknowledged, one
// that was refused before its end was asked for, and what is neither.
func judge(answers []answer) (m mistakes) {
	for _, a := range answers {
		switch {
		case a.code == http.StatusOK:
			if !a.life.ended.IsZero() && a.began.After(a.life.ended) {
				m.allowed++
			}
		case a.code == http.StatusUnauthorized:
			if a.life.ending.IsZero() || a.began.Add(a.took).Before(a.life.ending) {
				m.refused++
			}
		default:
			m.failed++
		}
	}
	return m
}
