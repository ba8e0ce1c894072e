package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
)

// A stream is what one side has seen so far.
type stream struct {
	mu       sync.Mutex
	views    []*view
	failures map[string]error // by activity id; "" for what belongs to none
	changed  chan struct{}
}

func newStream() *stream {
	return &stream{failures: make(map[string]error), changed: make(chan struct{})}
}

func (s *stream) add(v *view) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.views = append(s.views, v)
	s.wake()
}

// fail records that an activity could not be delivered.
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
func (s *stream) find(ctx context.Context, activityID string) (*view, error) {
	return s.await(ctx, "activity "+activityID, activityID, func(v *view) bool { return v.activityID == activityID })
}

// findID waits for an activity whose id the one who did it was not told.
func (s *stream) findID(ctx context.Context, what string, match func(*view) bool) (string, error) {
	v, err := s.await(ctx, what, "", match)
	if err != nil {
		return "", err
	}
	return v.activityID, nil
}

// await returns the first view that matches, or the failure of failureID.
func (s *stream) await(ctx context.Context, what, failureID string, match func(*view) bool) (*view, error) {
	for {
		s.mu.Lock()
		at := slices.IndexFunc(s.views, match)
		var v *view
		if at >= 0 {
			v = s.views[at]
		}
		failure, changed := s.failures[failureID], s.changed
		s.mu.Unlock()
		switch {
		case v != nil:
			return v, nil
		case failure != nil:
			return nil, failure
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%s has not arrived: %w", what, context.Cause(ctx))
		}
	}
}

// all returns the views that want says yes to, in the order of their frames.
// The SDK, which decrypts each on its own, may hand them on in another.
func (s *stream) all(want func(*view) bool) []*view {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*view
	for _, v := range s.views {
		if want(v) {
			list = append(list, v)
		}
	}
	slices.SortStableFunc(list, func(a, b *view) int { return cmp.Compare(a.sequence, b.sequence) })
	return list
}

// unexplained is the failure that belongs to no activity, if there was one.
func (s *stream) unexplained() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failures[""]
}
