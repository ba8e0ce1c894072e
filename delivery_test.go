package webexmsg_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/webexmsg/webexmsg"
	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// TestABlockedRoomHoldsUpNoOther blocks one room and sees messages of many
// others pass, and pings answered.
func TestABlockedRoomHoldsUpNoOther(t *testing.T) {
	s, alice, room, h, r := world(t, func(c *webexmsg.Config) {
		c.Concurrency = 2
		c.PingInterval, c.PongTimeout = 20*time.Millisecond, 5*time.Second
	})
	release := make(chan struct{})
	h.OnMessageCreated(func(m webexmsg.DecryptedMessage) {
		if m.RoomID == room.ID {
			<-release
		}
	})
	connect(t, h)
	for i := range 10 {
		alice.Post(room, text(fmt.Sprint("blocked ", i)))
	}
	for range 20 {
		alice.Post(s.NewDirectRoom(alice, s.Bot()), text("free"))
	}
	r.await("created free", 20)
	for before := h.Status().LastPong; !h.Status().LastPong.After(before.Add(50 * time.Millisecond)); {
		if !h.Connected() {
			t.Fatal("the connection broke")
		}
		time.Sleep(time.Millisecond)
	}
	close(release)
	r.await("created blocked 9", 1)
}

func TestConcurrencyOfOneIsOneOrder(t *testing.T) {
	s, alice, _, h, r := world(t, func(c *webexmsg.Config) { c.Concurrency = 1 })
	rooms := []*webexmsgtest.Room{s.NewDirectRoom(alice, s.Bot()), s.NewDirectRoom(alice, s.Bot()), s.NewDirectRoom(alice, s.Bot())}
	connect(t, h)
	var want []string
	for i := range 60 {
		alice.Post(rooms[i%7%3], text(fmt.Sprint(i)))
		want = append(want, fmt.Sprint("created ", i))
	}
	if got := r.await("created", 60); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// TestWhatWasMissedIsFetched posts during an outage and sees it arrive in
// order, marked, and told of by a gap event.
func TestWhatWasMissedIsFetched(t *testing.T) {
	s, alice, room, h, r := world(t)
	gaps := make(chan webexmsg.Gap, 10)
	caught := make(chan webexmsg.DecryptedMessage, 10)
	h.OnGap(func(g webexmsg.Gap) { gaps <- g })
	h.OnMessageCreated(func(m webexmsg.DecryptedMessage) { caught <- m })
	connect(t, h)
	alice.Post(room, text("before"))
	if m := next(t, caught); m.CaughtUp {
		t.Error("a live message is marked as caught up")
	}
	s.Outage(true)
	r.await("disconnected", 1)
	alice.Post(room, text("during 1"))
	alice.Post(room, text("during 2"))
	s.Outage(false)
	for _, want := range []string{"during 1", "during 2"} {
		if m := next(t, caught); m.Text != want || !m.CaughtUp {
			t.Errorf("%q, caught up %v; want %q", m.Text, m.CaughtUp, want)
		}
	}
	g := next(t, gaps)
	if g.Recovered != 2 || !g.Complete || g.Cause != "connection lost" || g.RoomID != "" || !g.From.Before(g.To) {
		t.Errorf("gap %+v", g)
	}
	alice.Post(room, text("after"))
	if m := next(t, caught); m.Text != "after" || m.CaughtUp {
		t.Errorf("%q, caught up %v", m.Text, m.CaughtUp)
	}
}

// TestCatchingUpObeysTheRuleOfGroupRooms fetches a group room, where a bot is
// to hear only what mentions it.
func TestCatchingUpObeysTheRuleOfGroupRooms(t *testing.T) {
	s, alice, _, h, r := world(t)
	group := s.NewRoom("Project", alice, s.Bot())
	connect(t, h)
	mention := webexmsgtest.Message{Text: "to you", Mentions: []*webexmsgtest.Person{s.Bot()}}
	s.Outage(true)
	r.await("disconnected", 1)
	alice.Post(group, text("to others"))
	id := alice.Post(group, mention)
	alice.Post(group, text("to others"))
	s.Outage(false)
	r.await("created", 1)
	alice.Delete(group, id)
	r.await("deleted "+id, 1)
	if got := r.with("created"); len(got) != 1 || !strings.Contains(got[0], "to you") {
		t.Errorf("messages %q", got)
	}
}

func TestHolesInTheSequenceAreFetched(t *testing.T) {
	s, alice, room, h, r := world(t)
	connect(t, h)
	alice.Post(room, text("0"))
	r.await("created", 1)
	s.LoseFrames(3)
	var want []string
	for i := range 5 {
		if i > 0 {
			alice.Post(room, text(fmt.Sprint(i)))
		}
		want = append(want, fmt.Sprint("created ", i))
	}
	if got := r.await("created", 5); !slices.Equal(got, want) {
		t.Errorf("messages %q", got)
	}
}

func TestAnOversizedFrameCostsNothing(t *testing.T) {
	s, alice, room, h, r := world(t)
	gaps := make(chan webexmsg.Gap, 10)
	h.OnGap(func(g webexmsg.Gap) { gaps <- g })
	connect(t, h)
	s.SendFrame(s.Bot(), []byte(`{"data":"`+strings.Repeat("x", 5<<20)+`"}`))
	if g := next(t, gaps); g.Cause != "oversized frame" {
		t.Errorf("gap %+v", g)
	}
	alice.Post(room, text("hello"))
	r.await("created hello", 1)
	if lines := r.with("disconnected"); lines != nil {
		t.Errorf("events %q", lines)
	}
}

// TestOverflow floods a queue of ten while its callbacks block.
func TestOverflow(t *testing.T) {
	for _, catchUp := range []time.Duration{0, -1} {
		t.Run(fmt.Sprint("catch-up ", catchUp), func(t *testing.T) {
			s, alice, room, h, r := world(t, func(c *webexmsg.Config) {
				c.QueueSize = 10
				c.CatchUp = catchUp
			})
			release := make(chan struct{})
			h.OnMessageCreated(func(webexmsg.DecryptedMessage) { <-release })
			connect(t, h)
			var want []string
			for i := range 100 {
				alice.Post(room, text(fmt.Sprint(i)))
				want = append(want, fmt.Sprint("created ", i))
			}
			if err := s.WaitAcked(t.Context()); err != nil {
				t.Fatal(err)
			}
			if catchUp < 0 {
				r.await("error", 1)
			}
			close(release)
			if catchUp == 0 {
				if got := r.await("created", 100); !slices.Equal(got, want) {
					t.Errorf("messages %q", got)
				}
				return
			}
			disconnect(t, h)
			dropped := 0
			for _, err := range r.errors() {
				var oe *webexmsg.OverflowError
				if !errors.Is(err, webexmsg.ErrOverflow) || !errors.As(err, &oe) {
					t.Fatalf("error %v", err)
				}
				dropped += oe.Count
			}
			if handled := len(r.with("created")); dropped == 0 || handled+dropped != 100 {
				t.Errorf("%d handled and %d dropped of 100", handled, dropped)
			}
		})
	}
}

// TestCatchUpThatIsRefused goes on live, and says that something is missing.
func TestCatchUpThatIsRefused(t *testing.T) {
	for name, set := range map[string]func(*webexmsgtest.Server, *webexmsg.Config){
		"401":            func(s *webexmsgtest.Server, _ *webexmsg.Config) { s.Fail(webexmsgtest.ConversationsEndpoint, -1, 401) },
		"403":            func(s *webexmsgtest.Server, _ *webexmsg.Config) { s.Fail(webexmsgtest.ConversationsEndpoint, -1, 403) },
		"404":            func(s *webexmsgtest.Server, _ *webexmsg.Config) { s.Fail(webexmsgtest.ConversationsEndpoint, -1, 404) },
		"activities 403": func(s *webexmsgtest.Server, _ *webexmsg.Config) { s.Fail(webexmsgtest.ActivitiesEndpoint, -1, 403) },
		"off":            func(_ *webexmsgtest.Server, c *webexmsg.Config) { c.CatchUp = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			alice := s.NewPerson("alice@example.com", "Alice")
			room := s.NewDirectRoom(alice, s.Bot())
			cfg := s.Config()
			set(s, &cfg)
			h, r := newHandler(t, cfg)
			gaps := make(chan webexmsg.Gap, 10)
			h.OnGap(func(g webexmsg.Gap) { gaps <- g })
			connect(t, h)
			s.Outage(true)
			r.await("disconnected", 1)
			alice.Post(room, text("missed"))
			s.Outage(false)
			if g := next(t, gaps); g.Complete || g.Recovered != 0 {
				t.Errorf("gap %+v", g)
			}
			alice.Post(room, text("live"))
			r.await("created live", 1)
			if n := s.Count(webexmsgtest.ActivitiesEndpoint); n > 1 {
				t.Errorf("%d requests for activities", n)
			}
		})
	}
}

func TestCatchUpHonoursTheServiceInTrouble(t *testing.T) {
	s, alice, room, h, r := world(t)
	connect(t, h)
	s.Fail(webexmsgtest.ActivitiesEndpoint, 4, 503)
	s.Outage(true)
	r.await("disconnected", 1)
	alice.Post(room, text("missed"))
	s.Outage(false)
	r.await("connected", 2)
	alice.Post(room, text("live"))
	if got := r.await("created", 2); !slices.Equal(got, []string{"created missed", "created live"}) {
		t.Errorf("messages %q", got)
	}
}

func TestNothingOlderThanTheWindowIsFetched(t *testing.T) {
	s, alice, room, h, r := world(t, func(c *webexmsg.Config) { c.CatchUp = time.Millisecond })
	connect(t, h)
	s.Outage(true)
	r.await("disconnected", 1)
	alice.Post(room, text("too old"))
	time.Sleep(1100 * time.Millisecond) // by the server's clock, which shows seconds
	s.Outage(false)
	r.await("connected", 2)
	alice.Post(room, text("live"))
	r.await("created live", 1)
	if got := r.with("created"); len(got) != 1 {
		t.Errorf("messages %q", got)
	}
}

func TestAckAfterHandling(t *testing.T) {
	s, alice, room, h, r := world(t, func(c *webexmsg.Config) { c.AckAfterHandling = true })
	entered, release := make(chan struct{}), make(chan struct{})
	h.OnMessageCreated(func(webexmsg.DecryptedMessage) { entered <- struct{}{}; <-release })
	connect(t, h)
	alice.Post(room, text("for the key, of which KMS's answer is acknowledged too"))
	next(t, entered)
	release <- struct{}{}
	if err := s.WaitAcked(t.Context()); err != nil {
		t.Fatal(err)
	}
	alice.Post(room, text("hello"))
	next(t, entered)
	// Acks go out in order: with that of a frame behind it, its own would be there.
	s.SendFrame(s.Bot(), []byte(`{"id":"probe","data":{"eventType":"probe"}}`))
	for deadline := time.Now().Add(patience); !slices.Contains(s.Acks(), "probe"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the probe was not acknowledged")
		}
	}
	if n := len(s.Unacked(s.Bot())); n != 1 {
		t.Errorf("%d frames are not acknowledged while a callback runs, want 1", n)
	}
	close(release)
	r.await("created", 2)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.WaitAcked(ctx); err != nil {
		t.Error(err)
	}
}

func TestKeyThatNeverComes(t *testing.T) {
	s, alice, room, h, r := world(t, func(c *webexmsg.Config) { c.KeyTimeout = 100 * time.Millisecond })
	connect(t, h)
	s.DropKMS(1)
	id := alice.Post(room, text("lost key"))
	r.await("error", 1)
	var de *webexmsg.DecryptError
	if err := r.errors()[0]; !errors.As(err, &de) || de.ActivityID != id {
		t.Errorf("error %v", err)
	}
	r.await("created", 0)
}

// TestSharedKeyThatExpiredEarly has KMS forget what was agreed on: requests
// get no answer until there is a new handshake.
func TestSharedKeyThatExpiredEarly(t *testing.T) {
	s, alice, room, h, r := world(t)
	connect(t, h)
	s.ExpireSharedKeys()
	alice.Post(room, text("hello"))
	r.await("created hello", 1)
	if n := s.Handshakes(); n != 2 {
		t.Errorf("%d handshakes, want 2", n)
	}
}

func TestTooManyDevices(t *testing.T) {
	s := webexmsgtest.NewServer(webexmsgtest.Options{DeviceLimit: 1})
	t.Cleanup(s.Close)
	other, _ := newHandler(t, s.Config())
	connect(t, other)
	h, _ := newHandler(t, s.Config())
	var api *webexmsg.APIError
	if err := h.Connect(t.Context()); !errors.As(err, &api) || api.StatusCode != 403 {
		t.Errorf("Connect: %v", err)
	}
	if len(s.Devices(s.Bot())) != 1 || !other.Connected() {
		t.Error("the device of another process was removed")
	}
}

func TestTwoHandlersOnOneToken(t *testing.T) {
	s, alice, room, h, r := world(t)
	h2, r2 := newHandler(t, s.Config())
	connect(t, h)
	connect(t, h2)
	alice.Post(room, text("hello"))
	r.await("created hello", 1)
	r2.await("created hello", 1)
}
