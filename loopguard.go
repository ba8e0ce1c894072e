package webexmsg

import (
	"sync"
	"time"
)

// A LoopGuard tells a bot to hold back where it answers too often: two bots
// that answer each other, or a bot that is told off for answering, would never
// stop. It counts answers by room, in a window that slides along with time.
//
// The zero value is ready, and lets 5 answers in 3 seconds pass. It may be used
// from any goroutine, and must not be copied or changed once it is used.
//
//	var guard webexmsg.LoopGuard
//	h.OnMessageCreated(func(m webexmsg.DecryptedMessage) {
//		if guard.Allow(m.RoomID) {
//			answer(m)
//		}
//	})
type LoopGuard struct {
	// Replies is how many answers may be given in a room within Window.
	// 0 means 5.
	Replies int
	// Window is how far back answers count. 0 means 3 s.
	Window time.Duration

	mu    sync.Mutex
	rooms map[string][]time.Time // of answers within the window, oldest first
	swept time.Time
}

// Allow reports whether one more answer may be given in a room, and counts it
// if so.
func (g *LoopGuard) Allow(roomID string) bool {
	replies, window := g.Replies, g.Window
	if replies == 0 {
		replies = 5
	}
	if window == 0 {
		window = 3 * time.Second
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if g.rooms == nil {
		g.rooms = make(map[string][]time.Time)
	}
	if now.Sub(g.swept) >= window { // rooms in which nothing counts any more
		for room, answers := range g.rooms {
			if now.Sub(answers[len(answers)-1]) >= window {
				delete(g.rooms, room)
			}
		}
		g.swept = now
	}
	answers := g.rooms[roomID]
	for len(answers) > 0 && now.Sub(answers[0]) >= window {
		answers = answers[1:]
	}
	if len(answers) >= replies {
		return false
	}
	g.rooms[roomID] = append(answers, now)
	return true
}
