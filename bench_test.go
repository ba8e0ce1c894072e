package webexmsg

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/webexmsg/webexmsg/internal/jwe"
)

// The benchmarks of one process: what a frame costs from the reading goroutine
// to the callback, without network, beside the least that it could cost.
// BENCHMARKS.md tells how they are read.

const benchKeyURL = "kms://kms.example.com/keys/84ac6d9e-f485-4d39-acec-da51041ddf32"

var benchRaw = bytes.Repeat([]byte{7}, 32)

// benchFrame is a message as Cisco's SDK composes it, text and HTML of 110
// characters each, and where in it the activity's id is.
func benchFrame(tb testing.TB) (frame []byte, id []byte) {
	tb.Helper()
	key, err := jwe.NewKey(benchRaw)
	if err != nil {
		tb.Fatal(err)
	}
	seal := func(s string) string {
		sealed, err := key.Seal([]byte(s), "")
		if err != nil {
			tb.Fatal(err)
		}
		return sealed
	}
	text := strings.Repeat("lorem ipsum ", 10)[:110]
	frame = fmt.Appendf(nil, `{"id":"489f3739-5737-494c-a50f-b285ed223f9b","data":{"eventType":"conversation.activity","activity":{"verb":"post","objectType":"activity",`+
		`"clientTempId":"2fa8a5a5-6f22-4523-9669-de9a683ba4d5","actor":{"id":"22222222-2222-4222-8222-222222222222","objectType":"person","displayName":"alice@example.com",`+
		`"orgId":"99999999-9999-4999-8999-999999999999","emailAddress":"alice@example.com","entryUUID":"22222222-2222-4222-8222-222222222222","type":"PERSON"},`+
		`"object":{"objectType":"comment","displayName":"%s","content":"%s"},`+
		`"target":{"id":"13a169e0-8a71-4fa7-8577-c1850271f6ad","objectType":"conversation","url":"https://conv-a.wbx2.com/conversation/api/v1/conversations/13a169e0-8a71-4fa7-8577-c1850271f6ad",`+
		`"tags":["ONE_ON_ONE"],"participants":{"items":[]},"activities":{"items":[]}},"encryptionKeyUrl":"%s","id":"00000000-0000-4000-8000-000000000000",`+
		`"published":"2026-11-23T08:43:59.868Z","url":"https://conv-a.wbx2.com/conversation/api/v1/activities/5c0c675a-dd0f-4939-828f-75669efd5532"}},`+
		`"timestamp":1795423439868,"trackingId":"TEST_f7df786d-ba4a-49c4-8fc3-f4b86c1c8674","alertType":"none","headers":{},"sequenceNumber":3,"filterMessage":false}`,
		seal(text), seal("<p>"+text[:103]+"</p>"), benchKeyURL)
	at := bytes.Index(frame, []byte("00000000-0000-4000"))
	return frame, frame[at : at+36]
}

// number makes an id of a counter, in place.
func number(id []byte, n int) {
	const digits = "0123456789abcdef"
	for i := 35; i > 23; i-- {
		id[i] = digits[n&15]
		n >>= 4
	}
}

// BenchmarkDeliver takes frames from the reading goroutine to a callback.
func BenchmarkDeliver(b *testing.B) {
	h, err := New(Config{Token: "x"})
	if err != nil {
		b.Fatal(err)
	}
	s := newSession(h, true)
	s.me.Store(&identity{userID: "11111111-1111-4111-8111-111111111111", bot: true})
	close(s.known)
	key, err := jwe.NewKey(benchRaw)
	if err != nil {
		b.Fatal(err)
	}
	e := h.kms.want(benchKeyURL)
	h.kms.finish(e, key, nil)
	m := &mercury{rest: h.rest, sink: s, acks: make(chan string, maxPendingAcks)}

	window := make(chan struct{}, 1000) // under way at a time
	h.OnMessageCreated(func(msg DecryptedMessage) {
		if len(msg.Text) != 110 || len(msg.HTML) != 110 {
			panic("not decrypted")
		}
		<-window
	})
	frame, id := benchFrame(b)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		number(id, n)
		f, err := parseFrame(frame)
		if err != nil {
			b.Fatal(err)
		}
		window <- struct{}{}
		m.route(f)
		<-m.acks
	}
	if err := s.work.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// floorFrame is the least of a frame that a message is made of.
type floorFrame struct {
	ID   string `json:"id"`
	Data struct {
		EventType string `json:"eventType"`
		Activity  struct {
			ID               string `json:"id"`
			Verb             string `json:"verb"`
			Published        string `json:"published"`
			EncryptionKeyURL string `json:"encryptionKeyUrl"`
			Actor            struct {
				EntryUUID    string `json:"entryUUID"`
				EmailAddress string `json:"emailAddress"`
			} `json:"actor"`
			Object struct {
				ObjectType  string `json:"objectType"`
				DisplayName string `json:"displayName"`
				Content     string `json:"content"`
			} `json:"object"`
			Target struct {
				ID   string   `json:"id"`
				Tags []string `json:"tags"`
			} `json:"target"`
		} `json:"activity"`
	} `json:"data"`
	SequenceNumber int64 `json:"sequenceNumber"`
}

// BenchmarkFloor is the least that the same frame costs with the standard
// library: encoding/json into a struct, and two AES-GCM openings.
func BenchmarkFloor(b *testing.B) {
	key, err := jwe.NewKey(benchRaw)
	if err != nil {
		b.Fatal(err)
	}
	frame, _ := benchFrame(b)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		var f floorFrame
		if err := json.Unmarshal(frame, &f); err != nil {
			b.Fatal(err)
		}
		for _, s := range []string{f.Data.Activity.Object.DisplayName, f.Data.Activity.Object.Content} {
			if plain, err := key.Open(s); err != nil || len(plain) != 110 {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkGoJose opens the same two JWEs with go-jose.
func BenchmarkGoJose(b *testing.B) {
	frame, _ := benchFrame(b)
	var f floorFrame
	if err := json.Unmarshal(frame, &f); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, s := range []string{f.Data.Activity.Object.DisplayName, f.Data.Activity.Object.Content} {
			obj, err := jose.ParseEncryptedCompact(s, []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM})
			if err != nil {
				b.Fatal(err)
			}
			if plain, err := obj.Decrypt(benchRaw); err != nil || len(plain) != 110 {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkOpen opens them as the library does.
func BenchmarkOpen(b *testing.B) {
	key, err := jwe.NewKey(benchRaw)
	if err != nil {
		b.Fatal(err)
	}
	frame, _ := benchFrame(b)
	var f floorFrame
	if err := json.Unmarshal(frame, &f); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, s := range []string{f.Data.Activity.Object.DisplayName, f.Data.Activity.Object.Content} {
			if _, err := key.Open(s); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkParseFrame decodes the frame alone.
func BenchmarkParseFrame(b *testing.B) {
	frame, _ := benchFrame(b)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		if f, err := parseFrame(frame); err != nil || f.Activity == nil {
			b.Fatal(err)
		}
	}
}
