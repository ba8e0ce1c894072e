// Package webexmsgtest is a Webex cloud in the process, as net/http/httptest is
// an HTTP server: for tests of bots that receive their messages with package
// webexmsg.
//
// A [Server] plays every service that such a bot speaks to (the catalog, device
// registration, Mercury, the key management service, the conversation service,
// files and the public REST API as far as bots use it) over real TLS and with
// real cryptography. Nothing in package webexmsg knows that it is there.
//
//	srv := webexmsgtest.NewServer()
//	defer srv.Close()
//	alice := srv.NewPerson("alice@example.com", "Alice")
//	room := srv.NewDirectRoom(alice, srv.Bot())
//
//	h, err := webexmsg.New(srv.Config())
//	...
//	alice.Post(room, webexmsgtest.Message{Text: "hello"})
//
// # People, rooms and verbs
//
// People do things in rooms: [Person.Post], [Person.Edit], [Person.React],
// [Person.Add] and so on. A verb returns the id of the activity, and has queued
// it for the sockets of all who hear it when it returns. Everybody in a room
// hears everything, the one who did it too; but in a group room a bot hears, of
// the messages, only those that mention it and what becomes of these.
//
// # Faults
//
// A server can be made to fail in every way that a bot must survive:
// [Server.DropSockets], [Server.Fail], [Server.Outage] and so on. Faults that
// count ("the next n") replace what is left of an earlier call. All of them
// act the same way each time, and may be set at any moment.
//
// # Records
//
// A server tells what it saw: [Server.Requests], [Server.Devices],
// [Server.Acks]. The Wait methods return as soon as something has happened;
// none of them polls.
//
// # Time
//
// With [Options.InMemory] no socket is used, and a server with all its clients
// lives inside a testing/synctest bubble, where hours of protocol take
// milliseconds.
package webexmsgtest
