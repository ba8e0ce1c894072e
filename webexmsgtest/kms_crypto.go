package webexmsgtest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// symmetricKey is a key of the KMS, for contents or shared with a client.
type symmetricKey struct {
	uri       string
	raw       []byte
	aead      cipher.AEAD
	protected string // the header of what it seals, encoded
}

// newSymmetricKey makes a key that seals under the header kid, which may be "".
func newSymmetricKey(uri string, raw []byte, kid string) *symmetricKey {
	header := map[string]string{"alg": "dir", "enc": "A256GCM"}
	if kid != "" {
		header["kid"] = kid
	}
	return &symmetricKey{
		uri:       uri,
		raw:       raw,
		aead:      newGCM(raw),
		protected: base64.RawURLEncoding.EncodeToString(must(json.Marshal(header))),
	}
}

func newGCM(key []byte) cipher.AEAD { return must(cipher.NewGCM(must(aes.NewCipher(key)))) }

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// seal returns plaintext as a compact JWE. It is written out here because it
// is on the path of every message; what comes in is opened with go-jose.
func (k *symmetricKey) seal(plaintext []byte, corrupt bool) string {
	iv := randomBytes(12)
	sealed := k.aead.Seal(nil, iv, plaintext, []byte(k.protected))
	if corrupt {
		sealed[0] ^= 1
	}
	text, tag := sealed[:len(sealed)-16], sealed[len(sealed)-16:]
	b64 := base64.RawURLEncoding.EncodeToString
	return k.protected + ".." + b64(iv) + "." + b64(text) + "." + b64(tag)
}

// open returns the plaintext of a compact JWE that was sealed with the key.
func (k *symmetricKey) open(compact string) ([]byte, error) {
	return openJWE(compact, jose.DIRECT, k.raw)
}

func (k *symmetricKey) jwk() map[string]string {
	return map[string]string{
		"kty": "oct",
		"kid": k.uri,
		"alg": "A256GCM",
		"k":   base64.RawURLEncoding.EncodeToString(k.raw),
	}
}

func openJWE(compact string, alg jose.KeyAlgorithm, key any) ([]byte, error) {
	jwe, err := jose.ParseEncryptedCompact(compact, []jose.KeyAlgorithm{alg}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return nil, err
	}
	return jwe.Decrypt(key)
}

// protectedHeader reads the header of a compact JWE without opening it.
func protectedHeader(compact string) (alg, kid string) {
	first, _, _ := strings.Cut(compact, ".")
	var header struct{ Alg, Kid string }
	if raw, err := base64.RawURLEncoding.DecodeString(first); err == nil {
		json.Unmarshal(raw, &header) // what is not JSON names no key
	}
	return header.Alg, header.Kid
}

// agree makes this side's half of the key exchange and the secret that comes
// of it.
func agree(clientJWK []byte) (public *ecdsa.PublicKey, secret []byte, err error) {
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(clientJWK); err != nil {
		return nil, nil, err
	}
	theirs, ok := jwk.Key.(*ecdsa.PublicKey)
	if !ok {
		return nil, nil, errors.New("not an elliptic curve public key")
	}
	their, err := theirs.ECDH()
	if err != nil {
		return nil, nil, err
	}
	ours, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	secret, err = sharedSecret(ours, their)
	if err != nil {
		return nil, nil, err
	}
	public, err = ecdsa.ParseUncompressedPublicKey(theirs.Curve, ours.PublicKey().Bytes())
	return public, secret, err
}

// sharedSecret is the key that two halves of an exchange agree on.
func sharedSecret(private *ecdh.PrivateKey, public *ecdh.PublicKey) ([]byte, error) {
	x, err := private.ECDH(public)
	if err != nil {
		return nil, err
	}
	return hkdf.Key(sha256.New, x, nil, "", 32)
}

// A SignatureMode is how the KMS signs its answer to a handshake.
type SignatureMode int

const (
	SignRS256      SignatureMode = iota // as Webex does
	SignPS256                           // RSASSA-PSS, which clients must take too
	SignAnotherKey                      // attack: RS256 by a key that is not the static one
	SignNone                            // attack: alg "none", no signature
	SignHS256                           // attack: an HMAC keyed with the public modulus
)

// sign wraps the answer to a handshake.
func sign(mode SignatureMode, static *rsa.PrivateKey, kid string, payload []byte) string {
	alg, key := jose.RS256, any(static)
	switch mode {
	case SignPS256:
		alg = jose.PS256
	case SignAnotherKey:
		key = impostorRSA()
	case SignHS256:
		alg, key = jose.HS256, static.N.Bytes()
	case SignNone:
		b64 := base64.RawURLEncoding.EncodeToString
		header := must(json.Marshal(map[string]string{"alg": "none", "kid": kid}))
		return b64(header) + "." + b64(payload) + "."
	}
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil))
	return must(must(signer.Sign(payload)).CompactSerialize())
}
