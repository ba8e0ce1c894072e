package webexmsg_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/webexmsg/webexmsg"
	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// childEnv makes the test binary a bot that prints what it hears: see TestMain.
const childEnv = "WEBEXMSG_TEST_CHILD"

// child is what the bot in a process of its own needs to know.
type child struct {
	Token, Catalog, API, Host string
	CA                        []byte
	Checkpoint                string // its file; "" for none
	Quiet                     bool   // print usage at every 1,000th message, not each message
}

// runChild is the bot. It prints a line for each message and then lets the
// Handler know that it was handled.
func runChild(config string) int {
	var c child
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(c.CA)
	cfg := webexmsg.Config{
		Token: c.Token, Endpoints: webexmsg.Endpoints{Catalog: c.Catalog, API: c.API}, AllowedHosts: []string{c.Host},
		HTTPClient: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}},
	}
	if c.Checkpoint != "" {
		cfg.Checkpoint = webexmsg.FileCheckpoint(c.Checkpoint)
	}
	h, err := webexmsg.New(cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var heard atomic.Int64
	h.OnMessageCreated(func(m webexmsg.DecryptedMessage) {
		switch n := heard.Add(1); {
		case !c.Quiet:
			fmt.Println(m.Text)
		case n%1000 == 0:
			fmt.Println(n, cpuTime().Microseconds(), residentKiB())
		}
	})
	h.OnConnected(func() { fmt.Println("connected") })
	fmt.Fprintln(os.Stderr, h.Run(context.Background()))
	return 1
}

// newChild is the configuration of a bot on s.
func newChild(s *webexmsgtest.Server) child {
	cfg := s.Config()
	return child{Token: cfg.Token, Catalog: cfg.Endpoints.Catalog, API: cfg.Endpoints.API, Host: cfg.AllowedHosts[0], CA: s.CAPEM()}
}

func startChild(t testing.TB, c child) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	config, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(config))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewScanner(out)
}

// TestKilledAndStartedAgain kills a bot at random points of a stream and starts
// it again: nothing is missing, nothing is out of order, and only what was
// handled in the last moments before a kill comes twice.
func TestKilledAndStartedAgain(t *testing.T) {
	const messages, kills = 300, 5
	s := newServer(t)
	alice := s.NewPerson("alice@example.com", "Alice")
	room := s.NewDirectRoom(alice, s.Bot())
	c := newChild(s)
	c.Checkpoint = filepath.Join(t.TempDir(), "cursor.json")

	// The first start makes the checkpoint: what is posted from then on counts.
	cmd, out := startChild(t, c)
	for out.Scan() && out.Text() != "connected" {
	}
	for {
		if _, err := os.Stat(c.Checkpoint); err == nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	var posting sync.WaitGroup
	posting.Go(func() {
		for i := range messages {
			alice.Post(room, text(fmt.Sprint(i)))
			time.Sleep(10 * time.Millisecond)
		}
	})

	var heard []string
	seen := make(map[string]bool)
	for killed := 0; len(seen) < messages; {
		killAfter := 10 + rand.IntN(40)
		timeout := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		lines := 0
		for len(seen) < messages && (killed == kills || lines < killAfter) && out.Scan() {
			if line := out.Text(); line != "connected" {
				heard = append(heard, line)
				seen[line] = true
				lines++
			}
		}
		if !timeout.Stop() {
			t.Fatalf("only %d of %d messages were heard", len(seen), messages)
		}
		cmd.Process.Kill()
		for out.Scan() { // what it had said before it died
			if line := out.Text(); line != "connected" {
				heard = append(heard, line)
				seen[line] = true
			}
		}
		cmd.Wait()
		if len(seen) < messages {
			killed++
			cmd, out = startChild(t, c)
		}
	}
	posting.Wait()

	next, again := 0, 0
	for _, line := range heard {
		var n int
		fmt.Sscan(line, &n)
		switch {
		case n == next:
			next++
		case n < next:
			again++
		default:
			t.Fatalf("heard %d when %d was next", n, next)
		}
	}
	// 250 ms between two saves are 25 messages here.
	if again > kills*60 {
		t.Errorf("%d messages came again after %d kills", again, kills)
	}
	t.Logf("%d messages came again after %d kills", again, kills)
	if n := len(s.Devices(s.Bot())); n != 1 {
		t.Errorf("%d devices: a start did not take up the one of the last", n)
	}
}

// memoryCheckpoint keeps the cursor in memory, and can fail.
type memoryCheckpoint struct {
	mu     sync.Mutex
	cursor webexmsg.Cursor
	load   error
	save   error
}

func (m *memoryCheckpoint) Load(context.Context) (webexmsg.Cursor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cursor, m.load
}

func (m *memoryCheckpoint) Save(_ context.Context, c webexmsg.Cursor) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.save == nil {
		m.cursor = c
	}
	return m.save
}

// TestRestart stops cleanly and goes on in another Handler: what came between
// arrives once, and nothing comes again.
func TestRestart(t *testing.T) {
	s := newServer(t)
	alice := s.NewPerson("alice@example.com", "Alice")
	room := s.NewDirectRoom(alice, s.Bot())
	cfg := s.Config()
	cfg.Checkpoint = &memoryCheckpoint{}
	first, r1 := newHandler(t, cfg)
	connect(t, first)
	alice.Post(room, text("1"))
	r1.await("created 1", 1)
	disconnect(t, first)
	devices := s.Devices(s.Bot())
	if len(devices) != 1 {
		t.Fatalf("%d devices: with a checkpoint Disconnect leaves its own", len(devices))
	}
	alice.Post(room, text("2"))

	second, r2 := newHandler(t, cfg)
	connect(t, second)
	alice.Post(room, text("3"))
	if got := r2.await("created", 2); !slices.Equal(got, []string{"created 2", "created 3"}) {
		t.Errorf("messages %q", got)
	}
	if after := s.Devices(s.Bot()); len(after) != 1 || after[0].URL != devices[0].URL {
		t.Errorf("devices %v, before %v", after, devices)
	}
	disconnect(t, second)
	s.ForgetDevices()
	alice.Post(room, text("4"))
	third, r3 := newHandler(t, cfg)
	connect(t, third)
	r3.await("created 4", 1)
	if got := r3.with("created"); len(got) != 1 {
		t.Errorf("messages %q", got)
	}
}

// TestCursorWaitsForTheEarliest has a later activity handled before an earlier
// one: a restart gets the earlier one, and the later not again.
func TestCursorWaitsForTheEarliest(t *testing.T) {
	s := newServer(t)
	alice := s.NewPerson("alice@example.com", "Alice")
	slow, fast := s.NewDirectRoom(alice, s.Bot()), s.NewDirectRoom(alice, s.Bot())
	cfg := s.Config()
	cfg.Checkpoint = &memoryCheckpoint{}
	first, r1 := newHandler(t, cfg)
	entered := make(chan struct{})
	first.On("message:created", func(ctx context.Context, m webexmsg.DecryptedMessage) {
		if m.RoomID == slow.ID {
			close(entered)
			<-ctx.Done()
			panic("killed")
		}
	})
	connect(t, first)
	alice.Post(slow, text("slow"))
	next(t, entered)
	alice.Post(fast, text("fast"))
	r1.await("created fast", 1)
	var cursor webexmsg.Cursor
	for deadline := time.Now().Add(patience); len(cursor.Handled) == 0; time.Sleep(time.Millisecond) {
		cursor, _ = cfg.Checkpoint.Load(t.Context())
		if time.Now().After(deadline) {
			t.Fatal("the cursor was not saved")
		}
	}
	saved := &memoryCheckpoint{cursor: cursor} // as it was when the process died
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := first.Disconnect(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Disconnect: %v", err)
	}

	cfg.Checkpoint = saved
	second, r2 := newHandler(t, cfg)
	connect(t, second)
	r2.await("created slow", 1)
	if got := r2.with("created"); len(got) != 1 {
		t.Errorf("messages %q", got)
	}
}

func TestCheckpointThatFails(t *testing.T) {
	fault := errors.New("no disk")
	s, _, _, h, _ := world(t, func(c *webexmsg.Config) { c.Checkpoint = &memoryCheckpoint{load: fault} })
	if err := h.Connect(t.Context()); !errors.Is(err, fault) {
		t.Errorf("Connect: %v", err)
	}
	if len(s.Devices(s.Bot())) != 0 {
		t.Error("a device was left behind")
	}
	_, alice, room, h, r := world(t, func(c *webexmsg.Config) { c.Checkpoint = &memoryCheckpoint{save: fault} })
	connect(t, h)
	r.await("error", 1)
	if err := r.errors()[0]; !errors.Is(err, fault) {
		t.Errorf("error %v", err)
	}
	alice.Post(room, text("hello"))
	r.await("created hello", 1)
}

func TestFileCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cursor.json")
	c := webexmsg.FileCheckpoint(path)
	if got, err := c.Load(t.Context()); err != nil || got.Device != "" {
		t.Errorf("Load of no file: %+v, %v", got, err)
	}
	want := webexmsg.Cursor{Device: "https://wdm.example/devices/1", Since: time.Unix(1, 2).UTC(), Handled: []string{"a", "b"}}
	for range 2 {
		if err := c.Save(t.Context(), want); err != nil {
			t.Fatal(err)
		}
	}
	got, err := c.Load(t.Context())
	if err != nil || got.Device != want.Device || !got.Since.Equal(want.Since) || !slices.Equal(got.Handled, want.Handled) {
		t.Errorf("Load: %+v, %v", got, err)
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("files left behind: %v", entries)
	}
	if err := os.WriteFile(path, []byte("half a cur"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Load(t.Context()); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Load of a broken file: %v", err)
	}
	if err := webexmsg.FileCheckpoint(filepath.Join(path, "not", "there")).Save(t.Context(), want); err == nil {
		t.Error("Save where no file can be")
	}
}
