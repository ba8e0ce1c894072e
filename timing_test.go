package webexmsg_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/webexmsg/webexmsg"
	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// inBubble runs a test of protocol timing: server, Handler and clock are all
// inside a synctest bubble, where hours pass in milliseconds.
func inBubble(t *testing.T, f func(t *testing.T, s *webexmsgtest.Server, h *webexmsg.Handler, r *recorder), change ...func(*webexmsg.Config)) {
	t.Helper()
	webexmsgtest.NewServer().Close() // makes its keys, which are for all bubbles, outside of any
	synctest.Test(t, func(t *testing.T) {
		s := webexmsgtest.NewServer(webexmsgtest.Options{InMemory: true})
		defer s.Close()
		cfg := s.Config()
		for _, c := range change {
			c(&cfg)
		}
		h, err := webexmsg.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		r := record(t, h)
		if err := h.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f(t, s, h, r)
		if err := h.Disconnect(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestPongThatDoesNotCome(t *testing.T) {
	inBubble(t, func(t *testing.T, s *webexmsgtest.Server, h *webexmsg.Handler, r *recorder) {
		s.SwallowPongs(true)
		time.Sleep(15*time.Second + 14*time.Second - time.Millisecond)
		synctest.Wait()
		if lines := r.with("disconnected"); lines != nil {
			t.Fatalf("disconnected before the pong was due: %q", lines)
		}
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		if lines := r.with("disconnected"); len(lines) != 1 || !strings.Contains(lines[0], "no pong within 14s") {
			t.Fatalf("events %q", lines)
		}
		s.SwallowPongs(false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if !h.Connected() {
			t.Errorf("not back: %+v", h.Status())
		}
	})
}

func TestPingsKeepAConnection(t *testing.T) {
	inBubble(t, func(t *testing.T, s *webexmsgtest.Server, h *webexmsg.Handler, r *recorder) {
		time.Sleep(time.Hour)
		synctest.Wait()
		if lines := r.with("disconnected"); lines != nil || !h.Connected() {
			t.Errorf("events %q", lines)
		}
		if since := time.Since(h.Status().LastPong); since > 15*time.Second {
			t.Errorf("the last pong came %v ago", since)
		}
	})
}

// TestDeviceIsRefreshedInTime lets hours pass: WDM forgets a device half an
// hour after its last refresh.
func TestDeviceIsRefreshedInTime(t *testing.T) {
	inBubble(t, func(t *testing.T, s *webexmsgtest.Server, h *webexmsg.Handler, r *recorder) {
		before := s.Devices(s.Bot())
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		after := s.Devices(s.Bot())
		if len(before) != 1 || len(after) != 1 || before[0].URL != after[0].URL || before[0].TTL != 30*time.Minute {
			t.Errorf("devices %v, before %v", after, before)
		}
		// Every 16 minutes: half the time to live and a minute.
		if n := s.Count(webexmsgtest.RefreshEndpoint); n != 11 {
			t.Errorf("%d refreshes in three hours, want 11", n)
		}
		if n := s.Count(webexmsgtest.RegisterEndpoint); n != 1 {
			t.Errorf("%d registrations", n)
		}
	})
}

// TestLeftoverIsForgotten has a Handler die without a goodbye.
func TestLeftoverIsForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T, s *webexmsgtest.Server, h *webexmsg.Handler, r *recorder) {
		s.Fail(webexmsgtest.UnregisterEndpoint, -1, 503)
		if err := h.Disconnect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(s.Devices(s.Bot())); n != 1 {
			t.Fatalf("%d devices are left, want 1", n)
		}
		time.Sleep(31 * time.Minute)
		if n := len(s.Devices(s.Bot())); n != 0 {
			t.Errorf("%d devices are left after their time", n)
		}
	})
}

// TestSharedKeyIsRenewed lets the hour of a shared key pass twice, with
// messages under new content keys all along.
func TestSharedKeyIsRenewed(t *testing.T) {
	inBubble(t, func(t *testing.T, s *webexmsgtest.Server, h *webexmsg.Handler, r *recorder) {
		alice := s.NewPerson("alice@example.com", "Alice")
		room := s.NewDirectRoom(alice, s.Bot())
		for i := range 13 {
			time.Sleep(10 * time.Minute)
			s.RotateKey(room)
			sent := time.Now()
			alice.Post(room, text("hello"))
			r.await("created", i+1)
			if d := time.Since(sent); d > time.Second {
				t.Errorf("message %d took %v", i, d)
			}
		}
		if n := s.Handshakes(); n != 3 {
			t.Errorf("%d handshakes in 130 minutes, want 3", n)
		}
		if errs := r.errors(); len(errs) != 0 {
			t.Errorf("errors %v", errs)
		}
	})
}

// TestStaleDevicesMakeRoom fills the limit with devices of other names and
// with one of this name that nobody has refreshed: that one alone goes.
func TestStaleDevicesMakeRoom(t *testing.T) {
	webexmsgtest.NewServer().Close()
	synctest.Test(t, func(t *testing.T) {
		s := webexmsgtest.NewServer(webexmsgtest.Options{InMemory: true, DeviceLimit: 3})
		defer s.Close()
		register := func(name string) {
			body := strings.NewReader(`{"name":"` + name + `","deviceType":"WEB"}`)
			req, err := http.NewRequest(http.MethodPost, s.URL()+"/wdm/api/v1/devices", body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+s.Bot().Token)
			res, err := s.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			res.Body.Close()
		}
		register("somebody else's")
		register("webexmsg")
		time.Sleep(20 * time.Minute)
		register("webexmsg") // fresh: it may be alive
		h, err := webexmsg.New(s.Config())
		if err != nil {
			t.Fatal(err)
		}
		fresh := s.Devices(s.Bot())[2].URL
		if err := h.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		var names []string
		kept := false
		for _, d := range s.Devices(s.Bot()) {
			names = append(names, d.Name)
			kept = kept || d.URL == fresh
		}
		if len(names) != 3 || names[0] != "somebody else's" || !kept {
			t.Errorf("devices %q, the fresh one kept %v", names, kept)
		}
		if err := h.Disconnect(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// TestBackoff refuses upgrades for a long time and looks at the attempts.
func TestBackoff(t *testing.T) {
	inBubble(t, func(t *testing.T, s *webexmsgtest.Server, h *webexmsg.Handler, r *recorder) {
		s.RefuseUpgrades(-1, 503)
		s.DropSockets()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		attempts := len(r.with("reconnecting"))
		// The mean wait is half of 1, 2, 4, 8, 16, 32, 32, ... seconds.
		if attempts < 20 || attempts > 80 {
			t.Errorf("%d attempts in ten minutes", attempts)
		}
		// Refreshed before the second consecutive attempt, and at each one after.
		if n := s.Count(webexmsgtest.RefreshEndpoint); n < attempts-3 {
			t.Errorf("%d refreshes at %d attempts", n, attempts)
		}
		if st := h.Status(); st.State != webexmsg.StateReconnecting || st.ReconnectAttempt != attempts || st.WebSocketOpen {
			t.Errorf("status %+v after %d attempts", st, attempts)
		}
		s.Restore(webexmsgtest.UpgradeEndpoint)
		for !h.Connected() {
			time.Sleep(time.Second)
			synctest.Wait()
		}
		if h.Status().ReconnectAttempt < attempts {
			t.Errorf("status %+v: the counter falls only when the connection has stood for a while", h.Status())
		}
		time.Sleep(16 * time.Second)
		synctest.Wait()
		if st := h.Status(); st.ReconnectAttempt != 0 {
			t.Errorf("status %+v", st)
		}
	}, func(c *webexmsg.Config) { c.MaxReconnectAttempts = -1 })
}

// TestConnectThenDrop has connections break as soon as they stand: they count
// as failures, or the Handler would run hot.
func TestConnectThenDrop(t *testing.T) {
	inBubble(t, func(t *testing.T, s *webexmsgtest.Server, h *webexmsg.Handler, r *recorder) {
		for r.with("error") == nil {
			s.DropSockets()
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		if lines := r.with("reconnecting"); len(lines) != 10 {
			t.Errorf("attempts %q, want ten", lines)
		}
		if h.Connected() {
			t.Error("still connected")
		}
	})
}

// TestConnectInFiveExchanges delays every request and counts how many of them
// must have come one after the other: in a bubble nothing else takes time.
func TestConnectInFiveExchanges(t *testing.T) {
	const delay = time.Second
	webexmsgtest.NewServer().Close()
	synctest.Test(t, func(t *testing.T) {
		s := webexmsgtest.NewServer(webexmsgtest.Options{InMemory: true})
		defer s.Close()
		s.Delay(webexmsgtest.EveryEndpoint, delay)
		h, err := webexmsg.New(s.Config())
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := h.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		// The authorisation on the socket is an exchange too, but no request.
		if d := time.Since(start); d > 4*delay {
			t.Errorf("Connect took as long as %v requests, want 4", d.Seconds())
		}
		s.Restore(webexmsgtest.EveryEndpoint)
		s.Delay(webexmsgtest.EveryEndpoint, 0)
		if err := h.Disconnect(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

// TestSilentServices has each exchange of Connect never answered: Connect ends
// all the same, with an error that says what was silent.
func TestSilentServices(t *testing.T) {
	webexmsgtest.NewServer().Close()
	for e, says := range map[webexmsgtest.Endpoint]string{
		webexmsgtest.CatalogEndpoint: "catalog", webexmsgtest.RegisterEndpoint: "registration", webexmsgtest.PeopleMeEndpoint: "identity",
		webexmsgtest.UpgradeEndpoint: "socket", webexmsgtest.KMSDetailsEndpoint: "KMS", webexmsgtest.KMSMessagesEndpoint: "KMS",
	} {
		t.Run(string(e), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := webexmsgtest.NewServer(webexmsgtest.Options{InMemory: true})
				defer s.Close()
				s.Hang(e, -1)
				h, err := webexmsg.New(s.Config())
				if err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				if err := h.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("Connect: %v, want it to name %q", err, says)
				}
				if d := time.Since(start); d > time.Minute {
					t.Errorf("Connect took %v", d)
				}
			})
		})
	}
}

// TestKMSThatNeverAnswers has KMS take requests and say nothing.
func TestKMSThatNeverAnswers(t *testing.T) {
	inBubble(t, func(t *testing.T, s *webexmsgtest.Server, h *webexmsg.Handler, r *recorder) {
		alice := s.NewPerson("alice@example.com", "Alice")
		room := s.NewDirectRoom(alice, s.Bot())
		s.DropKMS(1 << 20)
		posts := s.KMSPosts()
		alice.Post(room, text("hello"))
		time.Sleep(time.Hour)
		synctest.Wait()
		if lines := r.with("error"); len(lines) < 2 {
			t.Errorf("events %q: want one of KMS and one of the message", lines)
		}
		if n := s.KMSPosts() - posts; n > 200 {
			t.Errorf("%d posts in an hour of silence", n)
		}
		if !h.Connected() {
			t.Error("the connection was given up")
		}
		s.DropKMS(0)
		s.RotateKey(room)
		alice.Post(room, text("again"))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		alice.Post(room, text("fine"))
		r.await("created fine", 1)
	})
}
