package webexmsg

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/webexmsg/webexmsg/internal/once"
)

// A Handler receives the messages of one bot. Make it with [New], register
// callbacks, and [Handler.Run] it.
//
// All methods may be called from any goroutine at any time, callbacks
// included. Callbacks of activities are called one at a time and in order
// within a room, and at the same time for different rooms; those of
// "connected", "disconnected", "reconnecting" and "error" one at a time and in
// order among themselves. A callback that blocks holds up its own room alone.
//
// The context that a callback may take ends when Disconnect stops waiting for
// it.
type Handler struct {
	cfg    *settings
	creds  *credentials
	rest   *restClient
	kms    *kms
	topics topics
	seen   *once.Memory // activities, by id

	reactions    reactionMemory
	registration atomic.Pointer[registration]

	lastPong, lastEvent atomic.Int64 // nanoseconds since 1970; 0: never

	mu      sync.Mutex // guards what follows
	session *session   // from Connect to the end of Disconnect
	failed  bool       // the last session ended by itself
	status  HandlerStatus
}

// State is what a Handler is doing.
type State string

// The states of a Handler.
const (
	StateDisconnected State = "disconnected"
	StateConnecting   State = "connecting"
	StateConnected    State = "connected"
	StateReconnecting State = "reconnecting"
)

// HandlerStatus is a snapshot of a Handler.
type HandlerStatus struct {
	State State
	// WebSocketOpen means that a socket is open and authorised.
	WebSocketOpen bool
	// KMSInitialized means that a key is agreed on with KMS, so that content
	// keys can be had.
	KMSInitialized bool
	// DeviceRegistered means that there is a registration with WDM.
	DeviceRegistered bool
	// ReconnectAttempt counts the attempts since the connection was last
	// healthy; 0 while it is.
	ReconnectAttempt int
	// LastPong is when a ping was last answered, and LastEvent when an
	// activity last arrived, by the local clock; zero if never.
	LastPong  time.Time
	LastEvent time.Time
	// LastError is what went wrong last; nil if nothing has.
	LastError error
}

// New checks a Config and makes a Handler of it. It does no I/O. The error
// names every field that is not valid.
func New(cfg Config) (*Handler, error) {
	s, err := cfg.check()
	if err != nil {
		return nil, err
	}
	h := &Handler{cfg: s, creds: &credentials{tok: s.Token, source: s.TokenSource}}
	h.rest = newRESTClient(s, h.creds)
	h.seen = once.New(rememberFor, rememberIDs)
	h.kms = newKMS(h.rest, s.Logger, s.KMSRoots, h.report)
	h.status.State = StateDisconnected
	return h, nil
}

// On registers a callback for an event, by one of the Event constants. With T
// the event's payload, fn is a func(T), func(T) error, func(context.Context, T)
// or func(context.Context, T) error; for "connected", which has no payload, T
// is left out. On panics if there is no such event or fn does not fit it.
//
// Callbacks of one event are called in the order of their registration. An
// error that one returns, and its panic, become an "error" event that holds a
// *[CallbackError]. remove takes the callback away again.
func (h *Handler) On(event string, fn any) (remove func()) {
	t := h.topics.byName(event)
	if t == nil {
		panic(fmt.Sprintf("webexmsg: On(%q): there is no such event", event))
	}
	return t.subscribe(event, fn)
}

// OnMessageCreated is [Handler.On] for "message:created".
func (h *Handler) OnMessageCreated(fn func(DecryptedMessage)) (remove func()) {
	return h.On(EventMessageCreated, fn)
}

// OnMessageUpdated is [Handler.On] for "message:updated".
func (h *Handler) OnMessageUpdated(fn func(DecryptedMessage)) (remove func()) {
	return h.On(EventMessageUpdated, fn)
}

// OnMessageDeleted is [Handler.On] for "message:deleted".
func (h *Handler) OnMessageDeleted(fn func(DeletedMessage)) (remove func()) {
	return h.On(EventMessageDeleted, fn)
}

// OnAttachmentActionCreated is [Handler.On] for "attachmentAction:created".
func (h *Handler) OnAttachmentActionCreated(fn func(AttachmentAction)) (remove func()) {
	return h.On(EventAttachmentActionCreated, fn)
}

// OnMembershipCreated is [Handler.On] for "membership:created".
func (h *Handler) OnMembershipCreated(fn func(MembershipActivity)) (remove func()) {
	return h.On(EventMembershipCreated, fn)
}

// OnMembershipUpdated is [Handler.On] for "membership:updated".
func (h *Handler) OnMembershipUpdated(fn func(MembershipActivity)) (remove func()) {
	return h.On(EventMembershipUpdated, fn)
}

// OnMembershipDeleted is [Handler.On] for "membership:deleted".
func (h *Handler) OnMembershipDeleted(fn func(MembershipActivity)) (remove func()) {
	return h.On(EventMembershipDeleted, fn)
}

// OnMembershipSeen is [Handler.On] for "membership:seen".
func (h *Handler) OnMembershipSeen(fn func(MembershipActivity)) (remove func()) {
	return h.On(EventMembershipSeen, fn)
}

// OnRoomCreated is [Handler.On] for "room:created".
func (h *Handler) OnRoomCreated(fn func(RoomActivity)) (remove func()) {
	return h.On(EventRoomCreated, fn)
}

// OnRoomUpdated is [Handler.On] for "room:updated".
func (h *Handler) OnRoomUpdated(fn func(RoomActivity)) (remove func()) {
	return h.On(EventRoomUpdated, fn)
}

// OnReactionCreated is [Handler.On] for "reaction:created".
func (h *Handler) OnReactionCreated(fn func(ReactionActivity)) (remove func()) {
	return h.On(EventReactionCreated, fn)
}

// OnReactionDeleted is [Handler.On] for "reaction:deleted".
func (h *Handler) OnReactionDeleted(fn func(ReactionActivity)) (remove func()) {
	return h.On(EventReactionDeleted, fn)
}

// OnReactionUpdated is [Handler.On] for "reaction:updated".
func (h *Handler) OnReactionUpdated(fn func(ReactionTally)) (remove func()) {
	return h.On(EventReactionUpdated, fn)
}

// OnActivity is [Handler.On] for "activity".
func (h *Handler) OnActivity(fn func(Activity)) (remove func()) {
	return h.On(EventActivity, fn)
}

// OnConnected is [Handler.On] for "connected", which is emitted when messages
// can flow, at first and again.
func (h *Handler) OnConnected(fn func()) (remove func()) {
	return h.On(EventConnected, fn)
}

// OnDisconnected is [Handler.On] for "disconnected", which is emitted when a
// connection has ended, with the reason in words.
func (h *Handler) OnDisconnected(fn func(reason string)) (remove func()) {
	return h.On(EventDisconnected, fn)
}

// OnReconnecting is [Handler.On] for "reconnecting", which is emitted before
// each attempt to connect again, with its number from 1.
func (h *Handler) OnReconnecting(fn func(attempt int)) (remove func()) {
	return h.On(EventReconnecting, fn)
}

// OnError is [Handler.On] for "error", which is emitted when something went
// wrong of which no method's result tells: a *[DecryptError], a
// *[CallbackError], KMS that does not answer, the failure that ended it all.
func (h *Handler) OnError(fn func(error)) (remove func()) {
	return h.On(EventError, fn)
}

// OnGap is [Handler.On] for "gap", which is emitted when something that was
// missed has been fetched, or cannot be.
func (h *Handler) OnGap(fn func(Gap)) (remove func()) {
	return h.On(EventGap, fn)
}

// Connect registers a device, opens the socket, agrees on a key with KMS, and
// returns when messages can flow. ctx bounds the connecting alone. What fails
// for a moment is tried again for a moment; if Connect fails, nothing is left
// behind, and it may be called again.
//
// It returns [ErrAlreadyConnected] unless the Handler is disconnected,
// [ErrClosed] if Disconnect is called meanwhile, and an error that Is
// [ErrUnauthorized] if the token is refused.
func (h *Handler) Connect(ctx context.Context) error {
	s, err := h.begin(true)
	if err != nil {
		return err
	}
	select {
	case <-s.started:
		return nil
	case <-s.done:
		return s.err
	case <-ctx.Done():
		s.stop(ctx)
		_ = s.join(ctx) // there was nothing to wait for
		return ctx.Err()
	}
}

// Run connects, serves until ctx ends or Webex will have no more of this
// client, and disconnects. Unlike Connect it waits out a Webex that cannot be
// reached at first, for as many attempts as a connection that broke is given.
//
// It returns nil when ctx ended, [ErrClosed] if Disconnect was called, and
// otherwise why it ended. When ctx ends, callbacks have ten seconds to finish.
func (h *Handler) Run(ctx context.Context) error {
	s, err := h.begin(false)
	if err != nil {
		return err
	}
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), runDrain)
		defer cancel()
		s.stop(drain)
		_ = s.join(drain) // why it ended is that ctx did
		return nil
	}
}

// runDrain is how long callbacks have when the context of Run has ended.
const runDrain = 10 * time.Second

// begin starts a session unless there is one.
func (h *Handler) begin(failFast bool) (*session, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.session != nil {
		return nil, ErrAlreadyConnected
	}
	h.session = newSession(h, failFast)
	h.failed = false
	h.status = HandlerStatus{State: StateConnecting}
	go h.session.run() // joined by whoever waits for session.done
	return h.session, nil
}

// Disconnect stops taking in messages, waits for the callbacks of those that
// are queued, closes the socket, removes the device, and returns when no
// goroutine is left. When ctx ends before the callbacks do, their context is
// canceled, what is still queued is dropped, and Disconnect returns ctx's
// error after a few seconds at most.
//
// Called from a callback, it returns at once, and all this happens when the
// callback has returned. If there is nothing to disconnect it returns nil.
func (h *Handler) Disconnect(ctx context.Context) error {
	h.mu.Lock()
	s := h.session
	h.mu.Unlock()
	if s == nil {
		return nil
	}
	s.stop(ctx)
	if inCallback() {
		return nil
	}
	return s.join(ctx)
}

// Reconnect replaces the access token and connects anew with it. It returns
// when messages can flow again; nothing that is queued is lost. A token that
// is refused ends the connection.
//
// It returns [ErrNotConnected] on a Handler that was never connected or was
// disconnected by Disconnect. After a failure, such as an expired token, it
// connects like Connect.
func (h *Handler) Reconnect(ctx context.Context, newToken string) error {
	cfg := h.cfg.Config
	cfg.Token = newToken
	if _, err := cfg.check(); err != nil {
		return err
	}
	h.mu.Lock()
	s, failed := h.session, h.failed
	if s != nil || failed {
		h.creds.set(newToken)
	}
	h.mu.Unlock()
	if s == nil {
		if failed {
			return h.Connect(ctx)
		}
		return ErrNotConnected
	}
	connected := s.reconnect()
	select {
	case <-connected:
		return nil
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Connected reports whether messages can flow at this moment.
func (h *Handler) Connected() bool { return h.Status().State == StateConnected }

// Status says how the Handler is.
func (h *Handler) Status() HandlerStatus {
	kms := h.kms.initialized()
	h.mu.Lock()
	defer h.mu.Unlock()
	st := h.status
	st.KMSInitialized = kms
	st.LastPong, st.LastEvent = timeOf(&h.lastPong), timeOf(&h.lastEvent)
	return st
}

// timeOf reads a time in nanoseconds since 1970, of which 0 means never.
func timeOf(nanos *atomic.Int64) time.Time {
	if n := nanos.Load(); n != 0 {
		return time.Unix(0, n)
	}
	return time.Time{}
}

func (h *Handler) setStatus(change func(*HandlerStatus)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(&h.status)
}

// report tells the program of an error by an event.
func (h *Handler) report(err error) {
	h.mu.Lock()
	s := h.session
	h.status.LastError = err
	h.mu.Unlock()
	if s != nil {
		s.notify(func(ctx context.Context) { h.topics.errors.emit(ctx, EventError, err, h.errorCallbackFailed) })
	}
}

// callbackFailed reports what a callback returned.
func (h *Handler) callbackFailed(activityID string) func(event string, err error, stack []byte) {
	return func(event string, err error, stack []byte) {
		h.report(&CallbackError{Event: event, ActivityID: activityID, Err: err, Stack: stack})
	}
}

// errorCallbackFailed only logs: what fails on every error would never end.
func (h *Handler) errorCallbackFailed(event string, err error, _ []byte) {
	h.cfg.Logger.Error("a callback failed", "event", event, "err", fmt.Sprintf("%T", err))
}
