package webexmsg

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

const (
	// overlap is how far before the last sign of life a gap is taken to
	// begin: what was under way then may not have arrived. What did is
	// dropped by its id.
	overlap = 30 * time.Second
	// catchUpPage and catchUpPages bound what is asked for at once, and how
	// often for one room; catchUpFetches is how many requests run at a time.
	catchUpPage    = 200
	catchUpPages   = 250
	catchUpFetches = 4
	catchUpRooms   = 64
	// gapInterval is the least time between two gaps in all rooms being
	// closed, so that a server which makes many cannot make it hot.
	gapInterval = time.Second
	// maxGates bounds the rooms that are held back one by one. Beyond them
	// the gap is taken to be in all rooms.
	maxGates = 10_000

	causeOverflow = "overflow" // of a gap in a room whose activities found no place
	// catchUpTries is how often a page is asked for that the service fails
	// to give, beside the tries within an exchange.
	catchUpTries = 8
	// catchUpExchange bounds one exchange: live messages wait for it.
	catchUpExchange = 15 * time.Second
)

var (
	errKnown      = errors.New("the activity is known already")
	errCatchUpOff = errors.New("catching up is off")
)

// A recovery fetches what a connection missed from the conversation service,
// and keeps rooms in order meanwhile: what comes live in a room that has a gap
// is held back until the gap is closed.
//
// Nobody knows at first in which rooms a gap is that lies between two
// connections, so all are held back until the service has said in which rooms
// something happened; the others go on at once.
type recovery struct {
	rest *restClient
	log  *slog.Logger
	back time.Duration // how far at most; negative: off
	// queue takes an activity for delivery unless it is full, and put waits
	// until it is not; an activity that is known already is taken and dropped.
	queue func(job) bool
	put   func(context.Context, job) error
	// hears says whether the bot is to hear of an activity at all.
	hears func(*activity) bool
	// report tells the program of a gap.
	report func(Gap)
	// overflow counts what is lost when there is no catching up.
	overflow func()
	capacity int
	closed   time.Time // when run last began to close a gap in all rooms

	mu       sync.Mutex // guards what follows
	linked   bool       // a connection stands
	service  string     // base URL of the conversation service; "" if nobody named it
	start    time.Time  // nothing before it was ever to be heard
	gap      *Gap       // between connections, not yet closed
	again    bool       // the gap has grown since its rooms were asked for
	off      bool       // the service refuses, for this connection
	gates    map[string]*roomGate
	held     int           // activities in all gates
	heldSize int           // their bytes
	wake     chan struct{} // holds one
	fetching chan struct{} // slots for requests
	rooms    chan struct{} // slots for rooms that are worked on after a gap
}

// A roomGate holds back what comes live in a room.
type roomGate struct {
	room  roomObject
	since time.Time // fetch from here; zero: nothing to fetch
	cause string
	held  []job
	busy  bool      // a goroutine is at work on it
	floor time.Time // what that goroutine began with
}

// Gap is emitted when a hole in what was received was closed, or could not be.
type Gap struct {
	// RoomID is the room that had the hole; empty if it was in all of them.
	RoomID string
	// From and To are its ends, by Webex's clock.
	From, To time.Time
	// Cause says in words what made it.
	Cause string
	// Recovered counts the activities that were fetched and handed on.
	Recovered int
	// Complete means that nothing is known to be missing.
	Complete bool
}

// live takes an activity from the socket.
func (r *recovery) live(j job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	room := j.a.room()
	gate := r.gates[room]
	if gate == nil && r.gap == nil {
		if r.queue(j) {
			return
		}
		if r.off {
			r.overflow()
			return
		}
	}
	if gate == nil && len(r.gates) >= maxGates {
		r.grow(r.happened(j.a), causeOverflow) // and is fetched with all the rest
		return
	}
	if gate == nil {
		gate = r.gate(j.a.Target, room)
	}
	r.hold(gate, j)
}

// happened is when an activity was published, or a time that is early enough
// for one that does not say.
func (r *recovery) happened(a *activity) time.Time {
	if a.published().IsZero() {
		return r.rest.serverNow().Add(-overlap)
	}
	return a.published()
}

// gate closes a room. r.mu is held.
func (r *recovery) gate(room roomObject, id string) *roomGate {
	g := r.gates[id]
	if g == nil {
		room.ID = id
		g = &roomGate{room: room}
		r.gates[id] = g
	}
	return g
}

// hold keeps an activity back, or notes that it must be fetched again when
// there is no room for it. r.mu is held.
func (r *recovery) hold(g *roomGate, j job) {
	if g.since.IsZero() && r.held < r.capacity && r.heldSize+len(j.a.raw) <= maxQueueBytes && (r.gap != nil || g.busy || len(g.held) > 0) {
		g.held = append(g.held, j)
		r.held++
		r.heldSize += len(j.a.raw)
		return
	}
	if at := r.happened(j.a); g.since.IsZero() || at.Before(g.since) {
		g.since, g.cause = at, causeOverflow
	}
	r.signal()
}

func (r *recovery) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// lost notes a gap in all rooms, which began at from. Live activities are held
// back from now on.
func (r *recovery) lost(from time.Time, cause string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.grow(from.Add(-overlap), cause)
}

// grow opens a gap in all rooms, or widens the one there is. r.mu is held.
func (r *recovery) grow(from time.Time, cause string) {
	if from.Before(r.start) {
		from = r.start
	}
	switch {
	case r.gap == nil:
		r.gap = &Gap{From: from, Cause: cause}
	case from.Before(r.gap.From):
		r.gap.From = from
	}
	r.again = true
	r.signal()
}

// connected says that a connection stands, and where the service is.
func (r *recovery) connected(service string, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.linked, r.service = true, service
	r.off = r.back < 0
	if r.start.IsZero() {
		r.start = now
	}
	r.signal()
}

// resume notes what was missed since an earlier run of the program.
func (r *recovery) resume(since time.Time) {
	r.mu.Lock()
	r.start = since.Add(-overlap)
	r.mu.Unlock()
	r.lost(since, "restart")
}

// begun is the time before which nothing was ever to be heard.
func (r *recovery) begun() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.start
}

func (r *recovery) disconnected() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.linked = false
}

// floor is the time before which nothing is missing, as far as gaps go: the
// zero time if there is none.
func (r *recovery) floor() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	var floor time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && (floor.IsZero() || t.Before(floor)) {
			floor = t
		}
	}
	if r.gap != nil {
		earlier(r.gap.From)
	}
	for _, g := range r.gates {
		earlier(g.from())
		if g.busy {
			earlier(g.floor)
		}
	}
	return floor
}

// from is the time from which on a room's activities are not queued yet.
func (g *roomGate) from() time.Time {
	if !g.since.IsZero() || len(g.held) == 0 {
		return g.since
	}
	return g.held[0].a.published()
}

// run closes gaps until ctx ends.
func (r *recovery) run(ctx context.Context) {
	var rooms sync.WaitGroup
	defer rooms.Wait()
	for {
		select {
		case <-r.wake:
		case <-ctx.Done():
			return
		}
		r.closeGap(ctx, &rooms)
		r.closeOverflows(ctx, &rooms)
	}
}

// closeGap fetches what was missed in all rooms.
func (r *recovery) closeGap(ctx context.Context, rooms *sync.WaitGroup) {
	r.mu.Lock()
	if r.gap == nil || !r.linked {
		r.mu.Unlock()
		return
	}
	r.again = false
	gap, service, off := *r.gap, r.service, r.off
	r.mu.Unlock()

	if sleep(ctx, time.Until(r.closed.Add(gapInterval))) != nil {
		return
	}
	r.closed = time.Now()
	gap.To = r.rest.serverNow()
	if r.back > 0 && gap.To.Sub(gap.From) > r.back {
		gap.From = gap.To.Add(-r.back)
	}
	var list []roomObject
	err := errCatchUpOff
	if !off {
		list, err = r.conversations(ctx, service, gap.From)
	}
	if ctx.Err() != nil {
		return
	}

	r.mu.Lock()
	if r.again { // another connection was lost meanwhile
		r.signal()
		r.mu.Unlock()
		return
	}
	r.gap = nil
	r.off = off || refusesCatchUp(err)
	var open []*roomGate
	if err == nil {
		for _, room := range list {
			g := r.gate(room, room.ID)
			g.room = room
			if g.since.IsZero() || gap.From.Before(g.since) {
				g.since, g.cause = gap.From, gap.Cause
			}
		}
	}
	for _, g := range r.gates {
		if !g.busy {
			g.busy = true
			open = append(open, g)
		}
	}
	r.mu.Unlock()

	if err != nil && !off {
		r.log.Warn("cannot catch up", "gap", gap.Cause, "off for this connection", refusesCatchUp(err), "err", err)
	}
	tally := newTally(gap, err == nil, len(open), r.report)
	for _, g := range open {
		select {
		case r.rooms <- struct{}{}:
		case <-ctx.Done():
			return
		}
		rooms.Go(func() {
			defer func() { <-r.rooms }()
			tally.add(r.closeRoom(ctx, g))
		})
	}
}

// closeOverflows fetches what single rooms had no place for.
func (r *recovery) closeOverflows(ctx context.Context, rooms *sync.WaitGroup) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gap != nil {
		return
	}
	for _, g := range r.gates {
		if g.busy || g.since.IsZero() {
			continue
		}
		g.busy = true
		gap := Gap{RoomID: g.room.ID, From: g.since, To: r.rest.serverNow(), Cause: g.cause}
		tally := newTally(gap, true, 1, r.report)
		rooms.Go(func() { tally.add(r.closeRoom(ctx, g)) })
	}
}

// closeRoom fetches what is missing in a room, hands on what was held back, and
// opens the room. What finds no place meanwhile is fetched in another round.
func (r *recovery) closeRoom(ctx context.Context, g *roomGate) (recovered int, complete bool) {
	complete = true
	for {
		since, held, done := r.nextRound(g)
		if done {
			return recovered, complete
		}
		// What is held back came live in the gap's wake, and follows what is
		// fetched; or it came before there was no more place, and precedes it.
		first := len(held) > 0 && held[0].a.published().Before(since)
		if first && r.putAll(ctx, g, held) != nil {
			return recovered, false
		}
		if !since.IsZero() {
			n, err := r.fetchRoom(ctx, g.room, since)
			recovered += n
			if err != nil {
				complete = false
				r.failed(ctx, g, err)
			}
		}
		if !first && r.putAll(ctx, g, held) != nil {
			return recovered, false
		}
	}
}

// failed says what could not be fetched. A service that refuses is not asked
// again on this connection; one room may be closed to the bot (404).
func (r *recovery) failed(ctx context.Context, g *roomGate, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if g.cause == causeOverflow {
		r.overflow()
	}
	switch {
	case ctx.Err() != nil, errors.Is(err, errCatchUpOff), r.off:
	case refusesCatchUp(err) && !deviceGone(err):
		r.off = true
		r.log.Warn("the conversation service refuses: no more catching up on this connection", "err", err)
	default:
		r.log.Warn("could not catch up on a room", "room", g.room.ID, "err", err)
	}
}

// nextRound takes what is to be done for a room, or opens it if that is
// nothing. Behind another gap between connections it leaves all to closeGap:
// what came live after that gap must not overtake what is missing in it.
func (r *recovery) nextRound(g *roomGate) (since time.Time, held []job, done bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gap != nil {
		g.busy = false
		return time.Time{}, nil, true
	}
	g.floor = g.from()
	since, held = g.since, g.held
	g.since, g.held = time.Time{}, nil
	r.held -= len(held)
	for _, j := range held {
		r.heldSize -= len(j.a.raw)
	}
	done = since.IsZero() && len(held) == 0
	if done {
		delete(r.gates, g.room.ID)
	}
	return since, held, done
}

// putAll hands on what was held back. What the end of the session leaves over
// is held back again, for release.
func (r *recovery) putAll(ctx context.Context, g *roomGate, held []job) error {
	for i, j := range held {
		if err := r.put(ctx, j); err != nil && !errors.Is(err, errKnown) {
			r.mu.Lock()
			g.held = append(held[i:len(held):len(held)], g.held...)
			r.mu.Unlock()
			return err
		}
	}
	return nil
}

// release hands what is held back to put, in order, when the session ends.
func (r *recovery) release(put func(job)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.gates {
		for _, j := range g.held {
			put(j)
		}
	}
	r.gates, r.held, r.heldSize = make(map[string]*roomGate), 0, 0
}

// A tally reports a gap when all of its rooms are done.
type tally struct {
	mu     sync.Mutex
	gap    Gap
	left   int
	report func(Gap)
}

func newTally(gap Gap, complete bool, rooms int, report func(Gap)) *tally {
	gap.Complete = complete
	t := &tally{gap: gap, left: rooms, report: report}
	if rooms == 0 {
		report(gap)
	}
	return t
}

func (t *tally) add(recovered int, complete bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gap.Recovered += recovered
	t.gap.Complete = t.gap.Complete && complete
	if t.left--; t.left == 0 {
		t.report(t.gap)
	}
}
