package webexmsg_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/webexmsg/webexmsg"
	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// TestMain sees to it that no test leaves a goroutine behind.
func TestMain(m *testing.M) {
	if config := os.Getenv(childEnv); config != "" {
		os.Exit(runChild(config))
	}
	code := m.Run()
	if left := leftGoroutines(); code == 0 && left != "" {
		fmt.Println("goroutines were left behind:\n" + left)
		code = 1
	}
	os.Exit(code)
}

// leftGoroutines returns the stacks of goroutines that do not end within a few
// seconds: connections that were closed end in the background.
func leftGoroutines() string {
	var left []string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
		buf := make([]byte, 1<<20)
		buf = buf[:runtime.Stack(buf, true)]
		left = strings.Split(string(buf), "\n\n")[1:]                                                    // the first is this one
		left = slices.DeleteFunc(left, func(g string) bool { return strings.Contains(g, "os/signal.") }) // of the test runner
		if len(left) == 0 {
			return ""
		}
	}
	return strings.Join(left, "\n\n")
}

const patience = time.Minute

// A recorder writes down, in order, what a Handler says in one line each.
type recorder struct {
	t *testing.T

	mu      sync.Mutex
	lines   []string
	errs    []error
	changed chan struct{}
}

func record(t *testing.T, h *webexmsg.Handler) *recorder {
	r := &recorder{t: t, changed: make(chan struct{})}
	h.OnMessageCreated(func(m webexmsg.DecryptedMessage) { r.add("created " + m.Text) })
	h.OnMessageUpdated(func(m webexmsg.DecryptedMessage) { r.add("updated " + m.Text) })
	h.OnMessageDeleted(func(m webexmsg.DeletedMessage) { r.add("deleted " + m.MessageID) })
	h.OnConnected(func() { r.add("connected") })
	h.OnDisconnected(func(reason string) { r.add("disconnected " + reason) })
	h.OnReconnecting(func(n int) { r.add(fmt.Sprint("reconnecting ", n)) })
	h.OnError(func(err error) {
		r.mu.Lock()
		r.errs = append(r.errs, err)
		r.mu.Unlock()
		r.add("error")
	})
	return r
}

func (r *recorder) add(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
	close(r.changed)
	r.changed = make(chan struct{})
}

// with returns the lines that begin with any of the prefixes, in order.
func (r *recorder) with(prefixes ...string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []string
	for _, line := range r.lines {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(line, p) }) {
			found = append(found, line)
		}
	}
	return found
}

// await waits until n lines begin with prefix.
func (r *recorder) await(prefix string, n int) []string {
	r.t.Helper()
	timeout := time.After(patience)
	for {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		if found := r.with(prefix); len(found) >= n {
			return found
		}
		select {
		case <-changed:
		case <-timeout:
			r.mu.Lock()
			defer r.mu.Unlock()
			r.t.Fatalf("waited in vain for %d of %q; there were %q, errors %v", n, prefix, r.lines, r.errs)
		}
	}
}

func (r *recorder) errors() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.errs)
}

func newServer(t *testing.T) *webexmsgtest.Server {
	t.Helper()
	s := webexmsgtest.NewServer()
	t.Cleanup(s.Close)
	return s
}

func newHandler(t *testing.T, cfg webexmsg.Config) (*webexmsg.Handler, *recorder) {
	t.Helper()
	h, err := webexmsg.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { disconnect(t, h) })
	return h, record(t, h)
}

func connect(t *testing.T, h *webexmsg.Handler) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := h.Connect(ctx); err != nil {
		t.Fatal(err)
	}
}

func disconnect(t *testing.T, h *webexmsg.Handler) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := h.Disconnect(ctx); err != nil {
		t.Error(err)
	}
}

// world is a server with Alice in a direct room with the bot, and a Handler.
func world(t *testing.T, change ...func(*webexmsg.Config)) (s *webexmsgtest.Server, alice *webexmsgtest.Person, room *webexmsgtest.Room, h *webexmsg.Handler, r *recorder) {
	t.Helper()
	s = newServer(t)
	alice = s.NewPerson("alice@example.com", "Alice")
	room = s.NewDirectRoom(alice, s.Bot())
	cfg := s.Config()
	for _, f := range change {
		f(&cfg)
	}
	h, r = newHandler(t, cfg)
	return s, alice, room, h, r
}

func text(s string) webexmsgtest.Message { return webexmsgtest.Message{Text: s} }

func TestMessagesArriveDecrypted(t *testing.T) {
	s := newServer(t)
	alice := s.NewPerson("alice@example.com", "Alice")
	direct := s.NewDirectRoom(alice, s.Bot())
	group := s.NewRoom("Project", alice, s.Bot())
	h, err := webexmsg.New(s.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { disconnect(t, h) })
	created := make(chan webexmsg.DecryptedMessage, 10)
	updated := make(chan webexmsg.DecryptedMessage, 10)
	deleted := make(chan webexmsg.DeletedMessage, 10)
	h.OnMessageCreated(func(m webexmsg.DecryptedMessage) { created <- m })
	h.OnMessageUpdated(func(m webexmsg.DecryptedMessage) { updated <- m })
	h.OnMessageDeleted(func(m webexmsg.DeletedMessage) { deleted <- m })
	connect(t, h)

	id := alice.Post(direct, webexmsgtest.Message{Text: "bold ünïcode 🎉", HTML: "<p><b>bold</b> ünïcode 🎉</p>"})
	m := next(t, created)
	if m.ID != id || m.Text != "bold ünïcode 🎉" || m.HTML != "<p><b>bold</b> ünïcode 🎉</p>" || m.RoomID != direct.ID ||
		m.RoomType != webexmsg.RoomDirect || m.PersonID != alice.ID || m.PersonEmail != alice.Email || m.ParentID != "" ||
		m.Created.IsZero() || m.MentionedPeople != nil || m.Files != nil {
		t.Errorf("%+v", m)
	}
	if raw := string(m.Raw); !strings.Contains(raw, `"bold ünïcode 🎉"`) || !strings.Contains(raw, `<b>bold</b>`) || strings.Contains(raw, "eyJ") {
		t.Errorf("Raw is %s", raw)
	}

	alice.Post(direct, webexmsgtest.Message{Text: "reply", ParentID: id})
	if m := next(t, created); m.Text != "reply" || m.ParentID != id || m.HTML != "" {
		t.Errorf("%+v", m)
	}

	alice.Post(group, webexmsgtest.Message{Text: "hello", Mentions: []*webexmsgtest.Person{s.Bot()}})
	if m := next(t, created); m.RoomType != webexmsg.RoomGroup || !slices.Equal(m.MentionedPeople, []string{s.Bot().ID}) {
		t.Errorf("%+v", m)
	}
	alice.Post(group, webexmsgtest.Message{Text: "hello", MentionAll: true})
	if m := next(t, created); !slices.Equal(m.MentionedGroups, []string{"all"}) {
		t.Errorf("%+v", m)
	}

	alice.Post(direct, webexmsgtest.Message{Text: "see attached", Files: []webexmsgtest.File{{Name: "fox.txt", MIMEType: "text/plain", Content: []byte("fox")}}})
	m = next(t, created)
	if m.Text != "see attached" || len(m.Files) != 1 || m.Files[0].Name != "fox.txt" || m.Files[0].MIMEType != "text/plain" || m.Files[0].Size != 3 || m.Files[0].URL == "" {
		t.Errorf("%+v", m)
	}

	for name, edit := range map[string]func(*webexmsgtest.Room, string, webexmsgtest.Message) string{"post": alice.Edit, "update": alice.EditByUpdate} {
		edit(direct, id, text("edited by "+name))
		if m := next(t, updated); m.Text != "edited by "+name || m.ParentID != id {
			t.Errorf("edit by %s: %+v", name, m)
		}
	}
	alice.Delete(direct, id)
	d := next(t, deleted)
	if d.MessageID != id || d.RoomID != direct.ID || d.PersonID != alice.ID || d.PersonEmail != alice.Email || d.RoomType != webexmsg.RoomDirect || d.Deleted.IsZero() || d.ActivityID == "" || d.Raw == nil {
		t.Errorf("%+v", d)
	}
}

func next[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("waited in vain")
		panic("unreachable")
	}
}

func TestHundredMessagesInOrder(t *testing.T) {
	_, alice, room, h, r := world(t)
	connect(t, h)
	var want []string
	for i := range 100 {
		alice.Post(room, text(fmt.Sprint(i)))
		want = append(want, fmt.Sprint("created ", i))
	}
	if got := r.await("created", 100); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestOwnMessagesAreDropped(t *testing.T) {
	for _, include := range []bool{false, true} {
		s, alice, room, h, r := world(t, func(c *webexmsg.Config) { c.IncludeSelfMessages = include })
		connect(t, h)
		s.Bot().Post(room, text("mine"))
		alice.Post(room, text("hers"))
		r.await("created hers", 1)
		want := []string{"created hers"}
		if include {
			want = []string{"created mine", "created hers"}
		}
		if got := r.with("created"); !slices.Equal(got, want) {
			t.Errorf("include %v: %q", include, got)
		}
	}
}

func TestConnectFailsWithoutIdentity(t *testing.T) {
	s, _, _, h, _ := world(t)
	s.Fail(webexmsgtest.PeopleMeEndpoint, -1, 404)
	var api *webexmsg.APIError
	if err := h.Connect(t.Context()); !errors.As(err, &api) || api.StatusCode != 404 || api.TrackingID == "" {
		t.Fatalf("Connect: %v", err)
	}
	if n := len(s.Devices(s.Bot())); n != 0 {
		t.Errorf("%d devices were left behind", n)
	}
	s.Restore(webexmsgtest.PeopleMeEndpoint)
	connect(t, h)
}

func TestWrongToken(t *testing.T) {
	s := newServer(t)
	cfg := s.Config()
	cfg.Token = "wrong-but-secret"
	h, r := newHandler(t, cfg)
	for name, connect := range map[string]func(context.Context) error{"Connect": h.Connect, "Run": h.Run} {
		start := time.Now()
		err := connect(t.Context())
		if !errors.Is(err, webexmsg.ErrUnauthorized) || strings.Contains(err.Error(), cfg.Token) {
			t.Errorf("%s: %v", name, err)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("%s took %v", name, d)
		}
	}
	if st := h.Status(); st.State != webexmsg.StateDisconnected || st.DeviceRegistered || h.Connected() {
		t.Errorf("status %+v", st)
	}
	if lines := r.with("connected", "reconnecting"); lines != nil {
		t.Errorf("events %q", lines)
	}
}

func TestReconnectsAfterTheSocketIsKilled(t *testing.T) {
	s, alice, room, h, r := world(t)
	connect(t, h)
	alice.Post(room, text("before"))
	r.await("created", 1)
	start := time.Now()
	s.DropSockets()
	r.await("connected", 2)
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("back after %v", d)
	}
	alice.Post(room, text("after"))
	r.await("created after", 1)
	lines := r.with("connected", "disconnected", "reconnecting")
	if len(lines) != 4 || !strings.HasPrefix(lines[1], "disconnected ") || lines[2] != "reconnecting 1" || lines[3] != "connected" {
		t.Errorf("events %q", lines)
	}
	if got := r.with("created"); !slices.Equal(got, []string{"created before", "created after"}) {
		t.Errorf("messages %q", got)
	}
	if n := s.Handshakes(); n != 1 {
		t.Errorf("%d handshakes with KMS, want 1: the key is still good", n)
	}
}

// TestCloseCodes goes through the table of codes: which end the connection for
// good, and as what.
func TestCloseCodes(t *testing.T) {
	for _, c := range []struct {
		code   int
		reason string
		final  bool
		is     error
	}{
		{code: 1001, reason: "going away"},
		{code: 1011, reason: "internal"},
		{code: 1000, reason: "idle"},
		{code: 1000, reason: "done (forced)"},
		{code: 1000, reason: "pong not received"},
		{code: 1000, reason: "pong mismatch"},
		{code: 4000, reason: "rebalancing"},
		{code: 4404, reason: "gone"},
		{code: 1050, reason: "done (forced)"},
		{code: 1050, reason: "logout", final: true},
		{code: 1000, reason: "goodbye", final: true},
		{code: 1003, reason: "unsupported", final: true},
		{code: 4000, reason: "replaced", final: true, is: webexmsg.ErrReplaced},
		{code: 4400, reason: "bad request", final: true},
		{code: 4403, reason: "not entitled", final: true},
		{code: 4401, reason: "expired", final: true, is: webexmsg.ErrUnauthorized},
		{code: 1008, reason: "authentication failed", final: true, is: webexmsg.ErrUnauthorized},
	} {
		t.Run(fmt.Sprint(c.code, " ", c.reason), func(t *testing.T) {
			s, _, _, h, r := world(t)
			result := make(chan error, 1)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() { result <- h.Run(ctx) }()
			r.await("connected", 1)
			s.CloseSockets(c.code, c.reason)
			if !c.final {
				r.await("connected", 2)
				cancel()
				if err := <-result; err != nil {
					t.Errorf("Run: %v", err)
				}
				return
			}
			err := next(t, result)
			var ce *webexmsg.CloseError
			if !errors.As(err, &ce) || ce.Code != c.code || ce.Reason != c.reason || c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("Run: %v", err)
			}
			if lines := r.with("disconnected", "reconnecting", "error"); len(lines) != 2 || !strings.Contains(lines[0], c.reason) || lines[1] != "error" {
				t.Errorf("events %q", lines)
			}
			if st := h.Status(); st.State != webexmsg.StateDisconnected || st.LastError == nil {
				t.Errorf("status %+v", st)
			}
		})
	}
}

func TestForgottenDeviceIsReplaced(t *testing.T) {
	s, alice, room, h, r := world(t)
	connect(t, h)
	before := s.Devices(s.Bot())
	s.ForgetDevices()
	s.DropSockets()
	r.await("connected", 2)
	after := s.Devices(s.Bot())
	if len(before) != 1 || len(after) != 1 || before[0].URL == after[0].URL {
		t.Errorf("devices before %v, after %v", before, after)
	}
	alice.Post(room, text("hello"))
	r.await("created hello", 1)
}

func TestGivesUp(t *testing.T) {
	s, _, _, h, r := world(t, func(c *webexmsg.Config) {
		c.MaxReconnectAttempts = 3
		c.ReconnectBackoffMax = time.Millisecond
	})
	result := make(chan error, 1)
	go func() { result <- h.Run(t.Context()) }()
	r.await("connected", 1)
	s.RefuseUpgrades(-1, 503)
	s.DropSockets()
	err := next(t, result)
	var api *webexmsg.APIError
	if !errors.Is(err, webexmsg.ErrGaveUp) || !errors.As(err, &api) || api.StatusCode != 503 {
		t.Errorf("Run: %v", err)
	}
	lines := r.with("disconnected", "reconnecting", "error")
	if len(lines) != 6 || lines[1] != "reconnecting 1" || lines[3] != "reconnecting 3" || !strings.HasPrefix(lines[5], "disconnected ") {
		t.Errorf("events %q", lines)
	}
}

func TestPassingTroubleDoesNotFailConnect(t *testing.T) {
	for _, e := range []webexmsgtest.Endpoint{
		webexmsgtest.CatalogEndpoint, webexmsgtest.RegisterEndpoint, webexmsgtest.PeopleMeEndpoint,
		webexmsgtest.KMSDetailsEndpoint, webexmsgtest.KMSMessagesEndpoint,
	} {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			s, alice, room, h, r := world(t)
			s.Fail(e, 1, 503)
			connect(t, h)
			alice.Post(room, text("hello"))
			r.await("created hello", 1)
		})
	}
}

func TestConnectSaysWhatFailed(t *testing.T) {
	for e, name := range map[webexmsgtest.Endpoint]string{
		webexmsgtest.CatalogEndpoint: "catalog", webexmsgtest.RegisterEndpoint: "registration", webexmsgtest.PeopleMeEndpoint: "identity",
		webexmsgtest.UpgradeEndpoint: "socket", webexmsgtest.KMSDetailsEndpoint: "KMS", webexmsgtest.KMSMessagesEndpoint: "KMS",
	} {
		t.Run(string(e), func(t *testing.T) {
			t.Parallel()
			s, _, _, h, _ := world(t)
			s.Fail(e, -1, 500)
			var api *webexmsg.APIError
			if err := h.Connect(t.Context()); !errors.As(err, &api) || api.StatusCode != 500 || !strings.Contains(err.Error(), name) {
				t.Errorf("Connect: %v", err)
			}
			if len(s.Devices(s.Bot())) != 0 {
				t.Error("a device was left behind")
			}
		})
	}
}

func TestUntrustedKMS(t *testing.T) {
	for name, attack := range map[string]struct {
		set func(*webexmsgtest.Server)
		why string
	}{
		"another key":         {func(s *webexmsgtest.Server) { s.SignWith(webexmsgtest.SignAnotherKey) }, "not by its static key"},
		"none":                {func(s *webexmsgtest.Server) { s.SignWith(webexmsgtest.SignNone) }, "signature"},
		"HMAC":                {func(s *webexmsgtest.Server) { s.SignWith(webexmsgtest.SignHS256) }, "signature"},
		"certificate of host": {func(s *webexmsgtest.Server) { s.KMSCertificateHost("kms.other.example") }, "not of the host"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, alice, room, h, r := world(t)
			attack.set(s)
			err := h.Connect(t.Context())
			if !errors.Is(err, webexmsg.ErrUntrusted) || !strings.Contains(err.Error(), attack.why) {
				t.Errorf("Connect: %v", err)
			}
			s.SignWith(webexmsgtest.SignPS256)
			s.KMSCertificateHost("kms.example.com")
			connect(t, h)
			alice.Post(room, text("hello"))
			r.await("created hello", 1)
		})
	}
}

func TestForeignHostsNeverSeeTheToken(t *testing.T) {
	foreign := newServer(t) // reachable, but not named in AllowedHosts
	for name, point := range map[string]func(s *webexmsgtest.Server){
		"wdm":        func(s *webexmsgtest.Server) { s.Override("wdm", foreign.URL()+"/wdm/api/v1") },
		"encryption": func(s *webexmsgtest.Server) { s.Override("encryption", foreign.URL()+"/encryption/api/v1") },
		"socket": func(s *webexmsgtest.Server) {
			s.SetWebSocketURL("wss" + strings.TrimPrefix(foreign.URL(), "https") + "/mercury")
		},
		"clear text": func(s *webexmsgtest.Server) {
			s.SetWebSocketURL("ws" + strings.TrimPrefix(s.URL(), "https") + "/mercury")
		},
		"file": func(s *webexmsgtest.Server) { s.Override("wdm", "file:///etc") },
	} {
		s, _, _, h, _ := world(t, func(c *webexmsg.Config) { c.AllowedHosts = nil })
		point(s)
		if name == "clear text" {
			s, _, _, h, _ = world(t, func(c *webexmsg.Config) { c.AllowedHosts = []string{"example.com:80"} })
			point(s)
		}
		if err := h.Connect(t.Context()); !errors.Is(err, webexmsg.ErrHostNotAllowed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if reqs := foreign.Requests(); len(reqs) != 0 {
		t.Errorf("the foreign host saw %v", reqs)
	}
}

func TestRedirectsPassTheGate(t *testing.T) {
	foreign := newServer(t)
	s, _, _, h, _ := world(t)
	s.FailWith(webexmsgtest.CatalogEndpoint, -1, 307, http.Header{"Location": {foreign.URL() + "/u2c/api/v1/catalog"}}, "")
	if err := h.Connect(t.Context()); !errors.Is(err, webexmsg.ErrHostNotAllowed) {
		t.Errorf("Connect: %v", err)
	}
	if reqs := foreign.Requests(); len(reqs) != 0 {
		t.Errorf("the foreign host saw %v", reqs)
	}
}

func TestEveryRequestIsTracked(t *testing.T) {
	s, alice, room, h, r := world(t)
	connect(t, h)
	alice.Post(room, text("hello"))
	r.await("created", 1)
	disconnect(t, h)
	seen := make(map[string]bool)
	for _, req := range s.Requests() {
		if !strings.HasPrefix(req.TrackingID, "webexmsg_") || seen[req.TrackingID] || !strings.HasPrefix(req.UserAgent, "webexmsg/") || !req.HasToken {
			t.Errorf("%+v", req)
		}
		seen[req.TrackingID] = true
	}
	if len(seen) < 7 {
		t.Errorf("%d requests in all", len(seen))
	}
	if n := len(s.Devices(s.Bot())); n != 0 {
		t.Errorf("%d devices after Disconnect", n)
	}
}

// TestDefinedAnswers calls methods in every odd order.
func TestDefinedAnswers(t *testing.T) {
	s, alice, room, h, r := world(t)
	if err := h.Disconnect(t.Context()); err != nil {
		t.Errorf("Disconnect before Connect: %v", err)
	}
	if err := h.Reconnect(t.Context(), s.Bot().Token); !errors.Is(err, webexmsg.ErrNotConnected) {
		t.Errorf("Reconnect before Connect: %v", err)
	}
	for range 2 {
		connect(t, h)
		for name, f := range map[string]func(context.Context) error{"Connect": h.Connect, "Run": h.Run} {
			if err := f(t.Context()); !errors.Is(err, webexmsg.ErrAlreadyConnected) {
				t.Errorf("%s while connected: %v", name, err)
			}
		}
		if !h.Connected() {
			t.Error("not connected")
		}
		st := h.Status()
		if st.State != webexmsg.StateConnected || !st.WebSocketOpen || !st.KMSInitialized || !st.DeviceRegistered || st.ReconnectAttempt != 0 || st.LastError != nil {
			t.Errorf("status %+v", st)
		}
		disconnect(t, h)
		disconnect(t, h)
		st = h.Status()
		if st.State != webexmsg.StateDisconnected || st.WebSocketOpen || st.KMSInitialized || st.DeviceRegistered {
			t.Errorf("status %+v", st)
		}
	}
	connect(t, h)
	alice.Post(room, text("the third time"))
	r.await("created the third time", 1)
}

func TestDisconnectEndsConnect(t *testing.T) {
	s, _, _, h, _ := world(t)
	s.Hang(webexmsgtest.RegisterEndpoint, 1)
	result := make(chan error, 1)
	go func() { result <- h.Connect(t.Context()) }()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.WaitCount(ctx, webexmsgtest.RegisterEndpoint, 1); err != nil {
		t.Fatal(err)
	}
	disconnect(t, h)
	if err := next(t, result); !errors.Is(err, webexmsg.ErrClosed) {
		t.Errorf("Connect: %v", err)
	}

	s.Hang(webexmsgtest.RegisterEndpoint, 1)
	ctx, cancel = context.WithCancel(t.Context())
	go func() { result <- h.Connect(ctx) }()
	if err := s.WaitCount(t.Context(), webexmsgtest.RegisterEndpoint, 2); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := next(t, result); !errors.Is(err, context.Canceled) {
		t.Errorf("Connect: %v", err)
	}
}

func TestDisconnectDrainsTheQueue(t *testing.T) {
	s, alice, room, h, r := world(t)
	release := make(chan struct{})
	h.OnMessageCreated(func(webexmsg.DecryptedMessage) { <-release })
	connect(t, h)
	for i := range 10 {
		alice.Post(room, text(fmt.Sprint(i)))
	}
	if err := s.WaitAcked(t.Context()); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { disconnect(t, h); close(done) }()
	close(release)
	next(t, done)
	if got := r.with("created"); len(got) != 10 {
		t.Errorf("%d of 10 were handled: %q", len(got), got)
	}
}

func TestDisconnectGivesUpOnABlockedCallback(t *testing.T) {
	s, alice, room, h, _ := world(t)
	entered, ended := make(chan struct{}), make(chan struct{})
	h.On("message:created", func(ctx context.Context, m webexmsg.DecryptedMessage) {
		close(entered)
		<-ctx.Done()
		close(ended)
	})
	connect(t, h)
	alice.Post(room, text("hello"))
	next(t, entered)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := h.Disconnect(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Disconnect: %v", err)
	}
	next(t, ended)
	if n := len(s.Devices(s.Bot())); n != 0 {
		t.Errorf("%d devices are left", n)
	}
}

// TestDisconnectLeavesNoConnection looks for goroutines of connections while
// the server is still there to hold the other ends.
func TestDisconnectLeavesNoConnection(t *testing.T) {
	_, alice, room, h, r := world(t)
	connect(t, h)
	alice.Post(room, text("hello"))
	r.await("created", 1)
	disconnect(t, h)
	var stacks string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); runtime.Gosched() {
		buf := make([]byte, 1<<20)
		stacks = string(buf[:runtime.Stack(buf, true)])
		if !strings.Contains(stacks, "net/http.(*persistConn)") && !strings.Contains(stacks, "webexmsg.(*") {
			return
		}
	}
	t.Errorf("goroutines are left:\n%s", stacks)
}

func TestDisconnectFromCallbacks(t *testing.T) {
	_, alice, room, h, _ := world(t)
	result := make(chan error, 1)
	h.OnMessageCreated(func(webexmsg.DecryptedMessage) { result <- h.Disconnect(context.Background()) })
	ran := make(chan error, 1)
	go func() { ran <- h.Run(t.Context()) }()
	connected := make(chan struct{}, 1)
	h.OnConnected(func() { connected <- struct{}{} })
	next(t, connected)
	alice.Post(room, text("stop"))
	if err := next(t, result); err != nil {
		t.Errorf("Disconnect: %v", err)
	}
	if err := next(t, ran); !errors.Is(err, webexmsg.ErrClosed) {
		t.Errorf("Run: %v", err)
	}
}

func TestReconnectWithAnotherToken(t *testing.T) {
	s, alice, room, h, r := world(t)
	connect(t, h)
	old := s.Bot().Token
	fresh := s.NewToken(s.Bot())
	if err := h.Reconnect(t.Context(), fresh); err != nil {
		t.Fatal(err)
	}
	alice.Post(room, text("hello"))
	r.await("created hello", 1)
	if n := len(s.Devices(s.Bot())); n != 1 {
		t.Errorf("%d devices", n)
	}
	if err := h.Reconnect(t.Context(), "refused"); !errors.Is(err, webexmsg.ErrUnauthorized) {
		t.Errorf("Reconnect with a bad token: %v", err)
	}
	if h.Connected() {
		t.Error("still connected with a bad token")
	}
	if err := h.Reconnect(t.Context(), old); err != nil {
		t.Errorf("Reconnect after a failure: %v", err)
	}
	if err := h.Reconnect(t.Context(), ""); err == nil {
		t.Error("Reconnect took an empty token")
	}
}

func TestCallbackFailuresBecomeErrors(t *testing.T) {
	_, alice, room, h, r := world(t)
	fault := errors.New("cannot store it")
	h.On("message:created", func(webexmsg.DecryptedMessage) error { return fault })
	h.On("message:created", func(webexmsg.DecryptedMessage) { panic("secret of the message") })
	connect(t, h)
	id := alice.Post(room, text("secret of the message"))
	r.await("error", 2)
	for _, err := range r.errors() {
		var ce *webexmsg.CallbackError
		if !errors.As(err, &ce) || ce.ActivityID != id || ce.Event != "message:created" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		}
		if (ce.Stack != nil) == errors.Is(err, fault) {
			t.Errorf("%v: stack %q", err, ce.Stack)
		}
	}
	alice.Post(room, text("still there"))
	r.await("created still there", 1)
}

func TestCallbacksComeAndGo(t *testing.T) {
	_, alice, room, h, r := world(t)
	var calls []string
	var removeB func()
	h.OnMessageCreated(func(webexmsg.DecryptedMessage) { calls = append(calls, "a") })
	removeB = h.OnMessageCreated(func(webexmsg.DecryptedMessage) {
		calls = append(calls, "b")
		removeB()
	})
	h.On(webexmsg.EventMessageCreated, func(_ context.Context, m webexmsg.DecryptedMessage) error {
		calls = append(calls, "c")
		return nil
	})
	done := make(chan struct{}, 2)
	h.OnMessageCreated(func(webexmsg.DecryptedMessage) { done <- struct{}{} })
	connect(t, h)
	for range 2 {
		alice.Post(room, text("x"))
		next(t, done)
	}
	r.await("created", 2)
	if got := strings.Join(calls, ""); got != "abcac" {
		t.Errorf("called %s", got)
	}
}

func TestOnPanicsAtMistakes(t *testing.T) {
	h, err := webexmsg.New(webexmsg.Config{Token: "x"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		event string
		fn    any
		says  []string
	}{
		"no such event": {"message:exploded", func() {}, []string{"message:exploded"}},
		"other payload": {"message:created", func(string) {}, []string{"func(webexmsg.DecryptedMessage)", "func(string)"}},
		"pointer":       {"message:created", func(*webexmsg.DecryptedMessage) {}, []string{"func(*webexmsg.DecryptedMessage)"}},
		"nil":           {"message:created", (func(webexmsg.DecryptedMessage))(nil), []string{"nil"}},
		"no function":   {"error", 7, []string{"func(error)", "int"}},
		"bare":          {"message:created", func() {}, []string{"func()"}},
		"connected":     {"connected", func(string) {}, []string{"func()", "func(string)"}},
	} {
		func() {
			defer func() {
				said := fmt.Sprint(recover())
				for _, s := range c.says {
					if !strings.Contains(said, s) {
						t.Errorf("%s: the panic says %q, not %q", name, said, s)
					}
				}
			}()
			h.On(c.event, c.fn)
			t.Errorf("%s: no panic", name)
		}()
	}
	h.On("connected", func(context.Context) error { return nil })
}

func TestNewReportsEveryInvalidField(t *testing.T) {
	_, err := webexmsg.New(webexmsg.Config{
		PingInterval: -1, PongTimeout: -1, ReconnectBackoffMax: -1, Concurrency: -1, QueueSize: -1,
		AllowedHosts: []string{"fine.example", "https://not.fine"},
		Endpoints:    webexmsg.Endpoints{Catalog: "u2c.example", API: "https://me:pass@api.example"},
	})
	if err == nil {
		t.Fatal("accepted")
	}
	for _, field := range []string{
		"Token", "PingInterval", "PongTimeout", "ReconnectBackoffMax", "Concurrency", "QueueSize", "AllowedHosts[1]", "Endpoints.Catalog", "Endpoints.API",
	} {
		if !strings.Contains(err.Error(), "Config."+field+" ") {
			t.Errorf("does not name %s: %v", field, err)
		}
	}
	for _, token := range []string{"Bearer x", "x\n", "\"x y\""} {
		if _, err := webexmsg.New(webexmsg.Config{Token: token}); err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("token %q: %v", token, err)
		}
	}
	if _, err := webexmsg.New(webexmsg.Config{Token: "x", Endpoints: webexmsg.Endpoints{API: "http://api.example"}}); !errors.Is(err, webexmsg.ErrHostNotAllowed) {
		t.Errorf("an endpoint in clear: %v", err)
	}
	if _, err := webexmsg.New(webexmsg.Config{Token: "x", Endpoints: webexmsg.FedRAMP}); err != nil {
		t.Error(err)
	}
}

func TestUndecryptable(t *testing.T) {
	s, alice, room, h, r := world(t)
	connect(t, h)
	s.CorruptJWE(1)
	id := alice.Post(room, text("damaged"))
	r.await("error", 1)
	var de *webexmsg.DecryptError
	if err := r.errors()[0]; !errors.As(err, &de) || de.ActivityID != id || de.RoomID != room.ID {
		t.Errorf("error %v", err)
	}

	refused := s.RotateKey(room)
	s.RefuseKey(refused, 403, "not a member")
	id = alice.Post(room, text("refused"))
	r.await("error", 2)
	var ke *webexmsg.KMSError
	if err := r.errors()[1]; !errors.As(err, &de) || de.ActivityID != id || !errors.As(err, &ke) || ke.Status != 403 {
		t.Errorf("error %v", err)
	}
	s.RotateKey(room)
	alice.Post(room, text("fine"))
	r.await("created fine", 1)
	if got := r.with("created"); len(got) != 1 {
		t.Errorf("messages %q", got)
	}
}

// TestKMSAnswersInAnyShape has answers come late, twice, in any order, several
// in a frame, and for somebody else.
func TestKMSAnswersInAnyShape(t *testing.T) {
	s := newServer(t)
	alice := s.NewPerson("alice@example.com", "Alice")
	h, r := newHandler(t, s.Config())
	connect(t, h)
	s.StrangerKMS(3)
	s.DuplicateKMS(5)
	s.ReorderKMS(10)
	s.BatchKMS(5)
	const rooms = 20
	for i := range rooms {
		alice.Post(s.NewDirectRoom(alice, s.Bot()), text(fmt.Sprint("hello ", i)))
	}
	if got := r.await("created", rooms); len(got) != rooms {
		t.Errorf("messages %q", got)
	}
	if errs := r.errors(); len(errs) != 0 {
		t.Errorf("errors %v", errs)
	}
}

func TestOneRequestAKey(t *testing.T) {
	s, alice, room, h, r := world(t)
	connect(t, h)
	s.DelayKMS(50 * time.Millisecond)
	for i := range 30 {
		alice.Post(room, text(fmt.Sprint(i)))
	}
	r.await("created", 30)
	if n := s.KMSRequests(); n != 2 {
		t.Errorf("%d requests to KMS, want the handshake and one key", n)
	}
}

func TestDuplicateFrames(t *testing.T) {
	s, alice, room, h, r := world(t)
	connect(t, h)
	s.DuplicateFrames(5)
	for i := range 6 {
		alice.Post(room, text(fmt.Sprint(i)))
	}
	r.await("created 5", 1)
	if got := r.with("created"); len(got) != 6 {
		t.Errorf("messages %q", got)
	}
}

func TestProxyAndTLSOfTheClientAreUsed(t *testing.T) {
	s, alice, room, _, _ := world(t)
	var mu sync.Mutex
	var paths []string
	cfg := s.Config()
	inner := cfg.HTTPClient.Transport
	cfg.HTTPClient = &http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		mu.Lock()
		paths = append(paths, req.URL.Path)
		mu.Unlock()
		return inner.RoundTrip(req)
	})}
	h, r := newHandler(t, cfg)
	connect(t, h)
	alice.Post(room, text("hello"))
	r.await("created", 1)
	disconnect(t, h)
	mu.Lock()
	defer mu.Unlock()
	if len(paths) != len(s.Requests()) {
		t.Errorf("%d requests went through the client, the server saw %d", len(paths), len(s.Requests()))
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// TestDiscoveryFallsBack has U2C fail, for which commercial Webex alone has a
// substitute.
func TestDiscoveryFallsBack(t *testing.T) {
	for _, c := range []struct {
		endpoints webexmsg.Endpoints
		status    int
		falls     bool
	}{
		{webexmsg.Endpoints{}, 503, true},
		{webexmsg.Endpoints{}, 0, true},
		{webexmsg.Endpoints{}, 401, false},
		{webexmsg.Endpoints{}, 404, false},
		{webexmsg.FedRAMP, 503, false},
	} {
		var mu sync.Mutex
		asked := make(map[string]bool)
		cfg := webexmsg.Config{Token: "x", Endpoints: c.endpoints, HTTPClient: &http.Client{
			Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
				mu.Lock()
				asked[req.URL.Host] = true
				mu.Unlock()
				status, body := http.StatusForbidden, "{}"
				if strings.HasSuffix(req.URL.Path, "/people/me") {
					status, body = http.StatusOK, `{"id":"Y2lzY29zcGFyazovL3VzL1BFT1BMRS9ib3Q","type":"bot"}`
				}
				if strings.HasPrefix(req.URL.Host, "u2c.") {
					if status = c.status; status == 0 {
						return nil, errors.New("no route to host")
					}
				}
				return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body)), Request: req}, nil
			}),
		}}
		h, _ := newHandler(t, cfg)
		if err := h.Connect(t.Context()); err == nil {
			t.Error("connected")
		}
		if mu.Lock(); asked["wdm-a.wbx2.com"] != c.falls {
			t.Errorf("%v, status %d: asked %v", c.endpoints, c.status, asked)
		}
		mu.Unlock()
	}
}
