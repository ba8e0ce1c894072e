package webexmsgtest_test

import (
	"context"
	"fmt"
	"log"

	"github.com/webexmsg/webexmsg"
	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// A bot under test gets its Config from the server; nothing else is different.
func Example() {
	srv := webexmsgtest.NewServer()
	defer srv.Close()
	alice := srv.NewPerson("alice@example.com", "Alice")
	room := srv.NewRoom("Project", alice, srv.Bot())

	bot, err := webexmsg.New(srv.Config())
	if err != nil {
		log.Fatal(err)
	}
	received := make(chan webexmsg.DecryptedMessage)
	bot.OnMessageCreated(func(m webexmsg.DecryptedMessage) { received <- m })
	ctx := context.Background()
	if err := bot.Connect(ctx); err != nil {
		log.Fatal(err)
	}
	defer bot.Disconnect(ctx)

	alice.Post(room, webexmsgtest.Message{Text: "build it", Mentions: []*webexmsgtest.Person{srv.Bot()}})
	m := <-received
	fmt.Printf("%s in %s: %s\n", m.PersonEmail, room.Title(), m.Text)

	// The network fails; the bot comes back by itself.
	srv.DropSockets()
	srv.WaitSockets(ctx, 1)
	alice.Post(room, webexmsgtest.Message{Text: "still there?", Mentions: []*webexmsgtest.Person{srv.Bot()}})
	fmt.Println((<-received).Text)
	// Output:
	// alice@example.com in Project: Bot build it
	// Bot still there?
}
