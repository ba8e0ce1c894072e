package webexmsg_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/webexmsg/webexmsg"
	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// The benchmarks of the whole path: a simulated cloud in the same process, over
// TLS on loopback. Their times hold for both sides together.

func benchWorld(b *testing.B, rooms int) (*webexmsgtest.Server, *webexmsgtest.Person, []*webexmsgtest.Room, *webexmsg.Handler) {
	b.Helper()
	s := webexmsgtest.NewServer()
	b.Cleanup(s.Close)
	alice := s.NewPerson("alice@example.com", "Alice")
	list := make([]*webexmsgtest.Room, rooms)
	for i := range list {
		list[i] = s.NewDirectRoom(alice, s.Bot())
	}
	h, err := webexmsg.New(s.Config())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := h.Disconnect(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return s, alice, list, h
}

func mustConnect(b *testing.B, h *webexmsg.Handler) {
	b.Helper()
	if err := h.Connect(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkEndToEnd posts into 100 rooms, as fast as the Handler takes it, and
// reports how long messages take from the post to the callback at a moderate
// rate.
func BenchmarkEndToEnd(b *testing.B) {
	_, alice, rooms, h := benchWorld(b, 100)
	window := make(chan struct{}, 1000)
	h.OnMessageCreated(func(webexmsg.DecryptedMessage) { <-window })
	mustConnect(b, h)
	html := "<p>" + fmt.Sprintf("%0103d", 1) + "</p>"
	text := fmt.Sprintf("%0110d", 1)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		window <- struct{}{}
		alice.Post(rooms[n%len(rooms)], webexmsgtest.Message{Text: text, HTML: html})
	}
	for range cap(window) { // until all have come
		window <- struct{}{}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkLatency posts 2,000 messages a second and reports the time from
// before the post to the callback.
func BenchmarkLatency(b *testing.B) {
	_, alice, rooms, h := benchWorld(b, 100)
	var mu sync.Mutex
	sent := make(map[string]time.Time)
	var took []time.Duration
	arrived := make(chan struct{}, 1<<16)
	h.OnMessageCreated(func(m webexmsg.DecryptedMessage) {
		now := time.Now()
		mu.Lock()
		took = append(took, now.Sub(sent[m.Text]))
		mu.Unlock()
		arrived <- struct{}{}
	})
	mustConnect(b, h)
	for _, r := range rooms { // their keys
		alice.Post(r, webexmsgtest.Message{Text: "warm"})
		<-arrived
	}
	took = took[:0]
	pace := time.NewTicker(500 * time.Microsecond)
	defer pace.Stop()
	for n := 0; b.Loop(); n++ {
		<-pace.C
		text := fmt.Sprint(n)
		mu.Lock()
		sent[text] = time.Now()
		mu.Unlock()
		alice.Post(rooms[n%len(rooms)], webexmsgtest.Message{Text: text})
	}
	for range b.N {
		<-arrived
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkConnect connects and disconnects, with a delay in every request.
func BenchmarkConnect(b *testing.B) {
	for _, delay := range []time.Duration{0, 50 * time.Millisecond} {
		b.Run(fmt.Sprint("delay=", delay), func(b *testing.B) {
			s, _, _, h := benchWorld(b, 0)
			for b.Loop() {
				s.Delay(webexmsgtest.EveryEndpoint, delay)
				mustConnect(b, h)
				b.StopTimer()
				s.Delay(webexmsgtest.EveryEndpoint, 0)
				if err := h.Disconnect(b.Context()); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// BenchmarkColdKeys posts one message into each of 1,000 rooms, of which no key
// is known, and reports the POSTs to KMS beside the handshake's.
func BenchmarkColdKeys(b *testing.B) {
	for _, delay := range []time.Duration{0, 50 * time.Millisecond} {
		b.Run(fmt.Sprint("delay=", delay), func(b *testing.B) {
			s, alice, rooms, h := benchWorld(b, 1000)
			arrived := make(chan struct{}, len(rooms))
			h.OnMessageCreated(func(webexmsg.DecryptedMessage) { arrived <- struct{}{} })
			mustConnect(b, h)
			s.DelayKMS(delay)
			posts := 0
			for b.Loop() {
				b.StopTimer()
				for _, r := range rooms {
					s.RotateKey(r)
				}
				before := s.KMSPosts()
				b.StartTimer()
				for _, r := range rooms {
					alice.Post(r, webexmsgtest.Message{Text: "hello"})
				}
				for range rooms {
					<-arrived
				}
				posts += s.KMSPosts() - before
			}
			b.ReportMetric(float64(posts)/float64(b.N), "POSTs")
		})
	}
}

// BenchmarkRooms posts into ever more rooms: what a message costs must not grow
// with them.
func BenchmarkRooms(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			_, alice, rooms, h := benchWorld(b, n)
			window := make(chan struct{}, 1000)
			h.OnMessageCreated(func(webexmsg.DecryptedMessage) { <-window })
			mustConnect(b, h)
			post := func(n int) {
				window <- struct{}{}
				alice.Post(rooms[n%len(rooms)], webexmsgtest.Message{Text: "hello"})
			}
			for i := range rooms { // their keys
				post(i)
			}
			for n := 0; b.Loop(); n++ {
				post(n)
			}
			for range cap(window) {
				window <- struct{}{}
			}
		})
	}
}
