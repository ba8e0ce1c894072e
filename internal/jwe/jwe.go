// Package jwe opens and makes the compact JWEs (RFC 7516) of Webex content and
// of KMS: direct encryption with AES-256-GCM, and AES-256 key wrapping with
// AES-256-GCM. It accepts nothing else.
//
// Nearly every JWE that a bot sees is of the first kind, under a key that it
// has seen before. That path is here, on a cipher that is set up once a key;
// everything else is go-jose's.
package jwe

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

const (
	keySize   = 32
	nonceSize = 12
	tagSize   = 16
)

// What Open and the functions around it report.
var (
	ErrMalformed = errors.New("not a compact JWE")
	ErrAlgorithm = errors.New("algorithm not allowed")
	ErrKeySize   = fmt.Errorf("the key is not %d bytes long", keySize)
	ErrOpen      = errors.New("the JWE was altered or is of another key")
)

var b64 = base64.RawURLEncoding.Strict()

// A Key is a 256-bit symmetric key. It is safe for concurrent use, and its
// value does not show in what package fmt prints of it.
type Key struct {
	aead cipher.AEAD
	raw  []byte
}

// NewKey makes a Key of 32 bytes, which it keeps.
func NewKey(raw []byte) (*Key, error) {
	if len(raw) != keySize {
		return nil, ErrKeySize
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return &Key{aead: aead, raw: raw}, nil
}

// Format keeps the key out of what package fmt prints.
func (k *Key) Format(s fmt.State, _ rune) { fmt.Fprint(s, "jwe.Key") }

// A header is what matters of a JOSE header.
type header struct {
	Alg  string          `json:"alg"`
	Enc  string          `json:"enc"`
	Kid  string          `json:"kid"`
	Zip  json.RawMessage `json:"zip"`
	Crit json.RawMessage `json:"crit"`
}

// headers remembers the headers that were accepted, by their encoded form:
// there are few, and each message brings one again. Past its bound a header is
// decoded each time.
var headers = headerCache{m: make(map[string]header)}

type headerCache struct {
	mu sync.RWMutex
	m  map[string]header
}

const (
	maxCachedHeaders = 1024
	maxHeader        = 2048 // bytes, encoded
)

func parseHeader(encoded string) (header, error) {
	headers.mu.RLock()
	h, ok := headers.m[encoded]
	headers.mu.RUnlock()
	if ok {
		return h, nil
	}
	return newHeader(encoded)
}

func newHeader(encoded string) (h header, err error) {
	if len(encoded) > maxHeader {
		return header{}, fmt.Errorf("%w: a header of %d bytes", ErrMalformed, len(encoded))
	}
	raw, err := decode(encoded)
	if err != nil {
		return header{}, fmt.Errorf("%w: its header is not base64url", ErrMalformed)
	}
	if err := json.Unmarshal(raw, &h); err != nil {
		return header{}, fmt.Errorf("%w: its header is not a JSON object", ErrMalformed)
	}
	if (h.Alg != "dir" && h.Alg != string(jose.A256KW)) || h.Enc != string(jose.A256GCM) {
		return header{}, fmt.Errorf("%w: alg %.20q with enc %.20q", ErrAlgorithm, h.Alg, h.Enc)
	}
	if h.Zip != nil || h.Crit != nil {
		return header{}, fmt.Errorf("%w: zip and crit", ErrAlgorithm)
	}
	headers.mu.Lock()
	if len(headers.m) < maxCachedHeaders {
		headers.m[strings.Clone(encoded)] = h
	}
	headers.mu.Unlock()
	return h, nil
}

// KeyID reads the "kid" of a compact JWE; "" when it has none or is no JWE
// that this package would open.
func KeyID(compact string) string {
	encoded, _, _ := strings.Cut(compact, ".")
	h, err := parseHeader(encoded)
	if err != nil {
		return ""
	}
	return h.Kid
}

// Open decrypts a compact JWE with k.
func (k *Key) Open(compact string) ([]byte, error) {
	parts, ok := split(compact)
	if !ok {
		return nil, fmt.Errorf("%w: it does not have five parts", ErrMalformed)
	}
	h, err := parseHeader(parts[0])
	if err != nil {
		return nil, err
	}
	if h.Alg != "dir" {
		return k.openWrapped(compact, parts)
	}
	if parts[1] != "" {
		return nil, fmt.Errorf("%w: a wrapped key beside alg dir", ErrMalformed)
	}
	if len(parts[2]) != b64.EncodedLen(nonceSize) || len(parts[4]) != b64.EncodedLen(tagSize) {
		return nil, fmt.Errorf("%w: initialization vector or tag of a wrong length", ErrMalformed)
	}
	// The ciphertext and its tag, decoded one behind the other as the cipher
	// wants them, are opened in place; the nonce goes behind them.
	text := []byte(compact)
	var at [5]int // where the parts begin in text
	for i := 1; i < len(at); i++ {
		at[i] = at[i-1] + len(parts[i-1]) + 1
	}
	n := b64.DecodedLen(len(parts[3]))
	buf := make([]byte, 0, n+tagSize+nonceSize)
	for _, i := range [...]int{3, 4, 2} {
		if buf, err = appendDecoded(buf, text[at[i]:at[i]+len(parts[i])]); err != nil {
			return nil, fmt.Errorf("%w: a part is not base64url", ErrMalformed)
		}
	}
	plain, err := k.aead.Open(buf[:0], buf[n+tagSize:], buf[:n+tagSize], text[:len(parts[0])])
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

func (k *Key) openWrapped(compact string, parts [5]string) ([]byte, error) {
	for _, part := range parts { // more strictly than go-jose does
		if _, err := decode(part); err != nil {
			return nil, fmt.Errorf("%w: a part is not base64url", ErrMalformed)
		}
	}
	obj, err := jose.ParseEncryptedCompact(compact, []jose.KeyAlgorithm{jose.A256KW}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	plain, err := obj.Decrypt(k.raw)
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// Seal makes a compact JWE with direct encryption. kid may be empty.
func (k *Key) Seal(plain []byte, kid string) (string, error) {
	h, err := json.Marshal(struct {
		Alg string `json:"alg"`
		Enc string `json:"enc"`
		Kid string `json:"kid,omitempty"`
	}{"dir", string(jose.A256GCM), kid})
	if err != nil {
		return "", err
	}
	protected := b64.EncodeToString(h)
	var nonce [nonceSize]byte
	rand.Read(nonce[:]) // never fails
	sealed := k.aead.Seal(nil, nonce[:], plain, []byte(protected))
	n := len(sealed) - tagSize
	return protected + ".." + b64.EncodeToString(nonce[:]) + "." + b64.EncodeToString(sealed[:n]) + "." + b64.EncodeToString(sealed[n:]), nil
}

// Like reports whether s has the shape of a compact JWE: five parts, the first
// of which begins as the encoding of a JSON object does.
func Like(s string) bool {
	if !strings.HasPrefix(s, "ey") {
		return false
	}
	_, ok := split(s)
	return ok
}

func split(s string) (parts [5]string, ok bool) {
	for i := range 4 {
		dot := strings.IndexByte(s, '.')
		if dot < 0 {
			return parts, false
		}
		parts[i], s = s[:dot], s[dot+1:]
	}
	parts[4] = s
	return parts, strings.IndexByte(s, '.') < 0
}

func decode(part string) ([]byte, error) { return appendDecoded(nil, []byte(part)) }

// appendDecoded appends what part encodes to dst. Unlike encoding/base64 it
// knows no line breaks.
func appendDecoded(dst, part []byte) ([]byte, error) {
	if bytes.IndexByte(part, '\n') >= 0 || bytes.IndexByte(part, '\r') >= 0 {
		return nil, ErrMalformed
	}
	return b64.AppendDecode(dst, part)
}
