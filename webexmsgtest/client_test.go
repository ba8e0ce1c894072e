package webexmsgtest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// object is any JSON object.
type object = map[string]any

// at walks into nested objects: at(o, "a", "b") is o.a.b, or nil.
func at(v any, path ...string) any {
	for _, name := range path {
		m, ok := v.(object)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

func str(v any, path ...string) string {
	s, _ := at(v, path...).(string)
	return s
}

// client speaks the protocol by hand: it shares nothing with package webexmsg.
type client struct {
	t      testing.TB
	srv    *webexmsgtest.Server
	p      *webexmsgtest.Person
	device object
	ws     *websocket.Conn
	kms    object
	static jose.JSONWebKey
	shared []byte
	kid    string
	keys   map[string][]byte
	noAck  bool
}

func newClient(t testing.TB, srv *webexmsgtest.Server, p *webexmsgtest.Person) *client {
	return &client{t: t, srv: srv, p: p, keys: make(map[string][]byte)}
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// do makes a request and returns status, decoded body and header.
func (c *client) do(method, url string, body any) (int, object, http.Header) {
	c.t.Helper()
	status, raw, header := c.raw(method, url, body)
	var o object
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &o); err != nil {
			c.t.Fatalf("%s %s: %d with a body that is not JSON: %q", method, url, status, raw)
		}
	}
	return status, o, header
}

func (c *client) raw(method, url string, body any) (int, []byte, http.Header) {
	c.t.Helper()
	if strings.HasPrefix(url, "/") {
		url = c.srv.URL() + url
	}
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(testContext(c.t), method, url, r)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.p.Token)
	req.Header.Set("TrackingID", "test_1")
	resp, err := c.srv.Client().Do(req)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, url, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, url, err)
	}
	return resp.StatusCode, raw, resp.Header
}

// must is do that expects a status.
func (c *client) must(want int, method, url string, body any) object {
	c.t.Helper()
	status, o, _ := c.do(method, url, body)
	if status != want {
		c.t.Fatalf("%s %s: status %d, want %d: %v", method, url, status, want, o)
	}
	return o
}

func (c *client) register() {
	c.t.Helper()
	links := c.must(200, "GET", "/u2c/api/v1/catalog?format=hostmap", nil)
	c.device = c.must(200, "POST", str(links, "serviceLinks", "wdm")+"/devices", object{
		"name": "raw", "deviceType": "WEB", "ttl": 1800,
	})
}

func (c *client) dial() (*websocket.Conn, *http.Response, error) {
	ws, resp, err := websocket.Dial(testContext(c.t), str(c.device, "webSocketUrl")+"?outboundWireFormat=text",
		&websocket.DialOptions{HTTPClient: c.srv.Client()})
	if err == nil {
		ws.SetReadLimit(-1)
		c.t.Cleanup(func() { ws.CloseNow() })
	}
	return ws, resp, err
}

func (c *client) write(v any) {
	c.t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := c.ws.Write(testContext(c.t), websocket.MessageText, b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

func (c *client) open() {
	c.t.Helper()
	var err error
	if c.ws, _, err = c.dial(); err != nil {
		c.t.Fatalf("dial: %v", err)
	}
	c.write(object{"id": uuid.NewString(), "type": "authorization", "data": object{"token": "Bearer " + c.p.Token}})
	if f := c.next(); str(f, "data", "eventType") != "mercury.buffer_state" {
		c.t.Fatalf("first frame is %v, want mercury.buffer_state", f)
	}
}

func (c *client) read(ctx context.Context) (object, error) {
	_, b, err := c.ws.Read(ctx)
	if err != nil {
		return nil, err
	}
	var f object
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, fmt.Errorf("frame %q: %w", b, err)
	}
	if id, ok := f["id"].(string); ok && f["type"] == nil && !c.noAck {
		c.write(object{"messageId": id, "type": "ack"})
	}
	return f, nil
}

// next returns the next frame, and acknowledges it.
func (c *client) next() object {
	c.t.Helper()
	f, err := c.read(testContext(c.t))
	if err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return f
}

// activity returns the activity of the next frame, which must be one.
func (c *client) activity() object {
	c.t.Helper()
	f := c.next()
	a, ok := at(f, "data", "activity").(object)
	if !ok {
		c.t.Fatalf("frame is no activity: %v", f)
	}
	return a
}

// silence fails if a frame comes before the answer to a ping.
func (c *client) silence() {
	c.t.Helper()
	c.write(object{"id": "fence", "type": "ping"})
	if f := c.next(); f["type"] != "pong" {
		c.t.Fatalf("got %v, want nothing", f)
	}
}

// closed returns the error that ends the connection.
func (c *client) closed() error {
	c.t.Helper()
	for {
		f, err := c.read(testContext(c.t))
		if err != nil {
			return err
		}
		c.t.Logf("before the end: %v", f["id"])
	}
}

func closeCode(err error) int {
	var ce websocket.CloseError
	if errors.As(err, &ce) {
		return int(ce.Code)
	}
	return -1
}
