package webexmsg_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/webexmsg/webexmsg"
	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// content is n bytes that repeat nowhere near a block.
func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * i >> 7)
	}
	return b
}

// download reads all of a file.
func download(t *testing.T, h *webexmsg.Handler, f webexmsg.File) ([]byte, error) {
	t.Helper()
	r, err := h.OpenFile(t.Context(), f)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// via has every request of the Handler pass through change.
func via(change func(next http.RoundTripper, req *http.Request) (*http.Response, error)) func(*webexmsg.Config) {
	return func(c *webexmsg.Config) {
		client := *c.HTTPClient
		next := client.Transport
		client.Transport = roundTripper(func(req *http.Request) (*http.Response, error) { return change(next, req) })
		c.HTTPClient = &client
	}
}

// share posts a file and returns it as the bot heard of it.
func share(t *testing.T, h *webexmsg.Handler, alice *webexmsgtest.Person, room *webexmsgtest.Room, f webexmsgtest.File) webexmsg.File {
	t.Helper()
	messages := make(chan webexmsg.DecryptedMessage, 1)
	remove := h.OnMessageCreated(func(m webexmsg.DecryptedMessage) { messages <- m })
	defer remove()
	alice.Post(room, webexmsgtest.Message{Files: []webexmsgtest.File{f}})
	return next(t, messages).Files[0]
}

func TestFilesOfAllSizes(t *testing.T) {
	s, alice, room, h, _ := world(t)
	connect(t, h)
	for _, size := range []int{0, 1, 16, 1000, 64 << 10, 64<<10 + 1, 1 << 20} {
		want := content(size)
		f := share(t, h, alice, room, webexmsgtest.File{Name: "f", Content: want, Thumbnail: []byte("small")})
		r, err := h.OpenFile(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(r, want); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if got, err := download(t, h, *f.Thumbnail); string(got) != "small" || err != nil {
			t.Errorf("thumbnail: %q, %v", got, err)
		}
	}
	for _, r := range s.Requests() {
		if r.Endpoint == webexmsgtest.FilesEndpoint && r.Method == http.MethodGet && (!r.HasToken || !strings.Contains(r.Query, "signature")) {
			t.Errorf("%s?%s, token %v: not at the address that the file service named", r.Path, r.Query, r.HasToken)
		}
	}
}

// TestLargeFileInLittleMemory counts what is allocated while a file streams:
// by the server in this process too.
func TestLargeFileInLittleMemory(t *testing.T) {
	const size, most = 64 << 20, 16 << 20
	_, alice, room, h, _ := world(t)
	connect(t, h)
	want := content(size)
	f := share(t, h, alice, room, webexmsgtest.File{Name: "large", Content: want})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := h.OpenFile(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	buf := make([]byte, 32<<10)
	at := 0
	for {
		n, err := r.Read(buf)
		if !bytes.Equal(buf[:n], want[at:at+n]) {
			t.Fatalf("other bytes from %d on", at)
		}
		at += n
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; at != size || n > most {
		t.Errorf("%d bytes allocated while %d were read", n, at)
	}
}

// TestFilesThatAreNotWhatWasSent has the network change the ciphertext.
func TestFilesThatAreNotWhatWasSent(t *testing.T) {
	const size = 200 << 10
	for _, c := range []struct {
		name   string
		change func([]byte) []byte
		want   error
	}{
		{"first bit", func(b []byte) []byte { b[0] ^= 1; return b }, webexmsg.ErrFileCorrupt},
		{"last bit", func(b []byte) []byte { b[size-1] ^= 1; return b }, webexmsg.ErrFileCorrupt},
		{"cut off", func(b []byte) []byte { return b[:size-1] }, webexmsg.ErrFileCorrupt},
		{"cut off at a chunk", func(b []byte) []byte { return b[:128<<10] }, webexmsg.ErrFileCorrupt},
		{"nothing", func([]byte) []byte { return nil }, webexmsg.ErrFileCorrupt},
		{"longer", func(b []byte) []byte { return append(b, 0) }, webexmsg.ErrFileTooLarge},
		{"much longer", func(b []byte) []byte { return append(b, make([]byte, 1<<20)...) }, webexmsg.ErrFileTooLarge},
	} {
		for _, announced := range []bool{false, true} {
			_, alice, room, h, _ := world(t, via(func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
				res, err := next.RoundTrip(req)
				if err != nil || req.Method != http.MethodGet || !strings.HasPrefix(req.URL.Path, "/files/") {
					return res, err
				}
				body, err := io.ReadAll(res.Body)
				res.Body.Close()
				body = c.change(body)
				res.Body = io.NopCloser(bytes.NewReader(body))
				res.ContentLength = -1
				if announced {
					res.ContentLength = int64(len(body))
				}
				return res, err
			}))
			connect(t, h)
			f := share(t, h, alice, room, webexmsgtest.File{Name: "private.txt", Content: content(size)})
			if announced && c.want == webexmsg.ErrFileTooLarge {
				if r, err := h.OpenFile(t.Context(), f); err == nil {
					r.Close()
					t.Errorf("%s: opened, although it was announced", c.name)
				}
			}
			got, err := download(t, h, f)
			if !errors.Is(err, c.want) || strings.Contains(fmt.Sprint(err), "private") {
				t.Errorf("%s: %d bytes, %v, want %v", c.name, len(got), err, c.want)
			}
			disconnect(t, h)
		}
	}
}

func TestFilesThatCannotBeHad(t *testing.T) {
	s, alice, room, h, _ := world(t)
	connect(t, h)
	f := share(t, h, alice, room, webexmsgtest.File{Name: "f", Content: []byte("content")})

	var api *webexmsg.APIError
	s.Fail(webexmsgtest.FilesEndpoint, -1, 404)
	if _, err := download(t, h, f); !errors.As(err, &api) || api.StatusCode != 404 || api.Method != http.MethodGet {
		t.Errorf("gone: %v", err)
	}
	s.Restore(webexmsgtest.FilesEndpoint)
	s.Fail(webexmsgtest.FilesEndpoint, 1, 404) // the download address alone
	if got, err := download(t, h, f); string(got) != "content" || err != nil {
		t.Errorf("at its own address: %q, %v", got, err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.OpenFile(ctx, f); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if _, err := h.OpenFile(t.Context(), webexmsg.File{URL: f.URL}); err == nil {
		t.Error("a file without what opens it was opened")
	}
	strange := f
	strange.Size = 1 << 40
	if _, err := h.OpenFile(t.Context(), strange); !errors.Is(err, webexmsg.ErrFileTooLarge) {
		t.Errorf("a file of a terabyte: %v", err)
	}
	other := share(t, h, alice, room, webexmsgtest.File{Name: "g", Content: []byte("CONTENT")})
	other.URL = f.URL
	if got, err := download(t, h, other); !errors.Is(err, webexmsg.ErrFileCorrupt) || len(got) > 0 {
		t.Errorf("another file under its address: %q, %v", got, err)
	}

	disconnect(t, h)
	if got, err := download(t, h, f); string(got) != "content" || err != nil {
		t.Errorf("after Disconnect, with a key that is known: %q, %v", got, err)
	}
	stranger, err := webexmsg.New(s.Config())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.OpenFile(t.Context(), f); !errors.Is(err, webexmsg.ErrNotConnected) {
		t.Errorf("a Handler that never connected: %v", err)
	}
}

// TestFilesLeadToNoStranger has Webex name foreign hosts for a file: directly,
// as the address to download from, and by a redirect.
func TestFilesLeadToNoStranger(t *testing.T) {
	var visits atomic.Int32
	stranger := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	defer stranger.Close()
	foreign := strings.Replace(stranger.URL, "127.0.0.1", "localhost", 1) + "/files/x"

	for name, change := range map[string]func(next http.RoundTripper, req *http.Request) (*http.Response, error){
		"address": func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
			res, err := next.RoundTrip(req)
			if strings.HasSuffix(req.URL.Path, "/download/endpoints") && err == nil {
				body, _ := io.ReadAll(res.Body)
				res.Body.Close()
				at := bytes.LastIndex(body, []byte(`":"`))
				res.Body = io.NopCloser(strings.NewReader(string(body[:at]) + `":"` + foreign + `"}}`))
			}
			return res, err
		},
		"redirect": func(next http.RoundTripper, req *http.Request) (*http.Response, error) {
			if req.Method == http.MethodGet && strings.HasPrefix(req.URL.Path, "/files/") {
				return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {foreign}}, Body: http.NoBody, Request: req}, nil
			}
			return next.RoundTrip(req)
		},
	} {
		_, alice, room, h, _ := world(t, via(change))
		connect(t, h)
		f := share(t, h, alice, room, webexmsgtest.File{Name: "f", Content: []byte("content")})
		if _, err := download(t, h, f); !errors.Is(err, webexmsg.ErrHostNotAllowed) {
			t.Errorf("%s: %v", name, err)
		}
		f.URL = foreign
		if _, err := download(t, h, f); !errors.Is(err, webexmsg.ErrHostNotAllowed) {
			t.Errorf("its own address: %v", err)
		}
		disconnect(t, h)
	}
	if n := visits.Load(); n != 0 {
		t.Errorf("%d requests reached the stranger", n)
	}
}

// TestClosingAFileEndsItsDownload leaves files before their end; that nothing
// is left behind TestMain sees.
func TestClosingAFileEndsItsDownload(t *testing.T) {
	_, alice, room, h, _ := world(t)
	connect(t, h)
	f := share(t, h, alice, room, webexmsgtest.File{Name: "f", Content: content(8 << 20)})
	r, err := h.OpenFile(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err = h.OpenFile(ctx, f)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cancel()
	if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}
