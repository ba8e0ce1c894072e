package webexmsg

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// The names of events, for [Handler.On].
const (
	EventMessageCreated = "message:created" // [DecryptedMessage]
	EventMessageUpdated = "message:updated" // [DecryptedMessage]
	EventMessageDeleted = "message:deleted" // [DeletedMessage]

	EventAttachmentActionCreated = "attachmentAction:created" // [AttachmentAction]

	EventMembershipCreated = "membership:created" // [MembershipActivity]
	EventMembershipUpdated = "membership:updated" // [MembershipActivity]
	EventMembershipDeleted = "membership:deleted" // [MembershipActivity]
	EventMembershipSeen    = "membership:seen"    // [MembershipActivity]

	EventRoomCreated = "room:created" // [RoomActivity]
	EventRoomUpdated = "room:updated" // [RoomActivity]

	EventReactionCreated = "reaction:created" // [ReactionActivity]
	EventReactionDeleted = "reaction:deleted" // [ReactionActivity]
	EventReactionUpdated = "reaction:updated" // [ReactionTally]

	EventActivity = "activity" // [Activity], after all of the above

	EventConnected    = "connected"    // nothing
	EventDisconnected = "disconnected" // reason, a string
	EventReconnecting = "reconnecting" // attempt, an int, from 1
	EventError        = "error"        // error
	EventGap          = "gap"          // [Gap]
)

// topics are the events of one Handler, each with its callbacks.
type topics struct {
	messageCreated topic[DecryptedMessage]
	messageUpdated topic[DecryptedMessage]
	messageDeleted topic[DeletedMessage]

	attachmentActionCreated topic[AttachmentAction]

	membershipCreated topic[MembershipActivity]
	membershipUpdated topic[MembershipActivity]
	membershipDeleted topic[MembershipActivity]
	membershipSeen    topic[MembershipActivity]

	roomCreated topic[RoomActivity]
	roomUpdated topic[RoomActivity]

	reactionCreated topic[ReactionActivity]
	reactionDeleted topic[ReactionActivity]
	reactionUpdated topic[ReactionTally]

	activity topic[Activity]

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
	case EventAttachmentActionCreated:
		return &t.attachmentActionCreated
	case EventMembershipCreated:
		return &t.membershipCreated
	case EventMembershipUpdated:
		return &t.membershipUpdated
	case EventMembershipDeleted:
		return &t.membershipDeleted
	case EventMembershipSeen:
		return &t.membershipSeen
	case EventRoomCreated:
		return &t.roomCreated
	case EventRoomUpdated:
		return &t.roomUpdated
	case EventReactionCreated:
		return &t.reactionCreated
	case EventReactionDeleted:
		return &t.reactionDeleted
	case EventReactionUpdated:
		return &t.reactionUpdated
	case EventActivity:
		return &t.activity
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
