package webexmsgtest_test

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
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

func (c *client) details() {
	c.t.Helper()
	c.kms = c.must(200, "GET", str(c.device, "services", "encryptionServiceUrl")+"/kms/"+c.p.ID, nil)
	if err := c.static.UnmarshalJSON([]byte(str(c.kms, "rsaPublicKey"))); err != nil {
		c.t.Fatalf("rsaPublicKey: %v", err)
	}
}

func (c *client) credential() object {
	return object{
		"clientId":   str(c.device, "url"),
		"credential": object{"userId": c.p.ID, "bearer": c.p.Token},
	}
}

func (c *client) seal(alg jose.KeyAlgorithm, key any, kid string, body object) string {
	c.t.Helper()
	enc, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: alg, Key: key, KeyID: kid}, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	b, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	jwe, err := enc.Encrypt(b)
	if err != nil {
		c.t.Fatal(err)
	}
	compact, err := jwe.CompactSerialize()
	if err != nil {
		c.t.Fatal(err)
	}
	return compact
}

func (c *client) postKMS(messages ...string) {
	c.t.Helper()
	c.must(202, "POST", "/encryption/api/v1/kms/messages", object{
		"destination": str(c.kms, "kmsCluster"), "kmsMessages": messages,
	})
}

// kmsMessages returns the wrapped answers of the next frame.
func (c *client) kmsMessages() []string {
	c.t.Helper()
	f := c.next()
	if str(f, "data", "eventType") != "encryption.kms_message" {
		c.t.Fatalf("frame is no KMS answer: %v", f)
	}
	var list []string
	for _, m := range at(f, "data", "encryption", "kmsMessages").([]any) {
		list = append(list, m.(string))
	}
	return list
}

// askHandshake sends a handshake and returns this side's half.
func (c *client) askHandshake() *ecdh.PrivateKey {
	c.t.Helper()
	private, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), private.PublicKey().Bytes())
	if err != nil {
		c.t.Fatal(err)
	}
	jwk, err := (&jose.JSONWebKey{Key: public}).MarshalJSON()
	if err != nil {
		c.t.Fatal(err)
	}
	c.postKMS(c.seal(jose.RSA_OAEP, c.static.Key, c.static.KeyID, object{
		"requestId": uuid.NewString(), "method": "create", "uri": str(c.kms, "kmsCluster") + "/ecdhe",
		"jwk": json.RawMessage(jwk), "client": c.credential(),
	}))
	return private
}

// verify opens a handshake's answer as a careful client does.
func (c *client) verify(message string) (object, error) {
	jws, err := jose.ParseSignedCompact(message, []jose.SignatureAlgorithm{jose.RS256, jose.PS256})
	if err != nil {
		return nil, err
	}
	payload, err := jws.Verify(c.static.Key)
	if err != nil {
		return nil, err
	}
	var body object
	return body, json.Unmarshal(payload, &body)
}

func (c *client) finishHandshake(private *ecdh.PrivateKey, answer object) {
	c.t.Helper()
	raw, err := json.Marshal(at(answer, "key", "jwk"))
	if err != nil {
		c.t.Fatal(err)
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(raw); err != nil {
		c.t.Fatal(err)
	}
	public, err := jwk.Key.(*ecdsa.PublicKey).ECDH()
	if err != nil {
		c.t.Fatal(err)
	}
	x, err := private.ECDH(public)
	if err != nil {
		c.t.Fatal(err)
	}
	if c.shared, err = hkdf.Key(sha256.New, x, nil, "", 32); err != nil {
		c.t.Fatal(err)
	}
	c.kid = str(answer, "key", "uri")
}

func (c *client) handshake() {
	c.t.Helper()
	private := c.askHandshake()
	answer, err := c.verify(c.kmsMessages()[0])
	if err != nil {
		c.t.Fatalf("handshake's answer: %v", err)
	}
	if answer["status"] != 201.0 {
		c.t.Fatalf("handshake: %v", answer)
	}
	c.finishHandshake(private, answer)
}

// connect does everything up to the handshake.
func (c *client) connect() *client {
	c.t.Helper()
	c.register()
	c.open()
	c.details()
	c.handshake()
	return c
}

// ask wraps and posts a request, and returns its id.
func (c *client) ask(method, uri string, more object) string {
	c.t.Helper()
	id := uuid.NewString()
	body := object{"requestId": id, "method": method, "uri": uri, "client": c.credential()}
	for name, value := range more {
		body[name] = value
	}
	c.postKMS(c.seal(jose.DIRECT, c.shared, c.kid, body))
	return id
}

func openJWE(key []byte, compact string) ([]byte, error) {
	jwe, err := jose.ParseEncryptedCompact(compact, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return nil, err
	}
	return jwe.Decrypt(key)
}

// answers opens the answers of the next frame.
func (c *client) answers() []object {
	c.t.Helper()
	var list []object
	for _, m := range c.kmsMessages() {
		plain, err := openJWE(c.shared, m)
		if err != nil {
			c.t.Fatalf("KMS answer: %v", err)
		}
		var body object
		if err := json.Unmarshal(plain, &body); err != nil {
			c.t.Fatal(err)
		}
		list = append(list, body)
	}
	return list
}

// key retrieves a content key.
func (c *client) key(uri string) []byte {
	c.t.Helper()
	if c.keys[uri] == nil {
		id := c.ask("retrieve", uri, nil)
		body := c.answers()[0]
		if body["requestId"] != id || body["status"] != 200.0 {
			c.t.Fatalf("retrieve %s: %v", uri, body)
		}
		raw, err := json.Marshal(at(body, "key", "jwk"))
		if err != nil {
			c.t.Fatal(err)
		}
		var jwk jose.JSONWebKey
		if err := jwk.UnmarshalJSON(raw); err != nil {
			c.t.Fatal(err)
		}
		c.keys[uri] = jwk.Key.([]byte)
	}
	return c.keys[uri]
}

// plain decrypts a string of an activity.
func (c *client) plain(a object, path ...string) string {
	c.t.Helper()
	uri := str(a, "encryptionKeyUrl")
	if uri == "" {
		uri = str(a, "object", "encryptionKeyUrl")
	}
	b, err := openJWE(c.key(uri), str(a, path...))
	if err != nil {
		c.t.Fatalf("%v of %v: %v", path, a, err)
	}
	return string(b)
}

func modulus(k jose.JSONWebKey) []byte { return k.Key.(*rsa.PublicKey).N.Bytes() }

func statusWith(t *testing.T, srv *webexmsgtest.Server, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(testContext(t), "GET", srv.URL()+"/v1/people/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
