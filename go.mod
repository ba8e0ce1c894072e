module github.com/webexmsg/webexmsg

go 1.25.0
