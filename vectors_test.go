package webexmsg

import (
	"crypto/ecdh"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/webexmsg/webexmsg/internal/jwe"
	"github.com/webexmsg/webexmsg/internal/loose"
)

// testdata/kms.json is one KMS session made with Cisco's node-kms, and
// testdata/activities.json holds frames composed and encrypted by Cisco's SDK.

type kmsVectors struct {
	CAPEM            string
	Details          struct{ KMSCluster, RSAPublicKey string }
	StaticPrivateJWK jose.JSONWebKey
	LocalECDHJWK     struct{ D string }
	ECDHE            struct {
		RequestBody          json.RawMessage
		RequestWrapped       string
		ResponseBody         json.RawMessage
		ResponseWrappedRS256 string
		ResponseWrappedPS256 string
		DerivedKey           struct{ K string }
	}
	Retrieve struct {
		RequestBody     json.RawMessage
		RequestWrapped  string
		ResponseBody    json.RawMessage
		ResponseWrapped string
	}
	MustBeRejected struct {
		SignedByAnotherKey, AlgNone, PayloadSwapped, HMACWithPublicModulus string
		Details                                                            map[string]json.RawMessage
	}
}

func load(t testing.TB, file string, into any) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func loadKMS(t testing.TB) (v kmsVectors, static *staticKey, roots *x509.CertPool) {
	t.Helper()
	load(t, "kms.json", &v)
	roots = x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(v.CAPEM)) {
		t.Fatal("no CA in kms.json")
	}
	quoted, _ := json.Marshal(v.Details.RSAPublicKey)
	static, err := parseStaticKey(quoted, roots)
	if err != nil {
		t.Fatal(err)
	}
	return v, static, roots
}

func sameJSON(t *testing.T, what string, got, want []byte) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal(got, &g); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if err := json.Unmarshal(want, &w); err != nil {
		t.Fatal(err)
	}
	gs, _ := json.Marshal(g)
	ws, _ := json.Marshal(w)
	if string(gs) != string(ws) {
		t.Errorf("%s is %s, want %s", what, gs, ws)
	}
}

func TestKMSSessionOfCisco(t *testing.T) {
	v, static, _ := loadKMS(t)

	for name, signed := range map[string]string{"RS256": v.ECDHE.ResponseWrappedRS256, "PS256": v.ECDHE.ResponseWrappedPS256} {
		payload, err := static.verify(signed)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sameJSON(t, name, payload, v.ECDHE.ResponseBody)
	}

	d, err := base64.RawURLEncoding.DecodeString(v.LocalECDHJWK.D)
	if err != nil {
		t.Fatal(err)
	}
	own, err := ecdh.P256().NewPrivateKey(d)
	if err != nil {
		t.Fatal(err)
	}
	var answer kmsAnswer
	if err := loose.Unmarshal(v.ECDHE.ResponseBody, &answer); err != nil {
		t.Fatal(err)
	}
	shared, err := deriveKey(own, answer.key().JWK)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := base64.RawURLEncoding.DecodeString(v.ECDHE.DerivedKey.K)
	wantKey, err := jwe.NewKey(want)
	if err != nil {
		t.Fatal(err)
	}
	sealed, _ := wantKey.Seal([]byte("the same key"), "")
	if got, err := shared.Open(sealed); err != nil || string(got) != "the same key" {
		t.Fatalf("the derived key is not the given one: %v", err)
	}

	for name, m := range map[string]struct {
		wrapped string
		plain   json.RawMessage
	}{
		"request":  {v.Retrieve.RequestWrapped, v.Retrieve.RequestBody},
		"response": {v.Retrieve.ResponseWrapped, v.Retrieve.ResponseBody},
	} {
		plain, err := shared.Open(m.wrapped)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sameJSON(t, name, plain, m.plain)
	}
	var retrieved kmsAnswer
	if err := loose.Unmarshal(v.Retrieve.ResponseBody, &retrieved); err != nil {
		t.Fatal(err)
	}
	if _, err := contentKey(retrieved.Key.URI, &retrieved); err != nil {
		t.Error(err)
	}
	if _, err := contentKey("kms://kms.harness.example/keys/another", &retrieved); !errors.Is(err, ErrUntrusted) {
		t.Errorf("a key under another URI: %v, want ErrUntrusted", err)
	}
}

// TestHandshakeRequest opens what we seal for KMS with KMS's private key, and
// what node-kms sealed, in the same way.
func TestHandshakeRequest(t *testing.T) {
	v, static, _ := loadKMS(t)
	ours, err := static.seal(v.ECDHE.RequestBody)
	if err != nil {
		t.Fatal(err)
	}
	for name, wrapped := range map[string]string{"ours": ours, "Cisco's": v.ECDHE.RequestWrapped} {
		obj, err := jose.ParseEncryptedCompact(wrapped, []jose.KeyAlgorithm{jose.RSA_OAEP}, []jose.ContentEncryption{jose.A256GCM})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if obj.Header.KeyID != static.kid {
			t.Errorf("%s: kid %q, want %q", name, obj.Header.KeyID, static.kid)
		}
		plain, err := obj.Decrypt(v.StaticPrivateJWK)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sameJSON(t, name, plain, v.ECDHE.RequestBody)
	}
}

func TestKMSForgeriesAreRejected(t *testing.T) {
	v, static, roots := loadKMS(t)
	for name, c := range map[string]struct{ jws, why string }{
		"signed by another key": {v.MustBeRejected.SignedByAnotherKey, "not by its static key"},
		"none":                  {v.MustBeRejected.AlgNone, "unexpected signature algorithm"},
		"payload swapped":       {v.MustBeRejected.PayloadSwapped, "not by its static key"},
		"HMAC of the modulus":   {v.MustBeRejected.HMACWithPublicModulus, "unexpected signature algorithm"},
		"not a JWS":             {"a.b.c", "signature"},
	} {
		_, err := static.verify(c.jws)
		rejected(t, name, err, c.why)
	}
	for name, why := range map[string]string{
		"noCertificates":          "no certificate",
		"kidOfAnotherHost":        "not of the host kms.other.example",
		"kidNotKMS":               "not a kms: URI",
		"certificateOfAnotherKey": "certificate is of another key",
		"modulusOfAnotherKey":     "certificate is of another key",
		"notRSA":                  "not RSA",
	} {
		raw, ok := v.MustBeRejected.Details[name]
		if !ok {
			t.Fatalf("kms.json has no %s", name)
		}
		for form, raw := range map[string]json.RawMessage{"object": raw, "string": quote(t, string(raw))} {
			_, err := parseStaticKey(raw, nil)
			rejected(t, name+" as "+form, err, why)
		}
	}
	if n := len(v.MustBeRejected.Details); n != 6 {
		t.Errorf("kms.json has %d keys to reject, this test knows 6", n)
	}
	_, err := parseStaticKey(quote(t, v.Details.RSAPublicKey), x509.NewCertPool())
	rejected(t, "another authority", err, "certificate chain")
	if _, err := parseStaticKey(json.RawMessage(v.Details.RSAPublicKey), roots); err != nil {
		t.Errorf("the key as an object: %v", err)
	}
}

func quote(t *testing.T, s string) json.RawMessage {
	t.Helper()
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func rejected(t *testing.T, name string, err error, why string) {
	t.Helper()
	if !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), why) {
		t.Errorf("%s: %v, want ErrUntrusted that says %q", name, err, why)
	}
}

func TestPointsOffTheCurveAreRejected(t *testing.T) {
	own, err := newECDHKey()
	if err != nil {
		t.Fatal(err)
	}
	good := publicJWK(own.PublicKey(), "")
	for name, change := range map[string]func(*kmsJWK){
		"off the curve": func(k *kmsJWK) { k.Y = k.X },
		"infinity":      func(k *kmsJWK) { k.X, k.Y = "", "" },
		"too long":      func(k *kmsJWK) { k.X = "AA" + k.X },
		"other curve":   func(k *kmsJWK) { k.Crv = "P-384" },
		"not base64":    func(k *kmsJWK) { k.X = "!" },
	} {
		bad := good
		change(&bad)
		if _, err := deriveKey(own, bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := deriveKey(own, good); err != nil {
		t.Error(err)
	}
}

type activityVectors struct {
	Keys  map[string]struct{ K string }
	Cases []struct {
		Name      string
		Frame     json.RawMessage
		Plaintext map[string]string
	}
}

func loadActivities(t testing.TB) (v activityVectors, keys func(string) (*jwe.Key, error)) {
	t.Helper()
	load(t, "activities.json", &v)
	found := make(map[string]*jwe.Key)
	for uri, k := range v.Keys {
		raw, err := base64.RawURLEncoding.DecodeString(k.K)
		if err != nil {
			t.Fatal(err)
		}
		if found[uri], err = jwe.NewKey(raw); err != nil {
			t.Fatal(err)
		}
	}
	return v, func(uri string) (*jwe.Key, error) {
		if k := found[uri]; k != nil {
			return k, nil
		}
		return nil, errNoKey
	}
}

// TestActivitiesOfCisco opens every frame that Cisco's SDK made: the raw
// activity holds each plaintext at its path afterwards, and no JWE but those
// that are opened only on demand.
func TestActivitiesOfCisco(t *testing.T) {
	v, keys := loadActivities(t)
	for _, c := range v.Cases {
		f, err := parseFrame(c.Frame)
		if err != nil || f.Activity == nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if err := f.Activity.open(keys); err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		var raw any
		if err := json.Unmarshal(f.Activity.raw, &raw); err != nil {
			t.Errorf("%s: the raw activity is broken: %v", c.Name, err)
		}
		for path, want := range c.Plaintext {
			if strings.HasSuffix(path, ".scr") {
				continue // a file's key: opened when the file is
			}
			if got := at(raw, strings.Split(path, ".")); got != want {
				t.Errorf("%s: %s is %q, want %q", c.Name, path, got, want)
			}
		}
	}
}

func at(v any, path []string) any {
	for _, name := range path {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			v = x[int(name[0]-'0')]
		default:
			return nil
		}
	}
	return v
}
