// Filebot saves the files that are shared with it.
//
//	go run ./examples/filebot [DIRECTORY]                     # in a simulated Webex
//	WEBEX_BOT_TOKEN=... go run ./examples/filebot [DIRECTORY] # in the real one
//
// The directory is a new temporary one if none is given. In the simulated
// Webex, Alice shares two files.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/webexmsg/webexmsg"
	"github.com/webexmsg/webexmsg/webexmsgtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var dir string
	var err error
	if len(os.Args) > 1 {
		dir = os.Args[1]
	} else if dir, err = os.MkdirTemp("", "filebot-"); err != nil {
		return err
	}
	fmt.Println("saving to", dir)
	token := os.Getenv("WEBEX_BOT_TOKEN")
	if token == "" {
		fmt.Println("WEBEX_BOT_TOKEN is not set: starting a simulated Webex.")
		return simulate(ctx, dir)
	}
	h, err := newFilebot(webexmsg.Config{Token: token}, dir)
	if err != nil {
		return err
	}
	return h.Run(ctx)
}

func newFilebot(cfg webexmsg.Config, dir string) (*webexmsg.Handler, error) {
	h, err := webexmsg.New(cfg)
	if err != nil {
		return nil, err
	}
	h.On(webexmsg.EventMessageCreated, func(ctx context.Context, m webexmsg.DecryptedMessage) error {
		for i, f := range m.Files {
			path := filepath.Join(dir, fmt.Sprintf("%s-%d-%s", m.ID, i, safe(f.Name)))
			if err := save(ctx, h, f, path); err != nil {
				return fmt.Errorf("file %d: %w", i, err)
			}
			fmt.Printf("%s shared %s (%s, %d bytes)\n", m.PersonEmail, filepath.Base(path), f.MIMEType, f.Size)
		}
		return nil
	})
	h.OnError(func(err error) { fmt.Fprintln(os.Stderr, "error:", err) })
	return h, nil
}

// save writes a file under a temporary name, and gives it its own when all of
// it is there and has proved authentic: when io.Copy has met io.EOF.
func save(ctx context.Context, h *webexmsg.Handler, f webexmsg.File, path string) error {
	src, err := h.OpenFile(ctx, f)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.CreateTemp(filepath.Dir(path), ".download-")
	if err != nil {
		return err
	}
	defer os.Remove(dst.Name()) // of no effect on what has been renamed
	_, err = io.Copy(dst, src)
	if cerr := dst.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(dst.Name(), path)
}

// safe makes a file name of what somebody else calls a file.
func safe(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
	if len(name) > 100 { // bytes, of the 255 that most systems allow
		name = strings.ToValidUTF8(name[len(name)-100:], "")
	}
	return name
}

// simulate runs the bot in a Webex of its own, in which Alice shares files.
func simulate(ctx context.Context, dir string) error {
	cloud := webexmsgtest.NewServer()
	defer cloud.Close()
	h, err := newFilebot(cloud.Config(), dir)
	if err != nil {
		return err
	}
	alice := cloud.NewPerson("alice@example.com", "Alice")
	room := cloud.NewDirectRoom(alice, cloud.Bot())
	if err := h.Connect(ctx); err != nil {
		return err
	}
	alice.Post(room, webexmsgtest.Message{Text: "The minutes", Files: []webexmsgtest.File{
		{Name: "minutes.txt", MIMEType: "text/plain", Content: []byte("Nothing was decided.\n")},
		{Name: "../../etc/passwd", Content: make([]byte, 3<<20)},
	}})
	if err := cloud.WaitAcked(ctx); err != nil {
		return err
	}
	// What has arrived is still handled: Disconnect waits for it.
	return h.Disconnect(context.WithoutCancel(ctx))
}
