package jwe

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

var raw = bytes.Repeat([]byte{7}, 32)

func newKey(t testing.TB) *Key {
	t.Helper()
	k, err := NewKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// byJose seals with go-jose.
func byJose(t testing.TB, alg jose.KeyAlgorithm, enc jose.ContentEncryption, zip jose.CompressionAlgorithm, plain string) string {
	t.Helper()
	e, err := jose.NewEncrypter(enc, jose.Recipient{Algorithm: alg, Key: raw, KeyID: "kms://a/keys/1"}, &jose.EncrypterOptions{Compression: zip})
	if err != nil {
		t.Fatal(err)
	}
	obj, err := e.Encrypt([]byte(plain))
	if err != nil {
		t.Fatal(err)
	}
	s, err := obj.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOpensWhatGoJoseSeals(t *testing.T) {
	k := newKey(t)
	for _, alg := range []jose.KeyAlgorithm{jose.DIRECT, jose.A256KW} {
		for _, plain := range []string{"", "a", "ünïcode 🎉", strings.Repeat("long ", 10000)} {
			s := byJose(t, alg, jose.A256GCM, "", plain)
			got, err := k.Open(s)
			if err != nil || string(got) != plain {
				t.Errorf("%s, %d bytes: %v", alg, len(plain), err)
			}
			if !Like(s) || KeyID(s) != "kms://a/keys/1" {
				t.Errorf("%s: Like %v, KeyID %q", alg, Like(s), KeyID(s))
			}
		}
	}
}

func TestGoJoseOpensWhatWeSeal(t *testing.T) {
	k := newKey(t)
	for _, kid := range []string{"", "kms://a/keys/1"} {
		s, err := k.Seal([]byte("text"), kid)
		if err != nil {
			t.Fatal(err)
		}
		obj, err := jose.ParseEncryptedCompact(s, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := obj.Decrypt(raw); err != nil || string(got) != "text" || obj.Header.KeyID != kid {
			t.Errorf("kid %q: %q, %v", kid, got, err)
		}
	}
}

func TestRefusesOtherAlgorithms(t *testing.T) {
	k := newKey(t)
	for name, s := range map[string]string{
		"A128CBC-HS256": byJose(t, jose.DIRECT, jose.A128CBC_HS256, "", "x"),
		"A256GCMKW":     byJose(t, jose.A256GCMKW, jose.A256GCM, "", "x"),
		"zip":           byJose(t, jose.DIRECT, jose.A256GCM, jose.DEFLATE, "x"),
	} {
		if _, err := k.Open(s); !errors.Is(err, ErrAlgorithm) {
			t.Errorf("%s: %v, want ErrAlgorithm", name, err)
		}
	}
}

// TestRefusesAlterations makes one alteration at a time to JWEs of both kinds.
func TestRefusesAlterations(t *testing.T) {
	k := newKey(t)
	alterations := map[string]func(parts []string) []string{
		"a part less":        func(p []string) []string { return p[:4] },
		"a part more":        func(p []string) []string { return append(p, "AAAA") },
		"padding":            func(p []string) []string { p[4] += "=="; return p },
		"line break":         func(p []string) []string { p[3] = p[3][:2] + "\n" + p[3][2:]; return p },
		"other alphabet":     func(p []string) []string { p[3] = "+" + p[3][1:]; return p },
		"trailing bits":      func(p []string) []string { p[4] = p[4][:21] + next(p[4][21]); return p },
		"flipped text":       func(p []string) []string { p[3] = flip(p[3]); return p },
		"flipped tag":        func(p []string) []string { p[4] = flip(p[4]); return p },
		"flipped iv":         func(p []string) []string { p[2] = flip(p[2]); return p },
		"short tag":          func(p []string) []string { p[4] = p[4][:16]; return p },
		"short iv":           func(p []string) []string { p[2] = p[2][:8]; return p },
		"no iv":              func(p []string) []string { p[2] = ""; return p },
		"header not JSON":    func(p []string) []string { p[0] = "AAAA"; return p },
		"header of an array": func(p []string) []string { p[0] = enc("[]"); return p },
		"other header":       func(p []string) []string { p[0] = enc(`{"alg":"dir","enc":"A256GCM","x":1}`); return p },
		"crit": func(p []string) []string {
			p[0] = enc(`{"alg":"dir","enc":"A256GCM","crit":["x"],"x":1}`)
			return p
		},
		"none": func(p []string) []string { p[0] = enc(`{"alg":"none","enc":"A256GCM"}`); return p },
		"large header": func(p []string) []string {
			p[0] = enc(`{"alg":"dir","enc":"A256GCM","x":"` + strings.Repeat("x", 4000) + `"}`)
			return p
		},
	}
	for _, alg := range []jose.KeyAlgorithm{jose.DIRECT, jose.A256KW} {
		good := byJose(t, alg, jose.A256GCM, "", "some text that is secret")
		for name, alter := range alterations {
			s := strings.Join(alter(strings.Split(good, ".")), ".")
			if s == good {
				t.Fatalf("%s changes nothing", name)
			}
			if got, err := k.Open(s); err == nil {
				t.Errorf("%s, %s: opened to %q", alg, name, got)
			}
		}
	}
	withKey := strings.Replace(byJose(t, jose.DIRECT, jose.A256GCM, "", "x"), "..", ".AAAA.", 1)
	if _, err := k.Open(withKey); !errors.Is(err, ErrMalformed) {
		t.Errorf("dir with a wrapped key: %v, want ErrMalformed", err)
	}
	other, _ := NewKey(bytes.Repeat([]byte{8}, 32))
	if _, err := other.Open(byJose(t, jose.A256KW, jose.A256GCM, "", "x")); !errors.Is(err, ErrOpen) {
		t.Errorf("another key: %v, want ErrOpen", err)
	}
}

func enc(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

func flip(s string) string { return next(s[0]) + s[1:] }

func next(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[(strings.IndexByte(alphabet, c)+1)%64])
}

func TestKeysDoNotShow(t *testing.T) {
	k := newKey(t)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if s := fmt.Sprintf(verb, k); s != "jwe.Key" {
			t.Errorf("%s prints %q", verb, s)
		}
	}
	if _, err := NewKey(raw[:16]); !errors.Is(err, ErrKeySize) {
		t.Errorf("a key of 16 bytes: %v", err)
	}
}

// FuzzOpen holds Open against go-jose: it opens nothing that go-jose refuses,
// and what it opens has the same plaintext.
func FuzzOpen(f *testing.F) {
	k := newKey(f)
	for _, alg := range []jose.KeyAlgorithm{jose.DIRECT, jose.A256KW} {
		good := byJose(f, alg, jose.A256GCM, "", "text")
		f.Add(good)
		f.Add(good[:len(good)-1])
		f.Add(strings.Replace(good, ".", "..", 1))
	}
	f.Add(byJose(f, jose.DIRECT, jose.A256GCM, jose.DEFLATE, "text"))
	f.Fuzz(func(t *testing.T, s string) {
		got, err := k.Open(s)
		if err != nil {
			return
		}
		obj, err := jose.ParseEncryptedCompact(s, []jose.KeyAlgorithm{jose.DIRECT, jose.A256KW}, []jose.ContentEncryption{jose.A256GCM})
		if err != nil {
			t.Fatalf("opened what go-jose does not parse: %v", err)
		}
		want, err := obj.Decrypt(raw)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("opened to %q, go-jose says %q, %v", got, want, err)
		}
	})
}
