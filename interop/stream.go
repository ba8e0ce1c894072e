package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/webexmsg/webexmsg"
)

// A stream is what one side has told so far.
type stream struct {
	mu       sync.Mutex
	accounts []*account
	failures map[string]error // by activity id; "" for what belongs to none
	changed  chan struct{}
}

func newStream() *stream {
	return &stream{failures: make(map[string]error), changed: make(chan struct{})}
}

func (s *stream) add(a *account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts = append(s.accounts, a)
	s.wake()
}

// fail records that an activity could not be told.
func (s *stream) fail(activityID string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures[activityID] = err
	s.wake()
}

// wake needs s.mu.
func (s *stream) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// find waits for the activity of this id.
func (s *stream) find(ctx context.Context, activityID string) (*account, error) {
	return s.await(ctx, "activity "+activityID, activityID, func(a *account) bool { return a.activityID == activityID })
}

// findID waits for an activity whose id the one who did it was not told.
func (s *stream) findID(ctx context.Context, what string, match func(*view) bool) (string, error) {
	a, err := s.await(ctx, what, "", func(a *account) bool { return match(a.whole()) })
	if err != nil {
		return "", err
	}
	return a.activityID, nil
}

// await returns the first account that matches, or the failure of failureID.
func (s *stream) await(ctx context.Context, what, failureID string, match func(*account) bool) (*account, error) {
	for {
		s.mu.Lock()
		var found *account
		if at := slices.IndexFunc(s.accounts, match); at >= 0 {
			found = s.accounts[at]
		}
		failure, changed := s.failures[failureID], s.changed
		s.mu.Unlock()
		switch {
		case failure != nil:
			return nil, failure
		case found != nil:
			return found, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%s has not arrived: %w", what, context.Cause(ctx))
		}
	}
}

// all returns the accounts in the order of their frames. The SDK, which
// decrypts each on its own, may hand them on in another.
func (s *stream) all() []*account {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.Clone(s.accounts)
	slices.SortStableFunc(list, func(a, b *account) int { return cmp.Compare(a.sequence, b.sequence) })
	return list
}

// without returns list without the activities that this side could not tell.
func (s *stream) without(list []*account) []*account {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(list, func(a *account) bool { return s.failures[a.activityID] != nil })
}

// undecrypted counts the activities that this side has said it cannot decrypt.
func (s *stream) undecrypted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, err := range s.failures {
		var undecryptable *webexmsg.DecryptError
		if errors.As(err, &undecryptable) {
			n++
		}
	}
	return n
}

// unexplained is the failure that belongs to no activity, if there was one.
func (s *stream) unexplained() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failures[""]
}
