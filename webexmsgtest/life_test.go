package webexmsgtest_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/webexmsg/webexmsg/webexmsgtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if left := goroutines(); code == 0 && left != "" {
		fmt.Fprintln(os.Stderr, "goroutines left behind:\n"+left)
		code = 1
	}
	os.Exit(code)
}

// goroutines waits for all goroutines but this one to end and returns the
// stacks of those that do not.
func goroutines() string {
	buf := make([]byte, 1<<20)
	for range 500 {
		_, _, found := strings.Cut(string(buf[:runtime.Stack(buf, true)]), "\n\n")
		if !found {
			return ""
		}
		time.Sleep(time.Millisecond)
	}
	return string(buf[:runtime.Stack(buf, true)])
}

func millis(t *testing.T, date string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, date)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixMilli()
}

func TestDevices(t *testing.T) {
	srv := newServer(t, webexmsgtest.Options{DeviceLimit: 2})
	c := newClient(t, srv, srv.Bot())
	c.must(404, "GET", "/wdm/api/v1/devices", nil)
	c.register()
	first := c.device
	c.register()
	status, body, _ := c.do("POST", "/wdm/api/v1/devices", object{"name": "one too many"})
	if status != 403 || !strings.Contains(str(body, "message"), "excessive device registrations") {
		t.Errorf("one too many: %d, %v", status, body)
	}
	if n := len(at(c.must(200, "GET", "/wdm/api/v1/devices", nil), "devices").([]any)); n != 2 {
		t.Errorf("%d devices are listed", n)
	}
	other := newClient(t, srv, srv.NewPerson("alice@example.com", "Alice"))
	other.must(404, "DELETE", str(first, "url"), nil)
	c.must(200, "PUT", str(first, "url"), object{"name": "renamed", "ttl": 60})
	if d := srv.Devices(srv.Bot())[0]; d.URL != str(first, "url") || d.Name != "renamed" || d.TTL != time.Minute {
		t.Errorf("refreshed device is %+v", d)
	}
	c.must(204, "DELETE", str(first, "url"), nil)
	c.must(404, "PUT", str(first, "url"), object{"name": "gone"})
	if n := len(srv.Devices(srv.Bot())); n != 1 {
		t.Errorf("%d devices are left", n)
	}
}

func TestHostAndCA(t *testing.T) {
	srv := newServer(t, webexmsgtest.Options{Host: "cloud.example"})
	if srv.URL() != "https://cloud.example" {
		t.Errorf("URL = %s", srv.URL())
	}
	if conn, err := net.Dial("tcp", srv.Addr()); err != nil {
		t.Errorf("Addr = %s: %v", srv.Addr(), err)
	} else {
		conn.Close()
	}
	if err := srv.Certificate().VerifyHostname("cloud.example"); err != nil {
		t.Error(err)
	}
	newClient(t, srv, srv.Bot()).connect()
	if !srv.CertPool().Equal(srv.KMSRoots()) || !strings.HasPrefix(string(srv.CAPEM()), "-----BEGIN CERTIFICATE") {
		t.Error("the authority is not the same everywhere")
	}
	cfg := srv.Config()
	if cfg.Token != srv.Bot().Token || cfg.HTTPClient != srv.Client() || cfg.Endpoints.API != srv.URL()+"/v1" ||
		len(cfg.AllowedHosts) != 1 || cfg.AllowedHosts[0] != "cloud.example" || cfg.KMSRoots == nil {
		t.Error("the Config does not lead here")
	}
}

// TestClose closes a server in the middle of everything that it can be in.
func TestClose(t *testing.T) {
	srv := webexmsgtest.NewServer()
	alice := srv.NewPerson("alice@example.com", "Alice")
	r := srv.NewDirectRoom(alice, srv.Bot())
	newClient(t, srv, srv.Bot()).connectedSocket()
	stalled := newClient(t, srv, alice).connectedSocket()
	srv.StallSockets()
	unread := newClient(t, srv, srv.Bot()).connect()
	for range 1000 {
		alice.Post(r, message{Text: strings.Repeat("x", 10_000)})
	}
	closing := newClient(t, srv, alice).connectedSocket()
	srv.CloseSockets(1001, "")
	srv.DelayKMS(time.Hour)
	unread.ask("retrieve", r.KeyURL(), nil)
	srv.Hang(webexmsgtest.PeopleMeEndpoint, 1)
	srv.Delay(webexmsgtest.CatalogEndpoint, time.Hour)
	catalogs := srv.Count(webexmsgtest.CatalogEndpoint)
	var wg sync.WaitGroup
	for _, path := range []string{"/v1/people/me", "/u2c/api/v1/catalog"} {
		wg.Go(func() {
			resp, err := srv.Client().Get(srv.URL() + path)
			if err == nil {
				resp.Body.Close()
				t.Errorf("%s was answered", path)
			}
		})
	}
	for e, n := range map[webexmsgtest.Endpoint]int{
		webexmsgtest.PeopleMeEndpoint: 1, webexmsgtest.CatalogEndpoint: catalogs + 1,
	} {
		if err := srv.WaitCount(testContext(t), e, n); err != nil {
			t.Fatal(err)
		}
	}
	srv.Close()
	srv.Close()
	wg.Wait()
	stalled.ws.CloseNow()
	closing.ws.CloseNow()
	unread.ws.CloseNow()
	alice.Post(r, message{Text: "to nobody"})
}

// TestConcurrency is for the race detector.
func TestConcurrency(t *testing.T) {
	srv, alice, direct, group := world(t)
	c := newClient(t, srv, srv.Bot()).connect()
	c.noAck = true
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := c.read(context.Background()); err != nil {
				return
			}
		}
	}()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 50 {
				id := alice.Post(direct, message{Text: "x", Files: []webexmsgtest.File{{Name: "f"}}})
				alice.Edit(direct, id, message{Text: "y"})
				alice.ScanFiles(direct, id)
				alice.Delete(direct, id)
				alice.Rename(group, fmt.Sprint(i))
				srv.RotateKey(direct)
				srv.Requests()
				srv.Devices(srv.Bot())
				srv.Unacked(srv.Bot())
				srv.DuplicateFrames(1)
				srv.Fail(webexmsgtest.RESTEndpoint, 1, 500)
				srv.Restore(webexmsgtest.EveryEndpoint)
				_, _ = direct.KeyURL(), group.Title()
			}
		})
	}
	wg.Wait()
	srv.DropSockets()
	<-done
}

func TestInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := webexmsgtest.NewServer(webexmsgtest.Options{InMemory: true})
		defer srv.Close()
		alice := srv.NewPerson("alice@example.com", "Alice")
		direct := srv.NewDirectRoom(alice, srv.Bot())
		c := newClient(t, srv, srv.Bot())
		c.connect()
		defer c.ws.CloseNow()
		alice.Post(direct, message{Text: "in a bubble"})
		if got := c.plain(c.activity(), "object", "displayName"); got != "in a bubble" {
			t.Errorf("text = %q", got)
		}

		// A device lives for its ttl since it was last refreshed, to the second.
		url := str(c.device, "url")
		time.Sleep(1799 * time.Second)
		c.must(200, "PUT", url, object{"name": "raw", "ttl": 1800})
		time.Sleep(1799 * time.Second)
		c.must(200, "GET", url, nil)
		time.Sleep(time.Second)
		c.must(404, "PUT", url, object{"name": "raw", "ttl": 1800})
		if n := len(srv.Devices(srv.Bot())); n != 0 {
			t.Errorf("%d devices outlive their ttl", n)
		}

		// A socket that says nothing is closed after 30 s.
		device := c.device
		c.register()
		ws, _, err := c.dial()
		if err != nil {
			t.Fatal(err)
		}
		defer ws.CloseNow()
		start := time.Now()
		_, _, err = ws.Read(t.Context())
		if err == nil || time.Since(start) != 30*time.Second {
			t.Errorf("the silent socket ended after %v with %v", time.Since(start), err)
		}
		if code := websocket.CloseStatus(err); code != 4401 {
			t.Errorf("the silent socket ended with %v", err)
		}

		c.device = device

		// Held KMS answers are let go after half a second.
		srv.ReorderKMS(5)
		one := c.ask("retrieve", direct.KeyURL(), nil)
		two := c.ask("retrieve", direct.KeyURL(), nil)
		start = time.Now()
		for _, id := range []string{two, one} {
			if a := c.answers()[0]; a["requestId"] != id {
				t.Errorf("answer to %v, want %s", a["requestId"], id)
			}
		}
		if d := time.Since(start); d != 500*time.Millisecond {
			t.Errorf("the held answers came after %v", d)
		}

		// An hour's hang costs nothing.
		srv.Hang(webexmsgtest.PeopleMeEndpoint, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, "GET", srv.URL()+"/v1/people/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := srv.Client().Do(req); err == nil {
			resp.Body.Close()
			t.Error("the hanging request was answered")
		}
		srv.Outage(true)
		if resp, err := srv.Client().Get(srv.URL()); err == nil {
			resp.Body.Close()
			t.Error("a request got through the outage")
		}
	})
}
