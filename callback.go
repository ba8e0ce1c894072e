package webexmsg

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// errPanic is what is said of a panic whose value is no error: the value may
// hold a message, and is not for a log.
var errPanic = errors.New("panic")

// runCallback calls a program's function, and turns its panic into an error.
//
//go:noinline
func runCallback(fn func() error) (stack []byte, err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case error:
			stack, err = debug.Stack(), fmt.Errorf("%w: %w", errPanic, v)
		default:
			stack, err = debug.Stack(), fmt.Errorf("%w with a %T", errPanic, v)
		}
	}()
	return nil, fn()
}

// inCallback reports whether this goroutine is inside runCallback: who
// disconnects from there must not be made to wait for himself.
func inCallback() bool {
	pc := make([]uintptr, 64)
	for skip := 2; ; skip += len(pc) {
		n := runtime.Callers(skip, pc)
		frames := runtime.CallersFrames(pc[:n])
		for {
			f, more := frames.Next()
			if strings.HasSuffix(f.Function, "webexmsg.runCallback") {
				return true
			}
			if !more {
				break
			}
		}
		if n < len(pc) {
			return false
		}
	}
}
