package webexmsgtest_test

import (
	"crypto/x509"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/webexmsg/webexmsg/webexmsgtest"
)

func TestKMSDetailsCanBeTrusted(t *testing.T) {
	srv := newServer(t)
	c := newClient(t, srv, srv.Bot())
	c.register()
	c.details()
	chain := c.static.Certificates
	if len(chain) != 2 || c.static.KeyID != "kms://kms.example.com/statickeys/1" {
		t.Fatalf("static key %q has %d certificates", c.static.KeyID, len(chain))
	}
	intermediates := x509.NewCertPool()
	intermediates.AddCert(chain[1])
	verify := func() error {
		_, err := c.static.Certificates[0].Verify(x509.VerifyOptions{
			DNSName: "kms.example.com", Roots: srv.KMSRoots(), Intermediates: intermediates,
		})
		return err
	}
	if err := verify(); err != nil {
		t.Errorf("certificate: %v", err)
	}
	srv.KMSCertificateHost("kms.other.example")
	c.details()
	if verify() == nil {
		t.Error("the certificate still names the host of the kid")
	}
}

func TestKMSSignatures(t *testing.T) {
	srv := newServer(t)
	c := newClient(t, srv, srv.Bot())
	c.register()
	c.open()
	c.details()
	for mode, good := range map[webexmsgtest.SignatureMode]bool{
		webexmsgtest.SignRS256:      true,
		webexmsgtest.SignPS256:      true,
		webexmsgtest.SignAnotherKey: false,
		webexmsgtest.SignNone:       false,
		webexmsgtest.SignHS256:      false,
	} {
		srv.SignWith(mode)
		c.askHandshake()
		if _, err := c.verify(c.kmsMessages()[0]); (err == nil) != good {
			t.Errorf("mode %d: a careful client says %v", mode, err)
		}
	}
	// The forgery is a good HMAC, so that a client that takes its algorithm
	// from the message falls for it.
	srv.SignWith(webexmsgtest.SignHS256)
	c.askHandshake()
	jws, err := jose.ParseSignedCompact(c.kmsMessages()[0], []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jws.Verify(modulus(c.static)); err != nil {
		t.Errorf("HS256 by the modulus: %v", err)
	}
}

func TestSwapStaticKey(t *testing.T) {
	srv := newServer(t)
	c := newClient(t, srv, srv.Bot())
	c.register()
	c.open()
	c.details()
	srv.SwapStaticKey()
	c.askHandshake()
	c.silence()
	c.details()
	c.handshake()
}

func TestKeysAreForMembers(t *testing.T) {
	srv, alice, _, group := world(t)
	carol := srv.NewPerson("carol@example.com", "Carol")
	c := newClient(t, srv, carol).connect()
	first := group.KeyURL()
	c.ask("retrieve", first, nil)
	if a := c.answers()[0]; a["status"] != 403.0 || a["reason"] == "" {
		t.Errorf("a stranger gets %v", a)
	}
	alice.Add(group, carol)
	c.activity()
	if second := srv.RotateKey(group); second == first || second != group.KeyURL() {
		t.Errorf("rotated from %s to %s", first, second)
	}
	alice.Post(group, webexmsgtest.Message{Text: "under the new key"})
	a := c.activity()
	if a["encryptionKeyUrl"] == first {
		t.Error("the message is under the old key")
	}
	if got := c.plain(a, "object", "displayName"); got != "under the new key" {
		t.Errorf("text = %q", got)
	}
	c.key(first) // still readable
	alice.Remove(group, carol)
	c.activity()
	c.ask("retrieve", first, nil)
	if a := c.answers()[0]; a["status"] != 403.0 {
		t.Errorf("one who was removed gets %v", a)
	}
}

func TestKMSFaults(t *testing.T) {
	srv, _, direct, _ := world(t)
	c := newClient(t, srv, srv.Bot()).connect()
	uri := direct.KeyURL()
	ask := func() string { return c.ask("retrieve", uri, nil) }
	want := func(f []object, ids ...string) {
		t.Helper()
		if len(f) != len(ids) {
			t.Fatalf("%d answers in a frame, want %d", len(f), len(ids))
		}
		for i, id := range ids {
			if f[i]["requestId"] != id {
				t.Errorf("answer %d is to %v, want %s", i, f[i]["requestId"], id)
			}
		}
	}

	srv.DropKMS(1)
	ask()
	c.silence()
	want(c.after(ask()))

	srv.DuplicateKMS(1)
	id := ask()
	want(c.answers(), id)
	want(c.answers(), id)

	srv.ReorderKMS(3)
	ids := []string{ask(), ask(), ask()}
	want(c.answers(), ids[2])
	want(c.answers(), ids[1])
	want(c.answers(), ids[0])

	srv.BatchKMS(2)
	ids = []string{ask(), ask()}
	want(c.answers(), ids...)

	srv.BatchKMS(5) // of which two come
	ids = []string{ask(), ask()}
	want(c.answers(), ids...)
	id = ask()
	want(c.answers(), id)

	srv.StrangerKMS(1)
	id = ask()
	if got := c.answers()[0]["requestId"]; got == id || got == "" {
		t.Errorf("the stranger's requestId is %v", got)
	}
	want(c.answers(), id)

	srv.DelayKMS(100 * time.Millisecond)
	start := time.Now()
	id = ask()
	want(c.answers(), id)
	if d := time.Since(start); d < 100*time.Millisecond {
		t.Errorf("the delayed answer came after %v", d)
	}
	srv.DelayKMS(0)

	srv.RefuseKey(uri, 405, "revoked")
	ask()
	if a := c.answers()[0]; a["status"] != 405.0 || a["reason"] != "revoked" {
		t.Errorf("refused key: %v", a)
	}
	srv.RefuseKey(uri, 0, "")

	posts, requests := srv.KMSPosts(), srv.KMSRequests()
	srv.ExpireSharedKeys()
	ask()
	c.silence()
	if srv.KMSPosts() != posts+1 || srv.KMSRequests() != requests+1 {
		t.Error("the unanswered request is not counted")
	}
	srv.SharedKeyLife(time.Minute)
	n := srv.Handshakes()
	c.handshake()
	if srv.Handshakes() != n+1 {
		t.Error("the handshake is not counted")
	}
	want(c.after(ask()))
}

// after returns nothing when the next frame answers id alone.
func (c *client) after(id string) []object {
	c.t.Helper()
	list := c.answers()
	if len(list) != 1 || list[0]["requestId"] != id {
		c.t.Fatalf("answers %v, want one to %s", list, id)
	}
	return nil
}

func TestSharedKeyLife(t *testing.T) {
	srv := newServer(t)
	srv.SharedKeyLife(time.Minute)
	c := newClient(t, srv, srv.Bot())
	c.register()
	c.open()
	c.details()
	c.askHandshake()
	answer, err := c.verify(c.kmsMessages()[0])
	if err != nil {
		t.Fatal(err)
	}
	end, err := time.Parse(time.RFC3339, str(answer, "key", "expirationDate"))
	if left := time.Until(end); err != nil || left > time.Minute || left < 50*time.Second {
		t.Errorf("expirationDate is %v away (%v)", left, err)
	}
}

func TestTokens(t *testing.T) {
	srv := newServer(t)
	c := newClient(t, srv, srv.Bot())
	old := srv.Bot().Token
	next := srv.NewToken(srv.Bot())
	srv.RevokeToken(srv.Bot())
	if status, _, _ := c.do("GET", "/v1/people/me", nil); status != http.StatusUnauthorized {
		t.Errorf("a revoked token gets %d", status)
	}
	if old == next {
		t.Error("the new token is the old one")
	}
	fresh := srv.NewToken(srv.Bot())
	if status := statusWith(t, srv, fresh); status != http.StatusOK {
		t.Errorf("a token made after the revocation gets %d", status)
	}
	if status := statusWith(t, srv, next); status != http.StatusUnauthorized {
		t.Errorf("a token made before the revocation gets %d", status)
	}
}

func TestSharedKeyIsPersonal(t *testing.T) {
	srv, alice, direct, _ := world(t)
	c := newClient(t, srv, srv.Bot()).connect()
	c.ask("retrieve", direct.KeyURL(), object{"client": object{
		"clientId": str(c.device, "url"), "credential": object{"userId": alice.ID, "bearer": alice.Token},
	}})
	if a := c.answers()[0]; a["status"] != 403.0 {
		t.Errorf("another's credential under this shared key gets %v", a)
	}
	c.ask("retrieve", direct.KeyURL(), object{"client": object{
		"clientId": str(c.device, "url"), "credential": object{"userId": c.p.ID, "bearer": "nonsense"},
	}})
	if a := c.answers()[0]; a["status"] != 401.0 {
		t.Errorf("a bad credential gets %v", a)
	}
}
