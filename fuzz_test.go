package webexmsg

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/webexmsg/webexmsg/internal/jwe"
)

// FuzzKMSAnswer feeds answers to a client that waits for a handshake and for a
// key: only the two real answers may settle a request, and nothing panics.
func FuzzKMSAnswer(f *testing.F) {
	v, static, _ := loadKMS(f)
	shared := sharedOf(f, v)
	for _, s := range []string{
		v.ECDHE.ResponseWrappedRS256, v.ECDHE.ResponseWrappedPS256, v.Retrieve.ResponseWrapped, v.Retrieve.RequestWrapped,
		v.MustBeRejected.SignedByAnotherKey, v.MustBeRejected.AlgNone, v.MustBeRejected.PayloadSwapped, v.MustBeRejected.HMACWithPublicModulus,
		"a.b.c", "a.b.c.d.e", "..", "....", "",
	} {
		f.Add(s)
	}
	var handshake, retrieve kmsAnswer
	if json.Unmarshal(v.ECDHE.ResponseBody, &handshake) != nil || json.Unmarshal(v.Retrieve.ResponseBody, &retrieve) != nil {
		f.Fatal("kms.json cannot be read")
	}
	log := slog.New(slog.DiscardHandler)
	f.Fuzz(func(t *testing.T, message string) {
		k := newKMS(nil, log, nil, func(error) {})
		k.static, k.shared = static, &sharedKey{uri: "shared", key: shared}
		results := make(chan kmsResult, 2)
		k.expect(results, nil, handshake.RequestID)
		k.expect(results, k.shared, retrieve.RequestID)
		k.answers([]string{message})
		select {
		case r := <-results:
			real := message == v.ECDHE.ResponseWrappedRS256 || message == v.ECDHE.ResponseWrappedPS256 || message == v.Retrieve.ResponseWrapped
			if !real && r.err == nil {
				t.Errorf("%q settled request %s", message, r.requestID)
			}
		default:
		}
	})
}

// sharedOf is the shared key of the session in kms.json.
func sharedOf(t testing.TB, v kmsVectors) *jwe.Key {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(v.ECDHE.DerivedKey.K)
	if err != nil {
		t.Fatal(err)
	}
	k, err := jwe.NewKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// FuzzStaticKey sees that no key is trusted but the one that its certificate
// is of.
func FuzzStaticKey(f *testing.F) {
	v, good, _ := loadKMS(f)
	f.Add([]byte(v.Details.RSAPublicKey))
	for _, bad := range v.MustBeRejected.Details {
		f.Add([]byte(bad))
	}
	var jwk struct {
		X5C []string `json:"x5c"`
	}
	if err := json.Unmarshal([]byte(v.Details.RSAPublicKey), &jwk); err != nil {
		f.Fatal(err)
	}
	certificate := []byte(`"x5c":["` + jwk.X5C[0])
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := parseStaticKey(raw, nil)
		if err != nil {
			return
		}
		if got.key.N.BitLen() < 2048 || !strings.HasPrefix(strings.ToLower(got.kid), "kms:") {
			t.Errorf("trusted %q", raw)
		}
		if got.kid == good.kid && bytes.Contains(raw, certificate) && !got.key.Equal(good.key) {
			t.Errorf("trusted another key than that of the certificate: %q", raw)
		}
	})
}

// FuzzMentions sees that no more is found than is there.
func FuzzMentions(f *testing.F) {
	f.Add(`<p><spark-mention data-object-type="person" data-object-id="11111111-1111-4111-8111-111111111111">Bot</spark-mention> hello</p>`)
	f.Add(`<spark-mention data-object-type="groupMention" data-group-type="all">All</spark-mention>`)
	f.Add(strings.Repeat("<spark-mention ", 1000))
	f.Add(`<!-- <spark-mention data-object-type=person data-object-id=x> --><script><spark-mention></script><![CDATA[`)
	f.Fuzz(func(t *testing.T, html string) {
		people, groups := htmlMentions(html)
		if len(people)+len(groups) > strings.Count(strings.ToLower(html), "<spark-mention") {
			t.Errorf("%q mentions %q and %q", html, people, groups)
		}
	})
}
