package webexmsg_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webexmsg/webexmsg"
	"github.com/webexmsg/webexmsg/webexmsgtest"
)

var (
	chaosSeed     = flag.Uint64("chaos.seed", 0, "seed of the chaos test; 0 draws one")
	chaosMessages = flag.Int("chaos.messages", 20_000, "messages that the chaos test posts")
	chaosRooms    = flag.Int("chaos.rooms", 200, "rooms that it posts them in")
)

// A fault of the cloud or of the network between. It is over when it returns,
// or passes by itself.
type fault struct {
	name string
	do   func(s *webexmsgtest.Server, rng *rand.Rand, rooms []*webexmsgtest.Room)
}

func pause(rng *rand.Rand, most time.Duration) { time.Sleep(upTo(rng, most)) }

func upTo(rng *rand.Rand, d time.Duration) time.Duration { return time.Duration(rng.Int64N(int64(d))) }

var faults = []fault{
	{"socket killed", func(s *webexmsgtest.Server, _ *rand.Rand, _ []*webexmsgtest.Room) { s.DropSockets() }},
	{"closed for a moment", func(s *webexmsgtest.Server, rng *rand.Rand, _ []*webexmsgtest.Room) {
		codes := []struct {
			code   int
			reason string
		}{{1001, "going away"}, {1011, "internal"}, {1000, "idle"}, {1000, "done (forced)"}, {1050, "pong mismatch"}, {4000, "rebalancing"}, {4404, "gone"}, {1005, ""}}
		c := codes[rng.IntN(len(codes))]
		s.CloseSockets(c.code, c.reason)
	}},
	{"half-open socket", func(s *webexmsgtest.Server, _ *rand.Rand, _ []*webexmsgtest.Room) { s.StallSockets() }},
	{"pongs swallowed", func(s *webexmsgtest.Server, rng *rand.Rand, _ []*webexmsgtest.Room) {
		s.SwallowPongs(true)
		pause(rng, 500*time.Millisecond)
		s.SwallowPongs(false)
	}},
	{"upgrade refused", func(s *webexmsgtest.Server, rng *rand.Rand, _ []*webexmsgtest.Room) {
		s.RefuseUpgrades(1+rng.IntN(2), []int{404, 503, 429}[rng.IntN(3)])
		s.DropSockets()
	}},
	{"outage", func(s *webexmsgtest.Server, rng *rand.Rand, _ []*webexmsgtest.Room) {
		s.Outage(true)
		pause(rng, 2*time.Second)
		s.Outage(false)
	}},
	{"device forgotten", func(s *webexmsgtest.Server, _ *rand.Rand, _ []*webexmsgtest.Room) {
		s.ForgetDevices()
		s.DropSockets()
	}},
	{"KMS slow", func(s *webexmsgtest.Server, rng *rand.Rand, _ []*webexmsgtest.Room) {
		s.DelayKMS(200 * time.Millisecond)
		pause(rng, time.Second)
		s.DelayKMS(0)
	}},
	{"KMS answers dropped", func(s *webexmsgtest.Server, rng *rand.Rand, _ []*webexmsgtest.Room) { s.DropKMS(1 + rng.IntN(3)) }},
	{"KMS answers reordered", func(s *webexmsgtest.Server, rng *rand.Rand, _ []*webexmsgtest.Room) { s.ReorderKMS(2 + rng.IntN(8)) }},
	{"KMS answers batched", func(s *webexmsgtest.Server, rng *rand.Rand, _ []*webexmsgtest.Room) { s.BatchKMS(2 + rng.IntN(8)) }},
	{"KMS answers of strangers", func(s *webexmsgtest.Server, _ *rand.Rand, _ []*webexmsgtest.Room) { s.StrangerKMS(3) }},
	{"shared key expired", func(s *webexmsgtest.Server, _ *rand.Rand, _ []*webexmsgtest.Room) { s.ExpireSharedKeys() }},
	{"keys rotated", func(s *webexmsgtest.Server, rng *rand.Rand, rooms []*webexmsgtest.Room) {
		for range 10 {
			s.RotateKey(rooms[rng.IntN(len(rooms))])
		}
	}},
	{"frames duplicated", func(s *webexmsgtest.Server, rng *rand.Rand, _ []*webexmsgtest.Room) { s.DuplicateFrames(rng.IntN(50)) }},
	{"frames lost", func(s *webexmsgtest.Server, rng *rand.Rand, _ []*webexmsgtest.Room) { s.LoseFrames(1 + rng.IntN(20)) }},
	{"sequence numbers skipped", func(s *webexmsgtest.Server, rng *rand.Rand, _ []*webexmsgtest.Room) { s.SkipSequence(1 + rng.IntN(5)) }},
	{"a service fails", func(s *webexmsgtest.Server, rng *rand.Rand, _ []*webexmsgtest.Room) {
		endpoints := []webexmsgtest.Endpoint{
			webexmsgtest.CatalogEndpoint, webexmsgtest.RegisterEndpoint, webexmsgtest.RefreshEndpoint, webexmsgtest.KMSDetailsEndpoint,
			webexmsgtest.KMSMessagesEndpoint, webexmsgtest.ConversationsEndpoint, webexmsgtest.ActivitiesEndpoint,
		}
		e := endpoints[rng.IntN(len(endpoints))]
		if rng.IntN(2) == 0 {
			s.Fail(e, 1+rng.IntN(4), 503)
		} else {
			s.FailWith(e, 1+rng.IntN(2), 429, http.Header{"Retry-After": {"1"}}, "")
		}
		s.DropSockets()
	}},
	{"oversized frame", func(s *webexmsgtest.Server, _ *rand.Rand, _ []*webexmsgtest.Room) {
		frame := make([]byte, 5<<20)
		for i := range frame {
			frame[i] = ' '
		}
		s.SendFrame(s.Bot(), frame)
	}},
}

// A ledger knows what was posted in which order, and what each room has got.
type ledger struct {
	mu      sync.Mutex
	posted  map[string][]string // by room
	got     map[string][]string
	total   int
	errs    []error
	changed chan struct{}
}

func newLedger() *ledger {
	return &ledger{posted: make(map[string][]string), got: make(map[string][]string), changed: make(chan struct{}, 1)}
}

func (l *ledger) receive(m webexmsg.DecryptedMessage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got[m.RoomID] = append(l.got[m.RoomID], m.Text)
	l.total++
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// await waits until n messages have come, or none has for a long time.
func (l *ledger) await(n int, most time.Duration) {
	for {
		l.mu.Lock()
		total := l.total
		l.mu.Unlock()
		if total >= n {
			return
		}
		select {
		case <-l.changed:
		case <-time.After(most):
			return
		}
	}
}

// check compares room by room: every message once, and in order.
func (l *ledger) check(t *testing.T, name string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	lost, twice, disorder := 0, 0, 0
	for room, posted := range l.posted {
		count := make(map[string]int)
		last := -1
		for _, text := range l.got[room] {
			count[text]++
			var n int
			fmt.Sscan(text, &n)
			if n < last {
				disorder++
			}
			last = n
		}
		for _, text := range posted {
			switch n := count[text]; {
			case n == 0:
				lost++
			case n > 1:
				twice++
			}
		}
	}
	if lost+twice+disorder > 0 {
		t.Errorf("%s: %d of %d lost, %d twice, %d out of order", name, lost, l.total, twice, disorder)
	}
	for i, err := range l.errs {
		if i < 10 {
			t.Logf("%s: error event: %v", name, err)
		}
	}
}

// TestChaos posts into many rooms while one thing after another goes wrong,
// and sees that two Handlers on one token get everything once, and in order
// within each room.
func TestChaos(t *testing.T) {
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("chaos.seed=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))

	s := webexmsgtest.NewServer()
	defer s.Close()
	alice := s.NewPerson("alice@example.com", "Alice")
	rooms := make([]*webexmsgtest.Room, *chaosRooms)
	for i := range rooms {
		if i%2 == 0 {
			rooms[i] = s.NewDirectRoom(alice, s.Bot())
		} else {
			rooms[i] = s.NewRoom(fmt.Sprint("room ", i), alice, s.Bot())
		}
	}
	mention := []*webexmsgtest.Person{s.Bot()}

	var handlers []*webexmsg.Handler
	var ledgers []*ledger
	var gaps sync.Map
	var ending atomic.Bool
	for i := range 2 {
		cfg := s.Config()
		cfg.PingInterval, cfg.PongTimeout = 300*time.Millisecond, 300*time.Millisecond
		cfg.ReconnectBackoffMax = 500 * time.Millisecond
		cfg.MaxReconnectAttempts = -1
		cfg.QueueSize = 2000
		h, err := webexmsg.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		l := newLedger()
		slow := 0
		var mu sync.Mutex
		h.OnMessageCreated(func(m webexmsg.DecryptedMessage) {
			if m.RoomID == rooms[0].ID { // one room is slower than what comes
				mu.Lock()
				slow++
				wait := slow < 200
				mu.Unlock()
				if wait {
					time.Sleep(5 * time.Millisecond)
				}
			}
			l.receive(m)
		})
		h.OnError(func(err error) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.errs = append(l.errs, err)
		})
		h.OnGap(func(g webexmsg.Gap) {
			gaps.Store(g.Cause, true)
			if !g.Complete && !ending.Load() {
				t.Errorf("handler %d: incomplete gap %+v", i, g)
			}
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		err = h.Connect(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		handlers, ledgers = append(handlers, h), append(ledgers, l)
	}

	stop := make(chan struct{})
	var trouble sync.WaitGroup
	happened := make(map[string]int)
	trouble.Go(func() {
		order := rng.Perm(len(faults))
		for i := 0; ; i++ {
			f := faults[order[i%len(order)]]
			f.do(s, rng, rooms)
			happened[f.name]++
			select {
			case <-stop:
				if i >= len(order) { // each at least once
					return
				}
			case <-time.After(50*time.Millisecond + upTo(rng, 250*time.Millisecond)):
			}
		}
	})
	posting := rand.New(rand.NewPCG(seed, 1))
	pace := time.NewTicker(10 * time.Millisecond)
	defer pace.Stop()
	for n := 0; n < *chaosMessages; {
		<-pace.C
		for range 5 + posting.IntN(20) {
			if n++; n > *chaosMessages {
				break
			}
			room := rooms[posting.IntN(len(rooms))]
			if posting.IntN(10) == 0 {
				room = rooms[0]
			}
			text := fmt.Sprint(n)
			for _, l := range ledgers {
				l.mu.Lock()
				l.posted[room.ID] = append(l.posted[room.ID], text)
				l.mu.Unlock()
			}
			alice.Post(room, webexmsgtest.Message{Text: text, Mentions: mention, HTML: text})
		}
	}
	close(stop)
	trouble.Wait()
	if len(happened) < 12 {
		t.Errorf("only %d kinds of faults happened", len(happened))
	}

	for i, l := range ledgers {
		// A hole shows when the next frame comes.
		alice.Post(rooms[0], webexmsgtest.Message{Text: fmt.Sprint(*chaosMessages + 1 + i), Mentions: mention, HTML: "x"})
		l.await(*chaosMessages, 30*time.Second)
	}
	ending.Store(true)
	for i, h := range handlers {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := h.Disconnect(ctx); err != nil {
			t.Errorf("handler %d: Disconnect: %v", i, err)
		}
		cancel()
		ledgers[i].check(t, fmt.Sprint("handler ", i))
	}
	runtime.GC()
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	t.Logf("%d messages, faults %v, heap %d MiB", *chaosMessages, happened, mem.HeapAlloc>>20)
	gaps.Range(func(cause, _ any) bool { t.Logf("gap: %v", cause); return true })
}
