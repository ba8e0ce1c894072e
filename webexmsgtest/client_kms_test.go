package webexmsgtest_test

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/webexmsg/webexmsg/webexmsgtest"
)

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
