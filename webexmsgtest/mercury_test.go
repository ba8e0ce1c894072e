package webexmsgtest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/webexmsg/webexmsg/webexmsgtest"
)

func (c *client) connectedSocket() *client {
	c.t.Helper()
	c.register()
	c.open()
	return c
}

func TestAuthorization(t *testing.T) {
	srv := newServer(t)
	alice := srv.NewPerson("alice@example.com", "Alice")
	for name, first := range map[string]string{
		"no token":           `{"type":"authorization"}`,
		"unknown token":      `{"type":"authorization","data":{"token":"Bearer nonsense"}}`,
		"another's token":    `{"type":"authorization","data":{"token":"Bearer ` + alice.Token + `"}}`,
		"no authorization":   `{"type":"ping","id":"1"}`,
		"not even an object": `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, srv, srv.Bot())
			c.register()
			ws, _, err := c.dial()
			if err != nil {
				t.Fatal(err)
			}
			if err := ws.Write(testContext(t), websocket.MessageText, []byte(first)); err != nil {
				t.Fatal(err)
			}
			_, _, err = ws.Read(testContext(t))
			if closeCode(err) != 4401 {
				t.Errorf("the socket ends with %v, want 4401", err)
			}
		})
	}
	if n := srv.Sockets(); n != 0 {
		t.Errorf("%d sockets count as authorised", n)
	}
}

func TestPingAndSequence(t *testing.T) {
	srv, alice, direct, _ := world(t)
	c := newClient(t, srv, srv.Bot()).connectedSocket()
	c.write(object{"id": "p1", "type": "ping"})
	if f := c.next(); f["type"] != "pong" || f["id"] != "p1" {
		t.Errorf("answer to a ping is %v", f)
	}
	sequence := func() int {
		t.Helper()
		alice.Post(direct, webexmsgtest.Message{Text: "x"})
		return int(c.next()["sequenceNumber"].(float64))
	}
	first := sequence()
	if n := sequence(); n != first+1 {
		t.Errorf("after %d comes %d", first, n)
	}
	srv.SkipSequence(1)
	if n := sequence(); n != first+3 {
		t.Errorf("with one left out, %d comes after %d", n, first+1)
	}
	srv.LoseFrames(1)
	alice.Post(direct, webexmsgtest.Message{Text: "lost"})
	c.silence()
	if n := sequence(); n != first+5 {
		t.Errorf("with one lost, %d comes after %d", n, first+3)
	}
	srv.DuplicateFrames(1)
	alice.Post(direct, webexmsgtest.Message{Text: "twice"})
	one, two := c.next(), c.next()
	if one["id"] != two["id"] || str(one, "data", "activity", "id") != str(two, "data", "activity", "id") {
		t.Errorf("the duplicates differ: %v, %v", one["id"], two["id"])
	}
	if n := sequence(); n != first+8 {
		t.Errorf("after two duplicates comes %d", n)
	}

	srv.SwallowPongs(true)
	c.write(object{"id": "p2", "type": "ping"})
	if n := sequence(); n != first+9 {
		t.Errorf("a pong came, or %d", n)
	}
	srv.SwallowPongs(false)
	c.silence()
}

func TestAcks(t *testing.T) {
	srv, alice, direct, _ := world(t)
	c := newClient(t, srv, srv.Bot()).connectedSocket()
	if err := srv.WaitAcked(testContext(t)); err != nil {
		t.Fatal(err)
	}
	c.noAck = true
	alice.Post(direct, webexmsgtest.Message{Text: "1"})
	alice.Post(direct, webexmsgtest.Message{Text: "2"})
	ids := []string{c.next()["id"].(string), c.next()["id"].(string)}
	if got := srv.Unacked(srv.Bot()); len(got) != 2 || got[0] != ids[0] || got[1] != ids[1] {
		t.Errorf("Unacked = %v, want %v", got, ids)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := srv.WaitAcked(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("WaitAcked = %v with two unacknowledged", err)
	}
	for _, id := range ids {
		c.write(object{"type": "ack", "messageId": id})
	}
	if err := srv.WaitAcked(testContext(t)); err != nil {
		t.Error(err)
	}
	acks := srv.Acks()
	if n := len(acks); acks[n-2] != ids[0] || acks[n-1] != ids[1] {
		t.Errorf("Acks end with %v", acks[n-2:])
	}
}

func TestOneSocketARegistration(t *testing.T) {
	srv, alice, direct, _ := world(t)
	older := newClient(t, srv, srv.Bot()).connectedSocket()
	newer := newClient(t, srv, srv.Bot())
	newer.device = older.device
	newer.open()
	var ce websocket.CloseError
	if err := older.closed(); !errors.As(err, &ce) || ce.Code != 4000 || ce.Reason != "replaced" {
		t.Errorf("the older socket ends with %v", err)
	}
	other := newClient(t, srv, srv.Bot()).connectedSocket() // another registration
	alice.Post(direct, webexmsgtest.Message{Text: "hello"})
	newer.activity()
	other.activity()
	if n := srv.Sockets(); n != 2 {
		t.Errorf("%d sockets", n)
	}
}

func TestCloseSockets(t *testing.T) {
	srv, alice, direct, _ := world(t)
	for _, code := range []int{1000, 1001, 1003, 1005, 1011, 4000, 4400, 4401, 4404} {
		c := newClient(t, srv, srv.Bot()).connectedSocket()
		before := alice.Post(direct, webexmsgtest.Message{Text: "before"})
		if n := srv.CloseSockets(code, "why"); n != 1 {
			t.Fatalf("%d sockets closed", n)
		}
		if n := srv.Sockets(); n != 0 {
			t.Errorf("%d sockets are left", n)
		}
		alice.Post(direct, webexmsgtest.Message{Text: "after"})
		if a := c.activity(); a["id"] != before {
			t.Errorf("%d: got %v", code, a)
		}
		_, err := c.read(testContext(t))
		var ce websocket.CloseError
		if !errors.As(err, &ce) || int(ce.Code) != code || (code != 1005 && ce.Reason != "why") {
			t.Errorf("%d: the socket ends with %v", code, err)
		}
	}
	// This client's WebSocket library cannot read every code; what matters is
	// that the server sends it all the same.
	c := newClient(t, srv, srv.Bot()).connectedSocket()
	srv.CloseSockets(1050, "idle")
	if err := c.closed(); err == nil || err.Error() == "" {
		t.Error("1050 did not end the socket")
	}
}

func TestDropSockets(t *testing.T) {
	srv, _, _, _ := world(t)
	c := newClient(t, srv, srv.Bot()).connectedSocket()
	if n := srv.DropSockets(); n != 1 {
		t.Errorf("%d sockets dropped", n)
	}
	if err := c.closed(); closeCode(err) != -1 {
		t.Errorf("the socket ends with the closing frame %v", err)
	}
	if n := srv.Sockets(); n != 0 {
		t.Errorf("%d sockets are left", n)
	}
}

func TestStallSockets(t *testing.T) {
	srv, alice, direct, _ := world(t)
	c := newClient(t, srv, srv.Bot()).connectedSocket()
	srv.StallSockets()
	if n := srv.Sockets(); n != 0 {
		t.Errorf("%d stalled sockets count as open", n)
	}
	alice.Post(direct, webexmsgtest.Message{Text: "lost"})
	c.write(object{"id": "p", "type": "ping"})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if f, err := c.read(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a stalled socket gave %v, %v", f, err)
	}
	// The registration is as good as before.
	again := newClient(t, srv, srv.Bot())
	again.device = c.device
	again.open()
	again.silence()
}

func TestUpgrades(t *testing.T) {
	srv := newServer(t)
	c := newClient(t, srv, srv.Bot())
	c.register()
	srv.RefuseUpgrades(1, 503)
	if _, resp, err := c.dial(); err == nil || resp.StatusCode != 503 {
		t.Errorf("refused upgrade: %v", err)
	}
	if _, _, err := c.dial(); err != nil {
		t.Errorf("the upgrade after it: %v", err)
	}
	srv.ForgetDevices()
	if _, resp, err := c.dial(); err == nil || resp.StatusCode != 404 {
		t.Errorf("upgrade of a forgotten device: %v", err)
	}
	if status, _, _ := c.do("PUT", str(c.device, "url"), object{"name": "raw"}); status != 404 {
		t.Errorf("refresh of a forgotten device: %d", status)
	}
}

func TestOutage(t *testing.T) {
	srv := newServer(t)
	c := newClient(t, srv, srv.Bot()).connectedSocket()
	srv.Outage(true)
	if err := c.closed(); closeCode(err) != -1 {
		t.Errorf("the socket ends with %v", err)
	}
	resp, err := srv.Client().Get(srv.URL())
	if err == nil {
		resp.Body.Close()
		t.Error("a request got through")
	}
	srv.Outage(false)
	c.must(200, "GET", "/v1/people/me", nil)
}

func TestSendFrame(t *testing.T) {
	srv := newServer(t)
	c := newClient(t, srv, srv.Bot()).connectedSocket()
	srv.SendFrame(srv.Bot(), []byte("not JSON"))
	if _, b, err := c.ws.Read(testContext(t)); err != nil || string(b) != "not JSON" {
		t.Errorf("got %q, %v", b, err)
	}
}

func TestEndpointFaults(t *testing.T) {
	srv := newServer(t)
	c := newClient(t, srv, srv.Bot())
	me := func() (int, object, http.Header) { return c.do("GET", "/v1/people/me", nil) }
	want := func(status int) {
		t.Helper()
		if got, _, _ := me(); got != status {
			t.Errorf("status %d, want %d", got, status)
		}
	}
	srv.Fail(webexmsgtest.PeopleMeEndpoint, 2, 503)
	want(503)
	c.must(200, "GET", "/u2c/api/v1/catalog", nil) // another endpoint
	want(503)
	want(200)

	srv.FailWith(webexmsgtest.PeopleMeEndpoint, 1, 429, http.Header{"Retry-After": {"7"}}, `{"a":1}`)
	status, body, header := me()
	if status != 429 || header.Get("Retry-After") != "7" || body["a"] != 1.0 {
		t.Errorf("got %d, %v, %v", status, body, header)
	}
	want(200)

	srv.Fail(webexmsgtest.EveryEndpoint, -1, 500)
	for range 3 {
		want(500)
	}
	srv.Restore(webexmsgtest.EveryEndpoint)
	want(200)

	srv.Delay(webexmsgtest.PeopleMeEndpoint, 50*time.Millisecond)
	start := time.Now()
	want(200)
	if d := time.Since(start); d < 50*time.Millisecond {
		t.Errorf("the delayed answer came after %v", d)
	}
	srv.Restore(webexmsgtest.PeopleMeEndpoint)

	srv.Hang(webexmsgtest.PeopleMeEndpoint, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", srv.URL()+"/v1/people/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := srv.Client().Do(req); err == nil {
		resp.Body.Close()
		t.Error("a hanging request was answered")
	}
	want(200)

	n := len(srv.Requests())
	if got := srv.Count(webexmsgtest.EveryEndpoint); got != n {
		t.Errorf("Count(EveryEndpoint) = %d of %d", got, n)
	}
	if got := srv.Count(webexmsgtest.CatalogEndpoint); got != 1 {
		t.Errorf("Count(CatalogEndpoint) = %d", got)
	}
	last := srv.Requests()[n-1]
	if last.Status != 200 || last.TrackingID != "test_1" || !last.HasToken || last.Method != "GET" ||
		last.Path != "/v1/people/me" || last.Endpoint != webexmsgtest.PeopleMeEndpoint || last.UserAgent == "" {
		t.Errorf("the last request is recorded as %+v", last)
	}
	if hung := srv.Requests()[n-2]; hung.Status != 0 {
		t.Errorf("the hanging request is recorded as %+v", hung)
	}
}

func TestOverrides(t *testing.T) {
	srv := newServer(t)
	srv.Override("encryption", "https://evil.example/encryption")
	srv.SetWebSocketURL("wss://evil.example/socket")
	srv.Override("kms", "kms://evil.example")
	c := newClient(t, srv, srv.Bot())
	c.register()
	if got := str(c.device, "services", "encryptionServiceUrl"); got != "https://evil.example/encryption" {
		t.Errorf("encryption is at %s", got)
	}
	if got := str(c.device, "webSocketUrl"); got != "wss://evil.example/socket" {
		t.Errorf("the socket is at %s", got)
	}
	if k := c.must(200, "GET", "/encryption/api/v1/kms/"+c.p.ID, nil); k["kmsCluster"] != "kms://evil.example" {
		t.Errorf("the KMS is %v", k["kmsCluster"])
	}
	srv.Override("encryption", "")
	c.register()
	if got := str(c.device, "services", "encryptionServiceUrl"); got != srv.URL()+"/encryption/api/v1" {
		t.Errorf("encryption is at %s again", got)
	}
}

func TestNothingElse(t *testing.T) {
	srv := newServer(t)
	c := newClient(t, srv, srv.Bot())
	for _, path := range []string{"/", "/v1/nonsense", "/wdm/api/v1/devices/nonsense/x"} {
		c.must(404, "GET", path, nil)
	}
	c.must(404, "PATCH", "/wdm/api/v1/devices", nil)
	resp, err := srv.Client().Get(srv.URL() + "/v1/people/me")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != 401 {
		t.Errorf("without a token: %d", resp.StatusCode)
	}
	_, _, header := c.do("GET", "/v1/people/me", nil)
	if header.Get("TrackingID") != "test_1" {
		t.Error("the TrackingID does not come back")
	}
}
