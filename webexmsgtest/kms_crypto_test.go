package webexmsgtest

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// TestKMSVectors holds the KMS's half of the cryptography against a session
// made with Cisco's own client code.
func TestKMSVectors(t *testing.T) {
	var v struct {
		Local, Remote, DerivedKey, StaticPrivateJWK jose.JSONWebKey
		ECDHEWrapped, RetrieveWrapped               string
		ECDHEBody, RetrieveBody                     map[string]any
	}
	raw, err := os.ReadFile("testdata/kms.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	private, err := v.Local.Key.(*ecdsa.PrivateKey).ECDH()
	if err != nil {
		t.Fatal(err)
	}
	public, err := v.Remote.Key.(*ecdsa.PublicKey).ECDH()
	if err != nil {
		t.Fatal(err)
	}
	secret, err := sharedSecret(private, public)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(secret, v.DerivedKey.Key.([]byte)) {
		t.Fatalf("shared secret is %x", secret)
	}

	plain, err := newSymmetricKey("", secret, "").open(v.RetrieveWrapped)
	if err != nil {
		t.Fatal(err)
	}
	wantJSON(t, plain, v.RetrieveBody)
	plain, err = openJWE(v.ECDHEWrapped, jose.RSA_OAEP, v.StaticPrivateJWK.Key)
	if err != nil {
		t.Fatal(err)
	}
	wantJSON(t, plain, v.ECDHEBody)
	if alg, kid := protectedHeader(v.RetrieveWrapped); alg != "dir" || kid != v.DerivedKey.KeyID {
		t.Errorf("header is %q, %q", alg, kid)
	}
}

func wantJSON(t *testing.T, raw []byte, want map[string]any) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("plaintext is %s", raw)
	}
}
