package webexmsg_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
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

// BenchmarkLatency posts 5,000 messages a second and reports the time from
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
	const burst = 5 // a millisecond: timers are no finer
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	start := time.Now()
	for n := 0; b.Loop(); n++ {
		if n%burst == 0 {
			<-pace.C
		}
		text := fmt.Sprint(n)
		mu.Lock()
		sent[text] = time.Now()
		mu.Unlock()
		alice.Post(rooms[n%len(rooms)], webexmsgtest.Message{Text: text})
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "messages/s")
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

// BenchmarkReconnect kills the socket and waits until messages flow again; the
// waits of the backoff, which are of another order, are left out.
func BenchmarkReconnect(b *testing.B) {
	s := webexmsgtest.NewServer()
	b.Cleanup(s.Close)
	cfg := s.Config()
	cfg.ReconnectBackoffMax = time.Microsecond
	cfg.MaxReconnectAttempts = -1
	h, err := webexmsg.New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	connected := make(chan struct{}, 1)
	h.OnConnected(func() { connected <- struct{}{} })
	mustConnect(b, h)
	<-connected
	for b.Loop() {
		s.DropSockets()
		<-connected
	}
	if err := h.Disconnect(context.Background()); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkProcess runs the bot in a process of its own and reports what that
// process uses: processor time a message, acks included, and memory. What a
// message costs must not grow with the rooms.
func BenchmarkProcess(b *testing.B) {
	for _, n := range []int{10, 1000, 10_000, 100_000} {
		b.Run(fmt.Sprint("rooms=", n), func(b *testing.B) {
			s, alice, rooms, _ := benchWorld(b, n)
			c := newChild(s)
			c.Quiet = true
			cmd, out := startChild(b, c)
			b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
			for out.Scan() && out.Text() != "connected" {
			}
			text, html := fmt.Sprintf("%0110d", 1), "<p>"+fmt.Sprintf("%0103d", 1)+"</p>"
			posted := 0
			post := func(thousands int) (cpu, resident int) {
				for range thousands * 1000 {
					alice.Post(rooms[posted%n], webexmsgtest.Message{Text: text, HTML: html})
					posted++
				}
				for heard := 0; heard < posted && out.Scan(); {
					fmt.Sscan(out.Text(), &heard, &cpu, &resident)
				}
				return cpu, resident
			}
			before, _ := post(max(1, n/1000)) // which fetches the keys
			resident, after, thousands := 0, 0, 0
			for b.Loop() {
				after, resident = post(5)
				thousands += 5
			}
			b.ReportMetric(float64(after-before)/float64(thousands*1000), "CPU-µs/message")
			b.ReportMetric(float64(resident)/1024, "MiB")
			b.ReportMetric(float64(thousands*1000)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}

// cpuTime is the processor time that this process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// residentKiB is the memory that this process has in RAM, where Linux tells.
func residentKiB() int {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	n := 0
	fmt.Sscan(rest, &n)
	return n
}
