module github.com/webexmsg/webexmsg

go 1.25.0

require (
	github.com/coder/websocket v1.8.15
	github.com/go-jose/go-jose/v4 v4.1.9
	github.com/google/uuid v1.6.0
	golang.org/x/net v0.58.0
	golang.org/x/sync v0.20.0
)
