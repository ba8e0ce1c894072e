package webexmsg_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/webexmsg/webexmsg"
	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// TestTokenSource has the token expire at every moment that matters.
func TestTokenSource(t *testing.T) {
	setup := func(t *testing.T, first string) (*webexmsgtest.Server, *webexmsg.Handler, *recorder, func(string), *atomic.Int64) {
		s := newServer(t)
		asked := new(atomic.Int64)
		cfg := s.Config()
		if first != "valid" {
			cfg.Token = first
		}
		cfg.TokenSource = func(context.Context) (string, error) {
			asked.Add(1)
			return s.NewToken(s.Bot()), nil
		}
		h, r := newHandler(t, cfg)
		alice := s.NewPerson("alice@example.com", "Alice")
		room := s.NewDirectRoom(alice, s.Bot())
		post := func(text string) {
			s.RotateKey(room)
			alice.Post(room, webexmsgtest.Message{Text: text})
		}
		return s, h, r, post, asked
	}
	check := func(t *testing.T, r *recorder, post func(string), asked *atomic.Int64, want int64) {
		t.Helper()
		post("hello")
		r.await("created hello", 1)
		if n := asked.Load(); n != want {
			t.Errorf("the source was asked %d times, want %d", n, want)
		}
	}
	for _, first := range []string{"", "expired"} {
		t.Run("first token "+first, func(t *testing.T) {
			_, h, r, post, asked := setup(t, first)
			connect(t, h)
			check(t, r, post, asked, 1)
		})
	}
	t.Run("a key is asked for", func(t *testing.T) {
		s, h, r, post, asked := setup(t, "valid")
		connect(t, h)
		s.RevokeToken(s.Bot())
		check(t, r, post, asked, 1)
	})
	t.Run("closed with 4401", func(t *testing.T) {
		s, h, r, post, asked := setup(t, "valid")
		connect(t, h)
		s.RevokeToken(s.Bot())
		s.CloseSockets(4401, "token expired")
		r.await("connected", 2)
		check(t, r, post, asked, 1)
	})
	t.Run("the source is refused too", func(t *testing.T) {
		s := newServer(t)
		asked := 0
		cfg := s.Config()
		cfg.Token = "expired"
		cfg.TokenSource = func(context.Context) (string, error) { asked++; return fmt.Sprint("bad", asked), nil }
		h, _ := newHandler(t, cfg)
		if err := h.Connect(t.Context()); !errors.Is(err, webexmsg.ErrUnauthorized) {
			t.Errorf("Connect: %v", err)
		}
	})
	t.Run("the source fails", func(t *testing.T) {
		fault := errors.New("no identity provider")
		s := newServer(t)
		cfg := s.Config()
		cfg.Token = ""
		cfg.TokenSource = func(context.Context) (string, error) { return "", fault }
		h, _ := newHandler(t, cfg)
		if err := h.Connect(t.Context()); !errors.Is(err, fault) {
			t.Errorf("Connect: %v", err)
		}
	})
}

// TestSilence runs through every kind of event and many errors with everything
// logged, and looks for secrets in the log and in what errors and values print.
func TestSilence(t *testing.T) {
	const secret = "xyzzy-plaintext"
	var log syncBuffer
	s, alice, room, h, r := world(t, func(c *webexmsg.Config) {
		c.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.MaxFrameSize = 1 << 20
	})
	var printed syncBuffer
	print := func(v any) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			fmt.Fprintf(&printed, verb+"\n", v)
		}
	}
	h.OnMessageCreated(func(m webexmsg.DecryptedMessage) { print(m); print(&m); print([]webexmsg.DecryptedMessage{m}) })
	h.OnMessageUpdated(func(m webexmsg.DecryptedMessage) { print(m) })
	h.OnMessageDeleted(func(m webexmsg.DeletedMessage) { print(m) })
	h.OnAttachmentActionCreated(func(a webexmsg.AttachmentAction) { print(a) })
	h.OnMembershipCreated(func(a webexmsg.MembershipActivity) { print(a) })
	h.OnRoomCreated(func(a webexmsg.RoomActivity) { print(a) })
	h.OnRoomUpdated(func(a webexmsg.RoomActivity) { print(a) })
	h.OnReactionCreated(func(a webexmsg.ReactionActivity) { print(a) })
	h.OnReactionUpdated(func(a webexmsg.ReactionTally) { print(a) })
	h.OnActivity(func(a webexmsg.Activity) { print(a) })
	h.OnError(func(err error) { print(err) })
	h.OnGap(func(g webexmsg.Gap) { print(g) })
	h.On("message:created", func(m webexmsg.DecryptedMessage) error { panic(errors.New(m.Text)) })
	connect(t, h)

	file := webexmsgtest.File{Name: secret + ".txt", MIMEType: "text/plain", Content: []byte(secret)}
	id := alice.Post(room, webexmsgtest.Message{Text: secret, HTML: "<b>" + secret + "</b>", Files: []webexmsgtest.File{file}, Cards: []any{map[string]any{"body": secret}}})
	alice.Edit(room, id, text(secret))
	alice.React(room, id, secret)
	alice.SubmitCard(room, id, map[string]any{"answer": secret})
	alice.ReactionSummary(room, id, map[string]int{secret: 2})
	group := s.NewRoom(secret, alice, s.Bot())
	alice.Rename(group, secret)
	s.CorruptJWE(1)
	alice.Post(room, text(secret))
	s.RefuseKey(s.RotateKey(room), 403, "refused")
	alice.Post(room, text(secret))
	s.RotateKey(room)
	s.SendFrame(s.Bot(), []byte(`{"text":"`+secret+strings.Repeat("x", 2<<20)+`"}`))
	s.SendFrame(s.Bot(), []byte(`{"text":"`+secret+`"`))
	alice.Delete(room, id)
	r.await("deleted", 1)
	s.Fail(webexmsgtest.ConversationsEndpoint, 1, 500)
	s.DropSockets()
	r.await("connected", 2)
	alice.Post(room, text(secret))
	r.await("created", 2)
	s.RevokeToken(s.Bot())
	s.CloseSockets(4401, "expired")
	r.await("disconnected", 2)
	print(h.Status())
	cfg := s.Config()
	print(cfg)
	print(&cfg)
	print(h)
	slog.New(slog.NewJSONHandler(&printed, nil)).Info("config", "cfg", cfg)
	disconnect(t, h)

	for name, out := range map[string]string{"log": log.String(), "printed": printed.String()} {
		for what, s := range map[string]string{"plaintext": secret, "token": cfg.Token} {
			if i := strings.Index(out, s); i >= 0 {
				t.Errorf("%s: %s is there: …%s…", name, what, out[max(0, i-300):min(len(out), i+100)])
			}
		}
	}
	// Enough is left for a support case.
	for _, want := range []string{"webexmsg_", id, room.ID} {
		if !strings.Contains(log.String()+printed.String(), want) {
			t.Errorf("neither log nor errors name %q", want)
		}
	}
	if !strings.Contains(log.String(), "level=DEBUG") {
		t.Error("nothing was logged at debug level")
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestHostileFrames sends what no good server would: the Handler goes on, and
// its memory stays small.
func TestHostileFrames(t *testing.T) {
	s, alice, room, h, r := world(t)
	connect(t, h)
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	for _, size := range []int{64 << 20, 5 << 20, 5 << 20, 4<<20 + 1} {
		s.SendFrame(s.Bot(), bytes.Repeat([]byte(" "), size))
	}
	s.SendFrame(s.Bot(), []byte(`{"id":"1","data":{"eventType":"conversation.activity","activity":`+deep+`}}`))
	s.SendFrame(s.Bot(), []byte(`{"id":"1","data":`+strings.Repeat(`{"a":`, 100_000)))
	for i := range 50_000 {
		s.SendFrame(s.Bot(), fmt.Appendf(nil, `{"id":"%d"}`, i))
	}
	s.SendFrame(s.Bot(), []byte(`{"id":"2","data":{"eventType":"encryption.kms_message","encryption":{"kmsMessages":["a.b.c","a.b.c.d.e","",".....","`+strings.Repeat("x", 1<<20)+`"]}}}`))
	alice.Post(room, text("still there"))
	r.await("created still there", 1)
	if lines := r.with("disconnected"); lines != nil {
		t.Errorf("events %q", lines)
	}
	var tooLarge, others int
	for _, err := range r.errors() {
		if errors.Is(err, webexmsg.ErrFrameTooLarge) {
			tooLarge++
		} else {
			others++
		}
	}
	if tooLarge != 4 || others != 2 {
		t.Errorf("%d frames too large and %d unreadable, want 4 and 2: %v", tooLarge, others, r.errors())
	}
}

// TestImpostors sends activities whose fields are there twice, in other letters
// too, as a sender could add them: sender and room are those that count.
func TestImpostors(t *testing.T) {
	s, alice, room, h, r := world(t)
	got := make(chan webexmsg.DecryptedMessage, 1)
	h.OnMessageCreated(func(m webexmsg.DecryptedMessage) { got <- m })
	connect(t, h)
	s.SendFrame(s.Bot(), fmt.Appendf(nil, `{"id":"1","data":{"eventType":"conversation.activity","activity":{"id":"a","verb":"post",
		"actor":{"id":"%s","entryUUID":"%s","EntryUUID":"forged","ID":"forged"},"Actor":{"id":"forged","entryUUID":"forged"},
		"object":{"objectType":"comment","displayName":"text","DisplayName":"forged"},
		"target":{"id":"%s","tags":["ONE_ON_ONE"],"ID":"forged"},"TARGET":{"id":"forged"},"encryptionKeyURL":"kms://forged"}}}`, alice.ID, alice.ID, room.ID))
	if m := next(t, got); m.PersonID != alice.ID || m.RoomID != room.ID || m.Text != "text" || m.RoomType != webexmsg.RoomDirect {
		t.Errorf("%v", m)
	}
	r.await("created", 1)
}
