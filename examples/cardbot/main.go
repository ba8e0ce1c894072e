// Cardbot answers every message with an Adaptive Card, and thanks whoever
// submits one.
//
//	go run ./examples/cardbot                              # in a simulated Webex
//	WEBEX_BOT_TOKEN=... go run ./examples/cardbot          # in the real one
//
// In the simulated Webex, Alice asks for a card and submits it.
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

// order is the card. What its inputs are called, and the data of its action,
// come back in AttachmentAction.Inputs.
const order = `{
	"type": "AdaptiveCard",
	"version": "1.3",
	"body": [
		{"type": "TextBlock", "text": "What may it be?"},
		{"type": "Input.Text", "id": "dish", "placeholder": "A dish"},
		{"type": "Input.Number", "id": "portions", "value": 1}
	],
	"actions": [{"type": "Action.Submit", "title": "Order", "data": {"menu": {"id": 20261123000000000001}}}]
}`

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
	h, err := newCardbot(webexmsg.Config{
		Token:      token,
		HTTPClient: http.DefaultClient,
		Endpoints:  webexmsg.Endpoints{API: "https://webexapis.com/v1"},
	})
	if err != nil {
		return err
	}
	return h.Run(ctx)
}

func newCardbot(cfg webexmsg.Config) (*webexmsg.Handler, error) {
	h, err := webexmsg.New(cfg)
	if err != nil {
		return nil, err
	}
	var guard webexmsg.LoopGuard
	h.On(webexmsg.EventMessageCreated, func(ctx context.Context, m webexmsg.DecryptedMessage) error {
		if !guard.Allow(m.RoomID) {
			return nil
		}
		return post(ctx, cfg, map[string]any{
			"roomId": m.RoomRESTID(),
			"text":   "A card, for those who cannot see it.",
			"attachments": []any{map[string]any{
				"contentType": "application/vnd.microsoft.card.adaptive",
				"content":     json.RawMessage(order),
			}},
		})
	})
	h.On(webexmsg.EventAttachmentActionCreated, func(ctx context.Context, a webexmsg.AttachmentAction) error {
		// Anybody can submit anything: nothing says that it fits the card.
		dish, ok := a.Inputs["dish"].(string)
		if !ok || dish == "" {
			return nil
		}
		inputs, err := json.Marshal(a.Inputs)
		if err != nil {
			return err
		}
		fmt.Printf("bot: %s submitted %s\n", a.PersonEmail, inputs)
		return post(ctx, cfg, map[string]any{
			"roomId":   a.RoomRESTID(),
			"parentId": a.MessageRESTID(),
			"text":     "Thank you, " + a.PersonDisplayName + ": " + dish + " it is.",
		})
	})
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

// simulate runs the bot in a Webex of its own, in which Alice fills in a card.
func simulate(ctx context.Context) error {
	cloud := webexmsgtest.NewServer()
	defer cloud.Close()
	alice := cloud.NewPerson("alice@example.com", "Alice")
	room := cloud.NewDirectRoom(alice, cloud.Bot())

	bot, err := newCardbot(cloud.Config())
	if err != nil {
		return err
	}
	ears, err := webexmsg.New(cloud.ConfigFor(alice))
	if err != nil {
		return err
	}
	done := make(chan struct{})
	ears.OnMessageCreated(func(m webexmsg.DecryptedMessage) {
		if len(m.Cards) == 0 {
			fmt.Printf("%s: %s\n", m.PersonEmail, m.Text)
			close(done)
			return
		}
		fmt.Printf("%s: a card of %d bytes; Alice submits it\n", m.PersonEmail, len(m.Cards[0]))
		alice.SubmitCard(room, m.ID, json.RawMessage(`{"dish":"soup","portions":2,"menu":{"id":20261123000000000001}}`))
	})
	if err := errors.Join(bot.Connect(ctx), ears.Connect(ctx)); err != nil {
		return err
	}
	fmt.Println("Alice: I am hungry")
	alice.Post(room, webexmsgtest.Message{Text: "I am hungry"})
	select {
	case <-done:
	case <-ctx.Done():
	}
	end := context.WithoutCancel(ctx)
	return errors.Join(bot.Disconnect(end), ears.Disconnect(end))
}
