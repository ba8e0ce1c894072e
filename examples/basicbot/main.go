// Basicbot prints everything that reaches a Webex bot.
//
//	go run ./examples/basicbot                              # in a simulated Webex
//	WEBEX_BOT_TOKEN=... go run ./examples/basicbot          # in the real one
//
// In the simulated Webex, a person posts some messages, and then whatever you
// type if standard input is a terminal. Ctrl-C disconnects.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/webexmsg/webexmsg"
	"github.com/webexmsg/webexmsg/webexmsgtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if token := os.Getenv("WEBEX_BOT_TOKEN"); token != "" {
		err = run(ctx, webexmsg.Config{Token: token})
	} else {
		fmt.Println("WEBEX_BOT_TOKEN is not set: starting a simulated Webex.")
		err = simulate(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run prints what the bot of cfg hears until ctx ends.
func run(ctx context.Context, cfg webexmsg.Config) error {
	h, err := newPrinter(cfg)
	if err != nil {
		return err
	}
	return h.Run(ctx)
}

func newPrinter(cfg webexmsg.Config) (*webexmsg.Handler, error) {
	cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	h, err := webexmsg.New(cfg)
	if err != nil {
		return nil, err
	}
	h.OnConnected(func() { fmt.Println("connected") })
	h.OnDisconnected(func(reason string) { fmt.Println("disconnected:", reason) })
	h.OnReconnecting(func(attempt int) { fmt.Println("reconnecting, attempt", attempt) })
	h.OnError(func(err error) { fmt.Println("error:", err) })
	h.OnMessageCreated(func(m webexmsg.DecryptedMessage) { printMessage("message:created", m) })
	h.OnMessageUpdated(func(m webexmsg.DecryptedMessage) { printMessage("message:updated", m) })
	h.OnMessageDeleted(func(m webexmsg.DeletedMessage) {
		fmt.Printf("message:deleted [%s, %s] message %s\n", m.PersonEmail, m.RoomType, m.MessageID)
	})
	h.OnAttachmentActionCreated(func(a webexmsg.AttachmentAction) {
		fmt.Printf("attachmentAction:created [%s, %s] %v, of the card in message %s\n", a.PersonEmail, a.RoomType, a.Inputs, a.MessageID)
	})
	for _, event := range []string{
		webexmsg.EventMembershipCreated, webexmsg.EventMembershipUpdated, webexmsg.EventMembershipDeleted, webexmsg.EventMembershipSeen,
	} {
		h.On(event, func(m webexmsg.MembershipActivity) {
			fmt.Printf("%s [%s, %s] %s: person %s\n", event, m.ActorEmail, m.RoomType, m.Action, m.PersonID)
		})
	}
	for _, event := range []string{webexmsg.EventRoomCreated, webexmsg.EventRoomUpdated} {
		h.On(event, func(r webexmsg.RoomActivity) {
			fmt.Printf("%s [%s, %s] %s %q\n", event, r.ActorEmail, r.RoomType, r.Action, r.Title)
		})
	}
	for _, event := range []string{webexmsg.EventReactionCreated, webexmsg.EventReactionDeleted} {
		h.On(event, func(r webexmsg.ReactionActivity) {
			fmt.Printf("%s [%s, %s] %q to message %s\n", event, r.PersonEmail, r.RoomType, r.Name, r.MessageID)
		})
	}
	h.OnReactionUpdated(func(r webexmsg.ReactionTally) {
		fmt.Printf("reaction:updated [%s] message %s has %v\n", r.RoomType, r.MessageID, r.Counts)
	})
	h.OnActivity(func(a webexmsg.Activity) {
		fmt.Printf("activity [%s, %s] %s %s\n", a.ActorEmail, a.RoomType, a.Verb, a.ObjectType)
	})
	return h, nil
}

func printMessage(event string, m webexmsg.DecryptedMessage) {
	fmt.Printf("%s [%s, %s] %s\n", event, m.PersonEmail, m.RoomType, m.Text)
	if m.HTML != "" {
		fmt.Println("  html:", m.HTML)
	}
	if m.ParentID != "" {
		fmt.Println("  of message:", m.ParentID)
	}
	if len(m.MentionedPeople)+len(m.MentionedGroups) > 0 {
		fmt.Println("  mentions:", strings.Join(append(m.MentionedPeople, m.MentionedGroups...), ", "))
	}
	for _, f := range m.Files {
		fmt.Printf("  file: %s (%s, %d bytes)\n", f.Name, f.MIMEType, f.Size)
	}
	for _, l := range m.Links {
		fmt.Printf("  link: %s (%s)\n", l.URL, l.Title)
	}
	for _, c := range m.Cards {
		fmt.Printf("  card: %s\n", c)
	}
}

// simulate runs the bot in a Webex of its own, in which Alice talks to it.
func simulate(ctx context.Context) error {
	cloud := webexmsgtest.NewServer()
	defer cloud.Close()
	h, err := newPrinter(cloud.Config())
	if err != nil {
		return err
	}
	alice := cloud.NewPerson("alice@example.com", "Alice")
	room := cloud.NewDirectRoom(alice, cloud.Bot())
	group := cloud.NewRoom("Project", alice, cloud.Bot())
	if err := h.Connect(ctx); err != nil {
		return err
	}

	hello := alice.Post(room, webexmsgtest.Message{Text: "Hello, bot"})
	alice.Post(room, webexmsgtest.Message{Text: "in bold and in color", HTML: "<p>in <b>bold</b> and in <i>color</i></p>"})
	alice.Post(group, webexmsgtest.Message{Text: "are you there?", Mentions: []*webexmsgtest.Person{cloud.Bot()}})
	alice.Post(room, webexmsgtest.Message{Text: "this is in a thread", ParentID: hello})
	alice.Edit(room, hello, webexmsgtest.Message{Text: "Hello, dear bot"})
	alice.Unreact(room, alice.React(room, hello, "heart"))
	alice.MarkRead(room, hello)
	alice.Post(room, webexmsgtest.Message{Text: "see attached", Files: []webexmsgtest.File{{Name: "notes.txt", MIMEType: "text/plain", Content: []byte("notes")}}})
	card := alice.Post(room, webexmsgtest.Message{Text: "a card", Cards: []any{map[string]any{"type": "AdaptiveCard", "version": "1.3"}}})
	alice.SubmitCard(room, card, map[string]any{"answer": 42})
	alice.Rename(group, "Project X")
	alice.SetModerator(group, cloud.Bot(), true)
	alice.Leave(cloud.NewRoom("Short-lived", alice, cloud.Bot()))
	alice.Delete(room, hello)

	if info, err := os.Stdin.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		fmt.Println("You are Alice now. Type a message and press Enter; Ctrl-C ends.")
		for line := range lines(ctx) {
			alice.Post(room, webexmsgtest.Message{Text: line})
		}
	}
	if ctx.Err() == nil {
		if err := cloud.WaitAcked(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	// What has arrived is still printed: Disconnect waits for it.
	return h.Disconnect(context.WithoutCancel(ctx))
}

// lines yields the lines of standard input until it or ctx ends.
func lines(ctx context.Context) func(yield func(string) bool) {
	typed := make(chan string)
	go func() { // ends with the process: a read of a terminal cannot be given up
		defer close(typed)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			typed <- in.Text()
		}
	}()
	return func(yield func(string) bool) {
		for {
			select {
			case line, ok := <-typed:
				if !ok || !yield(line) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}
