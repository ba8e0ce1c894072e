// Package lanes runs work in order for each key and independently of all other
// keys, on a bounded number of goroutines.
//
// A lane is the queue of one key. It exists while it has work: a lane with
// work waits for one of the goroutines, is served one item, and waits again.
// So a lane whose item blocks holds up one goroutine and no other lane, and
// what is idle costs nothing.
package lanes

import (
	"context"
	"sync"
)

// Lanes is a set of lanes. Its methods may be called from any goroutine.
type Lanes[T any] struct {
	handle   func(T)
	workers  int // goroutines at the most
	maxItems int
	maxLane  int // of the items, in one lane
	maxBytes int

	mu      sync.Mutex
	lanes   map[string]*lane[T]
	ready   list[T] // lanes with work that nobody serves, in order
	running int     // goroutines
	items   int     // queued or being handled
	bytes   int
	closed  bool
	changed chan struct{} // closed, and made anew, when an item has been handled; nil if nobody waits
}

type lane[T any] struct {
	key   string
	queue []item[T]
	next  *lane[T] // in ready
}

type item[T any] struct {
	value T
	size  int
}

// New makes lanes that call handle for every item, on workers goroutines at
// the most. With one worker there is a single lane, so that all items are
// handled in the order in which they came; with more, one key may take half of
// the room at the most, so that a key which blocks leaves some to the others.
func New[T any](workers, maxItems, maxBytes int, handle func(T)) *Lanes[T] {
	l := &Lanes[T]{
		handle: handle, workers: workers, maxItems: maxItems, maxLane: maxItems, maxBytes: maxBytes,
		lanes: make(map[string]*lane[T]),
	}
	if workers > 1 {
		l.maxLane = max(1, maxItems/2)
	}
	return l
}

// TryPut queues an item of the given size in bytes, unless the lanes are full
// or closed. It never waits.
func (l *Lanes[T]) TryPut(key string, value T, size int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.put(key, value, size)
}

// Put queues an item, waiting for room if there is none. It returns ctx's
// error if ctx ends first, and context.Canceled if the lanes are closed.
func (l *Lanes[T]) Put(ctx context.Context, key string, value T, size int) error {
	for {
		l.mu.Lock()
		if l.closed {
			l.mu.Unlock()
			return context.Canceled
		}
		if l.put(key, value, size) {
			l.mu.Unlock()
			return nil
		}
		changed := l.wait()
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *Lanes[T]) put(key string, value T, size int) bool {
	// An item that alone exceeds the bytes may come in when nothing else is.
	if l.closed || l.items >= l.maxItems || (l.items > 0 && l.bytes+size > l.maxBytes) {
		return false
	}
	if l.workers == 1 {
		key = ""
	}
	ln := l.lanes[key]
	if ln != nil && len(ln.queue) >= l.maxLane {
		return false
	}
	l.items++
	l.bytes += size
	if ln != nil {
		ln.queue = append(ln.queue, item[T]{value, size})
		return true
	}
	ln = &lane[T]{key: key, queue: []item[T]{{value, size}}}
	l.lanes[key] = ln
	l.ready.push(ln)
	if l.running < l.workers {
		l.running++
		go l.work()
	}
	return true
}

// work serves ready lanes until there are none. l.running counts it.
func (l *Lanes[T]) work() {
	defer l.leave() // also when handle ends the goroutine with runtime.Goexit
	for l.serve() {
	}
}

// serve handles the first item of the first ready lane, if there is one.
func (l *Lanes[T]) serve() bool {
	l.mu.Lock()
	ln := l.ready.pop()
	if ln == nil {
		l.mu.Unlock()
		return false
	}
	it := ln.queue[0]
	ln.queue[0] = item[T]{}
	ln.queue = ln.queue[1:]
	l.mu.Unlock()

	defer l.finish(ln, it.size)
	l.handle(it.value)
	return true
}

func (l *Lanes[T]) finish(ln *lane[T], size int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.items--
	l.bytes -= size
	if len(ln.queue) > 0 {
		l.ready.push(ln)
	} else {
		delete(l.lanes, ln.key)
	}
	l.signal()
}

func (l *Lanes[T]) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	if l.ready.head != nil && l.running < l.workers {
		l.running++
		go l.work()
	}
	l.signal()
}

// wait returns a channel that is closed at the next change. l.mu is held.
func (l *Lanes[T]) wait() <-chan struct{} {
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

// signal wakes who waits. l.mu is held.
func (l *Lanes[T]) signal() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// Len reports how many items are queued or being handled.
func (l *Lanes[T]) Len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.items
}

// Await waits until at most n items are queued or being handled, or ctx ends.
func (l *Lanes[T]) Await(ctx context.Context, n int) error {
	return l.await(ctx, func() bool { return l.items <= n })
}

// Abort drops what is queued and not yet being handled, says how much that
// was, and refuses further items.
func (l *Lanes[T]) Abort() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	dropped := 0
	for _, ln := range l.lanes {
		for _, it := range ln.queue {
			l.items--
			l.bytes -= it.size
			dropped++
		}
		ln.queue = nil
	}
	l.ready = list[T]{}
	l.signal()
	return dropped
}

// Close refuses further items and waits until the goroutines have ended, which
// they do when what is queued has been handled, or until ctx ends.
func (l *Lanes[T]) Close(ctx context.Context) error {
	l.mu.Lock()
	l.closed = true
	l.signal()
	l.mu.Unlock()
	return l.await(ctx, func() bool { return l.running == 0 })
}

func (l *Lanes[T]) await(ctx context.Context, done func() bool) error {
	for {
		l.mu.Lock()
		if done() {
			l.mu.Unlock()
			return nil
		}
		changed := l.wait()
		l.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// list is a first-in first-out list of lanes.
type list[T any] struct{ head, tail *lane[T] }

func (q *list[T]) push(ln *lane[T]) {
	ln.next = nil
	if q.tail == nil {
		q.head = ln
	} else {
		q.tail.next = ln
	}
	q.tail = ln
}

func (q *list[T]) pop() *lane[T] {
	ln := q.head
	if ln == nil {
		return nil
	}
	q.head = ln.next
	if q.head == nil {
		q.tail = nil
	}
	ln.next = nil
	return ln
}
