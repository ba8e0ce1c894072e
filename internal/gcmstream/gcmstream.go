// Package gcmstream decrypts AES-256-GCM as a stream. The standard library
// does so only for what is in memory as a whole, for a good reason: the tag,
// which alone tells whether the plaintext is authentic, is known to be right
// only at the end. Who reads a stream must not act on what was read until
// io.EOF is there.
package gcmstream

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	KeySize   = 32
	NonceSize = 12
	TagSize   = 16

	// MaxSize is the longest plaintext that GCM allows, in bytes.
	MaxSize = 1<<36 - 32

	block = aes.BlockSize
	chunk = 64 << 10
)

// ErrAuth means that ciphertext, tag, nonce, additional data and key do not
// belong together: what was read is not authentic.
var ErrAuth = errors.New("the tag does not verify")

// NewReader returns a reader of the plaintext of which r has the ciphertext,
// without its tag. Its last Read returns io.EOF if the tag verified, else
// [ErrAuth] or what r failed with. Nothing of the last chunk is returned before
// that, so that of 64 KiB and less nothing is that was tampered with.
func NewReader(r io.Reader, key, nonce, additional, tag []byte) (io.Reader, error) {
	if len(key) != KeySize || len(nonce) != NonceSize || len(tag) != TagSize {
		return nil, fmt.Errorf("a key of %d, a nonce of %d and a tag of %d bytes", len(key), len(nonce), len(tag))
	}
	c, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	hash, err := newGHASH(c)
	if err != nil {
		return nil, err
	}
	hash.write(additional)

	var counter [block]byte
	copy(counter[:], nonce)
	counter[block-1] = 1
	d := &reader{
		src: r, hash: hash, tag: [TagSize]byte(tag), additional: len(additional),
		buf: make([]byte, chunk),
	}
	c.Encrypt(d.mask[:], counter[:])
	counter[block-1] = 2
	// CTR counts in 128 bits and GCM in 32: within MaxSize that is the same.
	d.ctr = cipher.NewCTR(c, counter[:])
	return d, nil
}

type reader struct {
	src        io.Reader
	ctr        cipher.Stream
	hash       *ghash
	mask, tag  [TagSize]byte
	additional int

	buf  []byte
	left []byte // of buf: plaintext that was not read yet
	size uint64
	err  error
}

func (d *reader) Read(p []byte) (int, error) {
	for len(d.left) == 0 && d.err == nil && len(p) > 0 {
		d.fill()
	}
	n := copy(p, d.left)
	d.left = d.left[n:]
	if len(d.left) > 0 {
		return n, nil
	}
	if n > 0 && d.err != io.EOF {
		return n, nil // the error comes by itself
	}
	return n, d.err
}

// fill decrypts a chunk. The last one is short, or empty.
func (d *reader) fill() {
	n, err := io.ReadFull(d.src, d.buf)
	d.size += uint64(n)
	if d.size > MaxSize {
		d.err = errors.New("longer than GCM allows")
		return
	}
	part := d.buf[:n]
	d.hash.write(part)
	d.ctr.XORKeyStream(part, part)
	switch {
	case err == nil:
	case err != io.EOF && err != io.ErrUnexpectedEOF:
		d.err = err
		return
	case !d.verify():
		d.err = ErrAuth
		return
	default:
		d.err = io.EOF
	}
	d.left = part
}

func (d *reader) verify() bool {
	tag := d.hash.sum(uint64(d.additional), d.size)
	subtle.XORBytes(tag[:], tag[:], d.mask[:])
	return subtle.ConstantTimeCompare(tag[:], d.tag[:]) == 1
}

// A ghash computes GHASH (NIST SP 800-38D, 6.4) over data that comes in pieces.
//
// The hash of one piece is left to the standard library, whose GCM does it in
// hardware: the tag of an empty plaintext with the piece as additional data is
// the piece's hash. Pieces are then put together by the law that GHASH, of
// blocks x1 ... xm, is the polynomial x1·H^m + ... + xm·H.
type ghash struct {
	gcm   cipher.AEAD
	h     element // H
	hFull element // H to the number of blocks of a chunk
	mask  element // of the tags of gcm, under the nonce zero
	state element
}

func newGHASH(c cipher.Block) (*ghash, error) {
	gcm, err := cipher.NewGCM(c)
	if err != nil {
		return nil, err
	}
	g := &ghash{gcm: gcm}
	var in, out [block]byte
	c.Encrypt(out[:], in[:])
	g.h = newElement(out)
	in[block-1] = 1
	c.Encrypt(out[:], in[:])
	g.mask = newElement(out)
	g.hFull = g.h.pow(chunk / block)
	return g, nil
}

// write adds p, padded with zeros to whole blocks.
func (g *ghash) write(p []byte) {
	if len(p) == 0 {
		return
	}
	var nonce [NonceSize]byte
	var tag [TagSize]byte
	g.gcm.Seal(tag[:0], nonce[:], nil, p)
	// The tag holds one block more, the lengths, and is masked.
	piece := newElement(tag).add(g.mask).add(lengths(uint64(len(p)), 0).mul(g.h))

	shift := g.hFull
	if len(p) != chunk {
		shift = g.h.pow((len(p) + block - 1) / block)
	}
	// Both are one H ahead of the polynomial, as sum wants them.
	g.state = g.state.mul(shift).add(piece)
}

// sum ends the hash with the block of the lengths.
func (g *ghash) sum(additional, size uint64) [TagSize]byte {
	return g.state.add(lengths(additional, size).mul(g.h)).bytes()
}

// An element is one of GF(2^128), of which the highest bit of hi is the
// coefficient of x^0.
type element struct{ hi, lo uint64 }

func newElement(b [block]byte) element {
	return element{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// lengths is the last block of a hash. Lengths are in bytes here.
func lengths(additional, size uint64) element { return element{additional * 8, size * 8} }

func (a element) bytes() (b [block]byte) {
	binary.BigEndian.PutUint64(b[:8], a.hi)
	binary.BigEndian.PutUint64(b[8:], a.lo)
	return b
}

func (a element) add(b element) element { return element{a.hi ^ b.hi, a.lo ^ b.lo} }

// mul multiplies in the same time whatever the bits are.
func (a element) mul(b element) element {
	var z element
	for i := range 128 {
		word, bit := a.hi, 63-i
		if i >= 64 {
			word, bit = a.lo, 127-i
		}
		take := -(word >> bit & 1)
		z.hi ^= b.hi & take
		z.lo ^= b.lo & take
		// b times x, modulo x^128 + x^7 + x^2 + x + 1.
		carry := -(b.lo & 1)
		b.lo = b.lo>>1 | b.hi<<63
		b.hi = b.hi>>1 ^ carry&(0xe1<<56)
	}
	return z
}

func (a element) pow(n int) element {
	p := element{hi: 1 << 63} // 1
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			p = p.mul(a)
		}
		a = a.mul(a)
	}
	return p
}
