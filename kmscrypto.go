package webexmsg

import (
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/webexmsg/webexmsg/internal/jwe"
)

// A staticKey is the RSA key of a KMS: the root of all trust in it.
type staticKey struct {
	kid string
	key *rsa.PublicKey
}

// parseStaticKey reads the key that KMS shows and makes the checks that Cisco's
// SDK makes: kind, a kms: id, and a certificate that speaks of the same host
// and the same key. With roots, its chain must lead to one of them.
func parseStaticKey(raw json.RawMessage, roots *x509.CertPool) (*staticKey, error) {
	refuse := func(format string, args ...any) (*staticKey, error) {
		return nil, fmt.Errorf("%w: static key: %w", ErrUntrusted, fmt.Errorf(format, args...))
	}
	var text string
	if json.Unmarshal(raw, &text) == nil { // KMS sends the JWK as a string
		raw = json.RawMessage(text)
	}
	var jwk struct {
		Kty, Kid, N, E string
		X5C            []string
	}
	if err := json.Unmarshal(raw, &jwk); err != nil {
		return refuse("it is not a JWK")
	}
	if jwk.Kty != "RSA" {
		return refuse("its kind (kty) is %.20q, not RSA", jwk.Kty)
	}
	kid, err := url.Parse(jwk.Kid)
	if err != nil || kid.Scheme != "kms" || kid.Hostname() == "" {
		return refuse("its id (kid) is not a kms: URI")
	}
	if len(jwk.X5C) == 0 {
		return refuse("it has no certificate (x5c)")
	}
	chain := make([]*x509.Certificate, len(jwk.X5C))
	for i, encoded := range jwk.X5C {
		der, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return refuse("certificate %d is not base64", i)
		}
		if chain[i], err = x509.ParseCertificate(der); err != nil {
			return refuse("certificate %d: %w", i, err)
		}
	}
	n, errN := base64.RawURLEncoding.DecodeString(jwk.N)
	e, errE := base64.RawURLEncoding.DecodeString(jwk.E)
	certified, ok := chain[0].PublicKey.(*rsa.PublicKey)
	if errN != nil || errE != nil || !ok ||
		certified.N.Cmp(new(big.Int).SetBytes(n)) != 0 || big.NewInt(int64(certified.E)).Cmp(new(big.Int).SetBytes(e)) != 0 {
		return refuse("its certificate is of another key")
	}
	if host := kid.Hostname(); !certifies(chain[0], host) {
		return refuse("its certificate is not of the host %s", host)
	}
	if certified.N.BitLen() < 2048 {
		return refuse("it has only %d bits", certified.N.BitLen())
	}
	if roots != nil {
		intermediates := x509.NewCertPool()
		for _, c := range chain[1:] {
			intermediates.AddCert(c)
		}
		_, err := chain[0].Verify(x509.VerifyOptions{
			Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		})
		if err != nil {
			return refuse("certificate chain: %w", err)
		}
	}
	return &staticKey{kid: jwk.Kid, key: certified}, nil
}

// certifies reports whether a certificate is of the host: by a subject
// alternative name, or by the common name where it has none.
func certifies(c *x509.Certificate, host string) bool {
	if len(c.DNSNames) == 0 {
		return strings.EqualFold(c.Subject.CommonName, host)
	}
	for _, name := range c.DNSNames {
		if strings.EqualFold(name, host) {
			return true
		}
	}
	return false
}

// seal encrypts a handshake for KMS alone.
func (s *staticKey) seal(plain []byte) (string, error) {
	enc, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.RSA_OAEP, Key: s.key, KeyID: s.kid}, nil)
	if err != nil {
		return "", err
	}
	obj, err := enc.Encrypt(plain)
	if err != nil {
		return "", err
	}
	return obj.CompactSerialize()
}

// handshakeAlgorithms are the signatures that KMS may make with its RSA key.
var handshakeAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}

// verify returns what a JWS of KMS says, if the static key signed it. When it
// did not, the payload is returned beside the error: it tells which request
// the forgery pretends to answer, and nothing else may be read from it.
func (s *staticKey) verify(signed string) (payload []byte, err error) {
	if strings.ContainsAny(signed, "\r\n") {
		return nil, fmt.Errorf("%w: malformed signature", ErrUntrusted)
	}
	if parts := strings.Split(signed, "."); len(parts) == 3 {
		payload, _ = base64.RawURLEncoding.DecodeString(parts[1])
	}
	jws, err := jose.ParseSignedCompact(signed, handshakeAlgorithms)
	if err != nil {
		return payload, fmt.Errorf("%w: signature: %w", ErrUntrusted, err)
	}
	if kid := jws.Signatures[0].Header.KeyID; kid != "" && kid != s.kid {
		return payload, fmt.Errorf("%w: signed with another key than its static key", ErrUntrusted)
	}
	verified, err := jws.Verify(s.key)
	if err != nil {
		return payload, fmt.Errorf("%w: the signature is not by its static key", ErrUntrusted)
	}
	return verified, nil
}

// A kmsJWK is a key in a KMS message: half of a shared key, which is a public
// P-256 key, or a content key, which is symmetric (kty oct).
type kmsJWK struct {
	Kty string `json:"kty"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
	K   string `json:"k,omitempty"`
	Kid string `json:"kid,omitempty"`
}

func newECDHKey() (*ecdh.PrivateKey, error) { return ecdh.P256().GenerateKey(rand.Reader) }

func publicJWK(key *ecdh.PublicKey, kid string) kmsJWK {
	point := key.Bytes() // 4, X, Y
	b64 := base64.RawURLEncoding
	return kmsJWK{Kty: "EC", Crv: "P-256", X: b64.EncodeToString(point[1:33]), Y: b64.EncodeToString(point[33:]), Kid: kid}
}

// deriveKey agrees on the shared key: ECDH on P-256, then HKDF with SHA-256
// and neither salt nor info, as node-kms does. A point that is not on the
// curve is refused.
func deriveKey(own *ecdh.PrivateKey, peer kmsJWK) (*jwe.Key, error) {
	if peer.Kty != "EC" || peer.Crv != "P-256" {
		return nil, errors.New("KMS's half of the key is not of P-256")
	}
	b64 := base64.RawURLEncoding
	x, errX := b64.DecodeString(peer.X)
	y, errY := b64.DecodeString(peer.Y)
	if errX != nil || errY != nil || len(x) > 32 || len(y) > 32 {
		return nil, errors.New("KMS's half of the key has odd coordinates")
	}
	point := make([]byte, 65)
	point[0] = 4
	copy(point[33-len(x):33], x) // some encoders drop leading zeros
	copy(point[65-len(y):], y)
	public, err := ecdh.P256().NewPublicKey(point)
	if err != nil {
		return nil, errors.New("KMS's half of the key is not a point of P-256")
	}
	secret, err := own.ECDH(public)
	if err != nil {
		return nil, err
	}
	raw, err := hkdf.Key(sha256.New, secret, nil, "", 32)
	if err != nil {
		return nil, err
	}
	return jwe.NewKey(raw)
}
