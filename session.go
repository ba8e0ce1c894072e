package webexmsg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/webexmsg/webexmsg/internal/backoff"
	"github.com/webexmsg/webexmsg/internal/lanes"
)

const (
	// firstBackoff bounds the wait before the first attempt to reconnect.
	firstBackoff = time.Second
	// failureDrain is how long callbacks have when a session ends by itself.
	failureDrain = 30 * time.Second
	// saveTimeout bounds one save of the checkpoint.
	saveTimeout = 5 * time.Second
	// unregisterTimeout bounds the removal of the device at the end.
	unregisterTimeout = 3 * time.Second
	// endTimeout is how long the end of a session may take when nobody waits
	// for callbacks any more: closing, unregistering and saving.
	endTimeout = 10 * time.Second
	// maxNotices bounds the lifecycle and error events that wait for their
	// callbacks.
	maxNotices = 1024
)

// errReconnect ends an attempt in favour of one with another token.
var errReconnect = errors.New("webexmsg: reconnecting at the caller's wish")

// A session is the life of a Handler from Connect to Disconnect. Its one loop
// supervises: establish, serve until it ends, ask why, back off or stop. What
// the loop knows is in its own variables and in the fields that it owns.
type session struct {
	h        *Handler
	cfg      *settings
	rest     *restClient
	kms      *kms
	log      *slog.Logger
	failFast bool // the first attempt is the only one

	started chan struct{} // closed when connected for the first time
	done    chan struct{} // closed at the end of run

	// err says why the session ended, and drainErr whether its callbacks were
	// waited for in vain. Both are read after done alone.
	err      error
	drainErr error

	ctx        context.Context // of all attempts; canceled by stop
	cancel     context.CancelFunc
	callbacks  context.Context // of callbacks
	abandon    context.CancelFunc
	keys       context.Context // of activities that wait for a key; ends with callbacks
	giveUpKeys context.CancelFunc

	notices    *lanes.Lanes[func(context.Context)] // a single lane: lifecycle and errors
	work       *lanes.Lanes[job]                   // activities
	recovery   *recovery
	progress   *progress
	heard      atomic.Int64 // when the server was last heard, by its clock, in nanoseconds
	overflows  atomic.Int64 // activities dropped and not yet told of
	registered atomic.Value // the URL of the device, for the checkpoint
	me         atomic.Pointer[identity]
	known      chan struct{} // closed when me is there
	closed     atomic.Bool   // takes no more activities

	// Of the loop alone:
	catalog   catalog
	device    *device
	suspect   bool // the device must be refreshed before it is used again
	strange   bool // the token is new: whose is it?
	renewed   bool // the token was, since a connection last stood for a while
	attempts  backoff.Backoff
	announced State // by the last lifecycle event
	resumed   bool  // from the checkpoint

	mu        sync.Mutex // guards what follows
	stopping  context.Context
	interrupt context.CancelCauseFunc // ends the attempt, or the pause, of the moment
	waiting   []chan struct{}         // who asked to reconnect
}

func newSession(h *Handler, failFast bool) *session {
	s := &session{
		h: h, cfg: h.cfg, rest: h.rest, kms: h.kms, log: h.cfg.Logger, failFast: failFast,
		started: make(chan struct{}), done: make(chan struct{}), known: make(chan struct{}),
		attempts: backoff.Backoff{Min: firstBackoff, Max: h.cfg.ReconnectBackoffMax},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.callbacks, s.abandon = context.WithCancel(context.Background())
	s.keys, s.giveUpKeys = context.WithCancel(s.callbacks)
	s.notices = lanes.New(1, maxNotices, maxNotices, func(fn func(context.Context)) { fn(s.callbacks) })
	s.work = lanes.New(h.cfg.Concurrency, h.cfg.QueueSize, maxQueueBytes, s.handle)
	s.progress = newProgress()
	s.recovery = &recovery{
		rest: s.rest, log: s.log, back: s.cfg.CatchUp, capacity: s.cfg.QueueSize,
		queue: s.queue, put: s.put, hears: s.hears, report: s.gap, overflow: s.overflowed,
		gates: make(map[string]*roomGate), wake: make(chan struct{}, 1), fetching: make(chan struct{}, catchUpFetches), rooms: make(chan struct{}, catchUpRooms),
	}
	return s
}

// run is the session's goroutine.
func (s *session) run() {
	keys, stopKeys := context.WithCancel(context.Background())
	var joined sync.WaitGroup
	joined.Go(func() { s.kms.run(keys) })

	catchUp, stopCatchUp := context.WithCancel(context.Background())
	var caughtUp sync.WaitGroup
	caughtUp.Go(func() { s.recovery.run(catchUp) })
	if s.cfg.Checkpoint != nil {
		caughtUp.Go(func() { s.saveProgress(catchUp) })
	}

	link, err := s.supervise()
	s.closed.Store(true)
	stopCatchUp()
	caughtUp.Wait()
	s.finish(link, err)

	stopKeys()
	joined.Wait()
	s.h.seen.DropAll() // what the drain left over may come again
	s.rest.http.CloseIdleConnections()
	s.h.mu.Lock()
	s.h.session = nil
	s.h.failed = !errors.Is(err, ErrClosed)
	s.h.status.State = StateDisconnected
	s.h.status.WebSocketOpen, s.h.status.DeviceRegistered = false, false
	s.h.mu.Unlock()
	close(s.done)
}

// supervise is the loop that everything about connections has its place in. It
// returns when it is stopped, with the link that is still open, if any, or
// when it would be of no use to go on.
func (s *session) supervise() (*mercury, error) {
	token := s.rest.creds.token()
	for {
		ctx, waiting := s.attempt()
		if t := s.rest.creds.token(); t != token {
			token = t
			s.suspect, s.strange = true, true // the device must meet the new token
			s.attempts.Reset()
		}
		link, err := s.establish(ctx)
		if err == nil {
			s.recovery.connected(s.device.service("conversation", s.catalog), s.began(link))
			s.connected(waiting)
			if err = s.serve(ctx, link); errors.Is(err, ErrClosed) {
				return link, err
			}
			s.recovery.disconnected()
			s.recovery.lost(s.lastHeard(), "connection lost")
			s.disconnected(err)
		}
		if errors.Is(err, ErrUnauthorized) && s.rest.creds.renewable() && !s.renewed {
			s.renewed = true
			if err = s.rest.creds.renew(ctx, token); err == nil {
				s.requeue(waiting)
				continue
			}
		}
		switch {
		case s.ctx.Err() != nil:
			return nil, ErrClosed
		case errors.Is(context.Cause(ctx), errReconnect):
			s.requeue(waiting)
			continue
		case !retryable(err), s.failFast && !s.hasStarted():
			return nil, err
		case s.cfg.MaxReconnectAttempts >= 0 && s.attempts.Failures() >= s.cfg.MaxReconnectAttempts:
			return nil, fmt.Errorf("%w after %d attempts: %w", ErrGaveUp, s.attempts.Failures(), err)
		}
		if deviceGone(err) {
			if s.suspect { // refreshed just now, and gone all the same
				s.device = nil
			}
			s.suspect = true
		}
		wait := max(s.attempts.Next(), retryAfter(err))
		n := s.attempts.Failures()
		if n > 1 {
			s.suspect = true // an address can go stale: ask for it anew
		}
		s.log.Info("reconnecting", "attempt", n, "wait", wait, "err", err)
		s.h.setStatus(func(st *HandlerStatus) {
			st.State, st.ReconnectAttempt, st.LastError = StateReconnecting, n, err
		})
		s.announce(StateReconnecting, func(ctx context.Context) {
			s.h.topics.reconnecting.emit(ctx, EventReconnecting, n, s.h.callbackFailed(""))
		})
		sleep(ctx, wait)
		s.requeue(waiting)
	}
}

// attempt begins an attempt, which whoever wants to reconnect can interrupt,
// and takes over those who wait for one to succeed.
func (s *session) attempt() (context.Context, []chan struct{}) {
	ctx, interrupt := context.WithCancelCause(s.ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.interrupt != nil {
		s.interrupt(nil) // releases the context of the attempt before
	}
	s.interrupt = interrupt
	waiting := s.waiting
	s.waiting = nil
	return ctx, waiting
}

// requeue leaves who waits for an attempt to succeed to the next one.
func (s *session) requeue(waiting []chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, waiting...)
}

// reconnect has the loop begin anew. The channel is closed when messages flow.
func (s *session) reconnect() <-chan struct{} {
	connected := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, connected)
	if s.interrupt != nil {
		s.interrupt(errReconnect)
	}
	return connected
}

// stop has the session end. The first ctx says how long callbacks are waited for.
func (s *session) stop(ctx context.Context) {
	s.mu.Lock()
	if s.stopping == nil {
		s.stopping = ctx
	}
	s.mu.Unlock()
	s.cancel()
}

// join waits until the session has ended, and says whether its callbacks were
// waited for in vain. When ctx ends it waits no longer than the end itself
// takes, for which there are bounds, unless a callback never returns.
func (s *session) join(ctx context.Context) error {
	select {
	case <-s.done:
		return s.drainErr
	case <-ctx.Done():
	}
	t := time.NewTimer(endTimeout)
	defer t.Stop()
	select {
	case <-s.done:
		return s.drainErr
	case <-t.C:
		return ctx.Err()
	}
}

// publishRegistration shows the device and the catalog to everybody.
func (s *session) publishRegistration() {
	cat := s.catalog
	s.h.registration.Store(&registration{device: s.device, catalog: &cat})
}

// serve returns why a connection ended: with ErrClosed when the session is to
// stop, which leaves the link open to drain through.
func (s *session) serve(ctx context.Context, link *mercury) error {
	refreshing, stopRefreshing := context.WithCancel(link.ctx)
	var refresher sync.WaitGroup
	defer refresher.Wait()
	defer stopRefreshing()
	refreshed := make(chan error, 1)
	due := time.NewTimer(time.Until(s.device.refreshed.Add(deviceRefresh)))
	defer due.Stop()
	proven := link.proven
	var fresh *device
	for {
		select {
		case <-ctx.Done():
			if s.ctx.Err() != nil {
				return ErrClosed
			}
			s.kms.setUp(false)
			link.close(websocket.StatusNormalClosure, "")
			return errReconnect
		case <-link.ctx.Done():
			s.kms.setUp(false)
			return link.wait()
		case <-proven:
			proven = nil
			s.renewed = false
			s.attempts.Reset()
			s.h.setStatus(func(st *HandlerStatus) { st.ReconnectAttempt = 0 })
		case <-due.C:
			dev := s.device
			refresher.Go(func() {
				var err error
				fresh, err = s.rest.refresh(refreshing, dev, s.cfg.DeviceName)
				refreshed <- err
			})
		case err := <-refreshed:
			switch {
			case err == nil:
				s.device = fresh
				s.publishRegistration()
				due.Reset(deviceRefresh)
			case registrationRefused(err):
				s.suspect = true
				link.end(fmt.Errorf("the device cannot be refreshed: %w", err))
			default:
				s.h.report(err)
				due.Reset(time.Minute)
			}
		}
	}
}

func (s *session) connected(waiting []chan struct{}) {
	s.registered.Store(s.device.URL)
	s.progress.connected(s.recovery.begun())
	s.h.setStatus(func(st *HandlerStatus) { st.State, st.WebSocketOpen = StateConnected, true })
	s.announce(StateConnected, func(ctx context.Context) {
		s.h.topics.connected.emit(ctx, EventConnected, struct{}{}, s.h.callbackFailed(""))
	})
	if !s.hasStarted() {
		close(s.started)
	}
	for _, c := range waiting {
		close(c)
	}
}

func (s *session) disconnected(why error) {
	s.h.setStatus(func(st *HandlerStatus) {
		st.State, st.WebSocketOpen = StateReconnecting, false
		if !errors.Is(why, ErrClosed) {
			st.LastError = why
		}
	})
	reason := strings.TrimPrefix(why.Error(), "webexmsg: ")
	s.announce(StateDisconnected, func(ctx context.Context) {
		s.h.topics.disconnected.emit(ctx, EventDisconnected, reason, s.h.callbackFailed(""))
	})
}

func (s *session) announce(state State, emit func(context.Context)) {
	s.announced = state
	s.notify(emit)
}

// notify queues a lifecycle or error event, and never waits.
func (s *session) notify(emit func(context.Context)) {
	if !s.notices.TryPut("", emit, 0) {
		s.log.Warn("dropped an event: the callbacks of those before it have not returned")
	}
}

// finish ends what supervise left: it waits for the callbacks of what is
// queued, as long as the caller of Disconnect wants to, and then closes the
// socket and removes the device.
func (s *session) finish(link *mercury, why error) {
	s.cancel()
	s.recovery.release(func(j job) { s.queue(j) })
	s.mu.Lock()
	drain := s.stopping
	s.mu.Unlock()
	if drain == nil {
		ctx, cancel := context.WithTimeout(context.Background(), failureDrain)
		defer cancel()
		drain = ctx
		if s.hasStarted() {
			s.h.report(why)
		}
	}
	if link == nil {
		s.giveUpKeys() // none will come any more
	}

	err := s.work.Close(drain)
	if err == nil && s.announced != "" && s.announced != StateDisconnected {
		s.disconnected(why)
	}
	if err == nil {
		err = s.notices.Close(drain)
	}
	if err != nil {
		s.drainErr = err
		dropped := s.work.Abort()
		s.log.Warn("callbacks did not finish in time", "activities dropped", dropped)
		s.notices.Abort()
	}
	s.abandon()

	if link != nil {
		link.close(websocket.StatusNormalClosure, "")
		s.kms.setUp(false)
	}
	if s.cfg.Checkpoint != nil {
		s.save()
	} else if s.device != nil {
		ctx, cancel := context.WithTimeout(context.Background(), unregisterTimeout)
		defer cancel()
		if err := s.rest.unregister(ctx, s.device); err != nil {
			s.log.Warn("could not remove the device; it is forgotten when its time to live ends", "device", s.device.URL, "err", err)
		}
	}
	s.err = why
}

// saveProgress saves the cursor whenever it has moved, until ctx ends.
func (s *session) saveProgress(ctx context.Context) {
	for {
		select {
		case <-s.progress.dirty:
			s.save()
		case <-ctx.Done():
			return
		}
		if sleep(ctx, saveInterval) != nil {
			return
		}
	}
}

// save saves the cursor. A checkpoint that cannot be saved is told of, and
// tried again with the next activity.
func (s *session) save() {
	device, _ := s.registered.Load().(string)
	if device == "" {
		return // nothing was established, and nothing is to be forgotten
	}
	ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
	defer cancel()
	if err := s.cfg.Checkpoint.Save(ctx, s.progress.cursor(device, s.recovery.floor())); err != nil {
		s.h.report(fmt.Errorf("saving the checkpoint: %w", err))
	}
}

// gap tells the program of a gap that was closed, or could not be.
func (s *session) gap(g Gap) {
	s.log.Info("gap", "cause", g.Cause, "room", g.RoomID, "from", g.From, "to", g.To, "recovered", g.Recovered, "complete", g.Complete)
	s.progress.changed()
	s.notify(func(ctx context.Context) { s.h.topics.gap.emit(ctx, EventGap, g, s.h.callbackFailed("")) })
}
