// Echobot answers every message, in its thread, with what it said.
//
//	go run ./examples/echobot                              # in a simulated Webex
//	WEBEX_BOT_TOKEN=... go run ./examples/echobot          # in the real one
//
// It receives through webexmsg, and answers through the REST API with ids that
// the message itself has. In the simulated Webex, Alice talks to it and prints
// what she hears.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/webexmsg/webexmsg"
	"github.com/webexmsg/webexmsg/webexmsgtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if token := os.Getenv("WEBEX_BOT_TOKEN"); token != "" {
		err = run(ctx, token)
	} else {
		fmt.Println("WEBEX_BOT_TOKEN is not set: starting a simulated Webex.")
		err = simulate(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, token string) error {
	h, err := newEchobot(webexmsg.Config{
		Token:      token,
		HTTPClient: http.DefaultClient,
		Endpoints:  webexmsg.Endpoints{API: "https://webexapis.com/v1"},
	})
	if err != nil {
		return err
	}
	return h.Run(ctx)
}

func newEchobot(cfg webexmsg.Config) (*webexmsg.Handler, error) {
	h, err := webexmsg.New(cfg)
	if err != nil {
		return nil, err
	}
	var guard webexmsg.LoopGuard
	h.On(webexmsg.EventMessageCreated, func(ctx context.Context, m webexmsg.DecryptedMessage) error {
		if m.Text == "" {
			return nil // files without a word
		}
		if !guard.Allow(m.RoomID) {
			fmt.Println("bot: too much is said here, holding back")
			return nil
		}
		thread := m.ParentRESTID()
		if thread == "" {
			thread = m.RESTID() // the first answer makes a thread of a message
		}
		return post(ctx, cfg, map[string]any{"roomId": m.RoomRESTID(), "parentId": thread, "text": "You said: " + m.Text})
	})
	// What a callback returns comes here, with all else that goes wrong.
	h.OnError(func(err error) { fmt.Fprintln(os.Stderr, "error:", err) })
	return h, nil
}

// post posts a message through the REST API.
func post(ctx context.Context, cfg webexmsg.Config, message map[string]any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, cfg.Endpoints.API+"/messages", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+cfg.Token)
	req.Header.Set("Content-Type", "application/json")
	res, err := cfg.HTTPClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("posting: %s (tracking id %s)", res.Status, res.Header.Get("TrackingID"))
	}
	return nil
}

// simulate runs the bot in a Webex of its own, in which Alice talks to it.
func simulate(ctx context.Context) error {
	cloud := webexmsgtest.NewServer()
	defer cloud.Close()
	alice := cloud.NewPerson("alice@example.com", "Alice")
	direct := cloud.NewDirectRoom(alice, cloud.Bot())
	group := cloud.NewRoom("Project", alice, cloud.Bot())

	bot, err := newEchobot(cloud.Config())
	if err != nil {
		return err
	}
	// Alice hears with webexmsg too.
	ears, err := webexmsg.New(cloud.ConfigFor(alice))
	if err != nil {
		return err
	}
	answers := make(chan webexmsg.DecryptedMessage)
	ears.On(webexmsg.EventMessageCreated, func(ctx context.Context, m webexmsg.DecryptedMessage) {
		select {
		case answers <- m:
		case <-ctx.Done():
		}
	})
	if err := errors.Join(bot.Connect(ctx), ears.Connect(ctx)); err != nil {
		return err
	}

	say := func(room *webexmsgtest.Room, m webexmsgtest.Message) string {
		fmt.Printf("Alice (%s): %s\n", name(room), m.Text)
		return alice.Post(room, m)
	}
	first := say(direct, webexmsgtest.Message{Text: "Hello, bot"})
	for n := range 3 {
		select {
		case m := <-answers:
			fmt.Printf("  %s, in the thread of %s: %s\n", m.PersonEmail, m.ParentID, m.Text)
		case <-ctx.Done():
			return nil
		}
		switch n {
		case 0:
			say(direct, webexmsgtest.Message{Text: "This is in the thread", ParentID: first})
		case 1:
			say(group, webexmsgtest.Message{Text: "and this is in a group", Mentions: []*webexmsgtest.Person{cloud.Bot()}})
		}
	}
	end := context.WithoutCancel(ctx)
	return errors.Join(bot.Disconnect(end), ears.Disconnect(end))
}

func name(r *webexmsgtest.Room) string {
	if r.Direct {
		return "direct"
	}
	return r.Title()
}
