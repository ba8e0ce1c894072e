package webexmsg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// credentials hold the token of the moment, and get another one where the
// program can give one.
type credentials struct {
	source func(context.Context) (string, error) // nil: there is no other

	mu     sync.Mutex // guards what follows
	tok    string
	asking *asking // the source is being asked; nil: it is not
}

// asking is one question to the source, which all who need the answer share.
type asking struct {
	done chan struct{} // closed when err is there
	err  error
}

var errNoToken = errors.New("it gave no usable token")

func (c *credentials) token() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tok
}

func (c *credentials) set(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tok = token
}

// renewable reports whether renew can help.
func (c *credentials) renewable() bool { return c.source != nil }

// renew gets a token other than the one that was refused, or "" for the first.
// If there is one already, that is that.
func (c *credentials) renew(ctx context.Context, refused string) error {
	c.mu.Lock()
	if c.tok != refused {
		c.mu.Unlock()
		return nil
	}
	q := c.asking
	if q != nil {
		c.mu.Unlock()
		select {
		case <-q.done:
			return q.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	q = &asking{done: make(chan struct{})}
	c.asking = q
	c.mu.Unlock()

	token, err := c.source(ctx)
	switch {
	case err != nil:
		q.err = fmt.Errorf("the token source: %w", err)
	case token == refused:
		q.err = fmt.Errorf("%w, and the token source has no other", ErrUnauthorized)
	case !plausibleToken(token):
		q.err = fmt.Errorf("the token source: %w", errNoToken)
	}
	c.mu.Lock()
	if q.err == nil {
		c.tok = token
	}
	c.asking = nil
	c.mu.Unlock()
	close(q.done)
	return q.err
}

// plausibleToken reports whether a token can stand in a header.
func plausibleToken(token string) bool {
	return token != "" && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}
