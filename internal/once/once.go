// Package once remembers which ids have been handled, in bounded memory.
package once

import (
	"hash/fnv"
	"sync"
	"time"

	"github.com/google/uuid"
)

// A Memory tells ids that are new from those that are being handled or were
// handled of late. Its methods may be called from any goroutine.
//
// Handled ids are kept in two generations. When the younger is full or old
// enough it becomes the elder, and what was the elder is forgotten: an id is
// remembered for at least window, unless more than max came after it.
type Memory struct {
	window time.Duration
	max    int

	mu       sync.Mutex
	active   map[key]struct{} // being handled
	young    map[key]struct{}
	old      map[key]struct{}
	youngest time.Time // when young was begun
}

// A key is an id in 16 bytes: a UUID as it is, anything else by its hash.
type key [16]byte

func keyOf(id string) key {
	if u, err := uuid.Parse(id); err == nil {
		return key(u)
	}
	h := fnv.New128a()
	h.Write([]byte(id))
	return key(h.Sum(nil))
}

// New makes a Memory that keeps ids for at least window, and at least max.
func New(window time.Duration, max int) *Memory {
	return &Memory{
		window: window, max: max,
		active: make(map[key]struct{}), young: make(map[key]struct{}),
	}
}

// Begin reports whether id is new, and if so takes it for handling.
func (m *Memory) Begin(id string) bool {
	k := keyOf(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.knows(k) {
		return false
	}
	m.active[k] = struct{}{}
	return true
}

// Done says that an id that was begun has been handled.
func (m *Memory) Done(id string) {
	k, now := keyOf(id), time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.active, k)
	if m.youngest.IsZero() {
		m.youngest = now
	}
	if len(m.young) >= m.max || now.Sub(m.youngest) > m.window {
		m.old, m.young, m.youngest = m.young, make(map[key]struct{}), now
	}
	m.young[k] = struct{}{}
}

// Drop says that an id that was begun was not handled: it is new again.
func (m *Memory) Drop(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.active, keyOf(id))
}

func has(m map[key]struct{}, k key) bool {
	_, ok := m[k]
	return ok
}

// DropAll says that nothing that was begun is being handled any more.
func (m *Memory) DropAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.active)
}

// Known reports whether an id is being handled or was of late.
func (m *Memory) Known(id string) bool {
	k := keyOf(id)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.knows(k)
}

// knows needs m.mu.
func (m *Memory) knows(k key) bool { return has(m.active, k) || has(m.young, k) || has(m.old, k) }
