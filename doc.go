// Package webexmsg receives the messages of a Webex bot without a public
// endpoint: it registers a device, holds the WebSocket on which Webex delivers
// (Mercury), agrees on keys with Webex's key management service (KMS),
// decrypts, and calls the program back with typed events.
//
//	h, err := webexmsg.New(webexmsg.Config{Token: os.Getenv("WEBEX_BOT_TOKEN")})
//	if err != nil {
//		log.Fatal(err)
//	}
//	h.OnMessageCreated(func(m webexmsg.DecryptedMessage) {
//		fmt.Printf("[%s] %s\n", m.PersonEmail, m.Text)
//	})
//	err = h.Run(ctx)
//
// It only receives. To answer, use the REST API of Webex with any client: the
// events have the ids that it takes, as [DecryptedMessage.RoomRESTID].
//
// # The path of a frame
//
//	socket ──read──> parseFrame ──┬─ pong ────────> ping loop
//	(one goroutine,               ├─ KMS answer ──> pending request, by requestId
//	never waits for anyone)       └─ activity ────> ack, duplicate?, prefetch key ──> lane of its room
//	lane (in order, one at a time) ── wait for key ── decrypt ── filter ── callbacks
//
// One goroutine reads the socket, and never waits: not for a key, a callback
// or room in a queue. Each room has a lane, which hands its activities over
// one at a time and in order; lanes are independent of each other. One loop
// supervises: it establishes a connection, serves until it ends, asks why, and
// backs off or stops.
//
// # Trust
//
// The access token is sent to Webex's own domains and to hosts that the Config
// names, over TLS, and nowhere else, whatever a server's answer says. The key
// of KMS is checked against its certificate and the handshake against that
// key; answers are matched to requests by id, never by order.
//
// # Loops
//
// A bot that answers what another bot says, which answers in turn, never ends.
// The Handler drops what the bot itself posts (see Config.IncludeSelfMessages)
// and can do nothing about other bots: limit how often yours answers in a room,
// with a [LoopGuard] for one.
package webexmsg
