package webexmsg

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The names of events, for [Handler.On].
const (
	EventMessageCreated = "message:created" // [DecryptedMessage]
	EventMessageUpdated = "message:updated" // [DecryptedMessage]
	EventMessageDeleted = "message:deleted" // [DeletedMessage]

	EventConnected    = "connected"    // nothing
	EventDisconnected = "disconnected" // reason, a string
	EventReconnecting = "reconnecting" // attempt, an int, from 1
	EventError        = "error"        // error
	EventGap          = "gap"          // [Gap]
)

// RoomType tells a room of two from all others.
type RoomType string

// The kinds of rooms, in the words of the REST API.
const (
	RoomDirect RoomType = "direct"
	RoomGroup  RoomType = "group"
)

// DecryptedMessage is emitted when a message was posted (message:created) or
// edited (message:updated) in a room of the bot. IDs are UUIDs as Mercury has
// them, not the ids of the REST API.
//
// Text and HTML are as their author sent them, and nothing to trust.
type DecryptedMessage struct {
	// ID identifies the activity: the message, or its edit.
	ID string
	// ParentID is the message that this one answers in a thread or, for an
	// edit, the message that was edited. Empty otherwise.
	ParentID string
	RoomID   string
	RoomType RoomType

	PersonID    string
	PersonEmail string

	Text string
	HTML string // empty when the message is plain text
	// Created is when it was posted, by Webex's clock.
	Created time.Time

	// MentionedPeople holds the ids of the people mentioned, MentionedGroups
	// the kinds of the groups ("all").
	MentionedPeople []string
	MentionedGroups []string
	Files           []File

	// CaughtUp means that it was missed when it was sent and fetched later.
	CaughtUp bool
	// Raw is the whole activity, with the strings that were opened in clear.
	Raw json.RawMessage
}

// File describes a file that was shared in a room.
type File struct {
	// URL is where the encrypted file is kept.
	URL      string
	Name     string
	MIMEType string
	Size     int64 // bytes, in clear
}

// DeletedMessage is emitted when a message was deleted.
type DeletedMessage struct {
	// MessageID is the message that is gone.
	MessageID string
	RoomID    string
	RoomType  RoomType
	// PersonID and PersonEmail are of who deleted it.
	PersonID    string
	PersonEmail string
	// Deleted is when it happened, by Webex's clock.
	Deleted time.Time
	// ActivityID identifies the deletion itself.
	ActivityID string
	Raw        json.RawMessage
}

// topics are the events of one Handler, each with its callbacks.
type topics struct {
	messageCreated topic[DecryptedMessage]
	messageUpdated topic[DecryptedMessage]
	messageDeleted topic[DeletedMessage]

	connected    signal
	disconnected topic[string]
	reconnecting topic[int]
	errors       topic[error]
	gap          topic[Gap]
}

// byName finds a topic for On; nil if there is none of that name.
func (t *topics) byName(event string) subscriber {
	switch event {
	case EventMessageCreated:
		return &t.messageCreated
	case EventMessageUpdated:
		return &t.messageUpdated
	case EventMessageDeleted:
		return &t.messageDeleted
	case EventConnected:
		return &t.connected
	case EventDisconnected:
		return &t.disconnected
	case EventReconnecting:
		return &t.reconnecting
	case EventError:
		return &t.errors
	case EventGap:
		return &t.gap
	}
	return nil
}

type subscriber interface {
	subscribe(event string, fn any) (remove func())
}

// A topic holds the callbacks of one event, in the order of registration. The
// list is replaced, never changed, so that emitting needs no lock and callbacks
// may come and go at any time.
type topic[T any] struct {
	mu   sync.Mutex // of writers
	list atomic.Pointer[[]*callback[T]]
}

type callback[T any] struct {
	fn func(context.Context, T) error
}

// subscribe adds fn, which must be of one of the four forms that On documents.
func (t *topic[T]) subscribe(event string, fn any) (remove func()) {
	var call func(context.Context, T) error
	isNil := false
	switch fn := fn.(type) {
	case func(T):
		call, isNil = func(_ context.Context, v T) error { fn(v); return nil }, fn == nil
	case func(T) error:
		call, isNil = func(_ context.Context, v T) error { return fn(v) }, fn == nil
	case func(context.Context, T):
		call, isNil = func(ctx context.Context, v T) error { fn(ctx, v); return nil }, fn == nil
	case func(context.Context, T) error:
		call, isNil = fn, fn == nil
	default:
		panic(misfit(event, (func(T))(nil), fn))
	}
	if isNil {
		panic(fmt.Sprintf("webexmsg: On(%q) was given a nil %T", event, fn))
	}
	return t.add(call)
}

// A signal is a topic without a payload.
type signal struct{ topic[struct{}] }

// subscribe takes the four forms without the payload.
func (s *signal) subscribe(event string, fn any) (remove func()) {
	switch fn := fn.(type) {
	case func():
		return s.topic.subscribe(event, with(fn != nil, func(struct{}) { fn() }))
	case func() error:
		return s.topic.subscribe(event, with(fn != nil, func(struct{}) error { return fn() }))
	case func(context.Context):
		return s.topic.subscribe(event, with(fn != nil, func(ctx context.Context, _ struct{}) { fn(ctx) }))
	case func(context.Context) error:
		return s.topic.subscribe(event, with(fn != nil, func(ctx context.Context, _ struct{}) error { return fn(ctx) }))
	}
	panic(misfit(event, (func())(nil), fn))
}

// with is fn, or nil unless ok.
func with[F any](ok bool, fn F) F {
	if !ok {
		fn = *new(F)
	}
	return fn
}

func misfit(event string, want, got any) string {
	return fmt.Sprintf("webexmsg: On(%q) takes a %T (with a context first and an error last, if wanted), not a %T", event, want, got)
}

func (t *topic[T]) add(fn func(context.Context, T) error) (remove func()) {
	c := &callback[T]{fn: fn}
	t.update(func(list []*callback[T]) []*callback[T] { return append(slices.Clip(list), c) })
	return func() {
		t.update(func(list []*callback[T]) []*callback[T] {
			return slices.DeleteFunc(slices.Clone(list), func(x *callback[T]) bool { return x == c })
		})
	}
}

func (t *topic[T]) update(change func([]*callback[T]) []*callback[T]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := change(t.callbacks())
	t.list.Store(&list)
}

func (t *topic[T]) callbacks() []*callback[T] {
	if list := t.list.Load(); list != nil {
		return *list
	}
	return nil
}

// emit calls every callback in turn. What a callback returns, or that it
// panicked, goes to failed, and the next one is called.
func (t *topic[T]) emit(ctx context.Context, event string, v T, failed func(event string, err error, stack []byte)) {
	for _, c := range t.callbacks() {
		if stack, err := runCallback(func() error { return c.fn(ctx, v) }); err != nil {
			failed(event, err, stack)
		}
	}
}
