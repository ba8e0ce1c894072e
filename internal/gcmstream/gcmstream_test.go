package gcmstream

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"
)

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// seal is the standard library's GCM.
func seal(t testing.TB, key, nonce, plain, additional []byte) (ciphertext, tag []byte) {
	t.Helper()
	c, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(c)
	if err != nil {
		t.Fatal(err)
	}
	sealed := gcm.Seal(nil, nonce, plain, additional)
	return sealed[:len(plain)], sealed[len(plain):]
}

// TestLikeTheStandardLibrary compares with GCM of the standard library at the
// lengths around blocks and chunks, however the ciphertext comes.
func TestLikeTheStandardLibrary(t *testing.T) {
	for _, size := range []int{0, 1, 15, 16, 17, 100, chunk - 1, chunk, chunk + 1, chunk + 16, 2 * chunk, 3*chunk + 5} {
		for _, more := range []int{0, 1, 16, 24, 100, chunk, chunk + 1} {
			key, nonce, plain, additional := random(KeySize), random(NonceSize), random(size), random(more)
			ciphertext, tag := seal(t, key, nonce, plain, additional)
			for name, src := range map[string]io.Reader{
				"at once": bytes.NewReader(ciphertext),
				"halves":  iotest.HalfReader(bytes.NewReader(ciphertext)),
				"eof":     iotest.DataErrReader(bytes.NewReader(ciphertext)),
			} {
				r, err := NewReader(src, key, nonce, additional, tag)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(r)
				if err != nil || !bytes.Equal(got, plain) {
					t.Errorf("%d bytes, %d additional, %s: %v, equal %v", size, more, name, err, bytes.Equal(got, plain))
				}
			}
		}
	}
}

func TestReadsAsReadersDo(t *testing.T) {
	key, nonce, plain := random(KeySize), random(NonceSize), random(chunk+7)
	ciphertext, tag := seal(t, key, nonce, plain, nil)
	r, err := NewReader(bytes.NewReader(ciphertext), key, nonce, nil, tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(r, plain); err != nil {
		t.Error(err)
	}
}

func TestWhatWasAlteredEndsInAnError(t *testing.T) {
	for _, size := range []int{0, 1, 16, chunk, chunk + 1, 3 * chunk} {
		flip := func(b []byte, at int) []byte {
			b = bytes.Clone(b)
			b[at] ^= 1
			return b
		}
		key, nonce, additional := random(KeySize), random(NonceSize), random(10)
		plain := random(size)
		ciphertext, tag := seal(t, key, nonce, plain, additional)
		type parts struct{ ciphertext, key, nonce, additional, tag []byte }
		altered := map[string]parts{
			"tag":        {ciphertext, key, nonce, additional, flip(tag, 15)},
			"key":        {ciphertext, flip(key, 0), nonce, additional, tag},
			"nonce":      {ciphertext, key, flip(nonce, 3), additional, tag},
			"additional": {ciphertext, key, nonce, flip(additional, 9), tag},
			"longer":     {append(bytes.Clone(ciphertext), 0), key, nonce, additional, tag},
			"no data":    {ciphertext, key, nonce, nil, tag},
		}
		if size > 0 {
			altered["first"] = parts{flip(ciphertext, 0), key, nonce, additional, tag}
			altered["last"] = parts{flip(ciphertext, size-1), key, nonce, additional, tag}
			altered["shorter"] = parts{ciphertext[:size-1], key, nonce, additional, tag}
			altered["empty"] = parts{nil, key, nonce, additional, tag}
		}
		for name, p := range altered {
			r, err := NewReader(bytes.NewReader(p.ciphertext), p.key, p.nonce, p.additional, p.tag)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(r)
			if !errors.Is(err, ErrAuth) {
				t.Errorf("%d bytes, %s: %v, want ErrAuth", size, name, err)
			}
			if len(p.ciphertext) < chunk && len(got) > 0 {
				t.Errorf("%d bytes, %s: %d were released", size, name, len(got))
			}
			if n, err := r.Read(make([]byte, 1)); n != 0 || !errors.Is(err, ErrAuth) {
				t.Errorf("%d bytes, %s: then %d, %v", size, name, n, err)
			}
		}
	}
}

func TestFailuresOfTheSourceAreNoEnd(t *testing.T) {
	key, nonce := random(KeySize), random(NonceSize)
	ciphertext, tag := seal(t, key, nonce, random(2*chunk), nil)
	broken := fmt.Errorf("broken")
	src := io.MultiReader(bytes.NewReader(ciphertext), iotest.ErrReader(broken))
	r, err := NewReader(src, key, nonce, nil, tag)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(r); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
}

func TestLengthsAreChecked(t *testing.T) {
	for _, n := range [][3]int{{16, 12, 16}, {32, 16, 16}, {32, 12, 12}, {0, 0, 0}} {
		if _, err := NewReader(nil, make([]byte, n[0]), make([]byte, n[1]), nil, make([]byte, n[2])); err == nil {
			t.Errorf("key, nonce and tag of %v bytes were accepted", n)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("plain"), []byte("additional"), uint(0))
	f.Fuzz(func(t *testing.T, plain, additional []byte, at uint) {
		key, nonce := random(KeySize), random(NonceSize)
		ciphertext, tag := seal(t, key, nonce, plain, additional)
		r, err := NewReader(bytes.NewReader(ciphertext), key, nonce, additional, tag)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
			t.Fatal(err)
		}
		if len(ciphertext) == 0 {
			return
		}
		ciphertext[at%uint(len(ciphertext))] ^= 1
		r, _ = NewReader(bytes.NewReader(ciphertext), key, nonce, additional, tag)
		if _, err := io.ReadAll(r); !errors.Is(err, ErrAuth) {
			t.Fatal(err)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	key, nonce, plain := random(KeySize), random(NonceSize), random(16<<20)
	ciphertext, tag := seal(b, key, nonce, plain, nil)
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	for b.Loop() {
		r, err := NewReader(bytes.NewReader(ciphertext), key, nonce, nil, tag)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}
