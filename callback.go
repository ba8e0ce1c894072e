package webexmsg

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// A panicError is what is said of a panic. Its text leaves out the value, which
// may hold a message and is not for a log; errors.As finds it if it is an error.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("panic with a %T", e.value) }

func (e *panicError) Unwrap() error {
	err, _ := e.value.(error)
	return err
}

// runCallback calls a program's function, and turns its panic into an error.
//
//go:noinline
func runCallback(fn func() error) (stack []byte, err error) {
	defer func() {
		if v := recover(); v != nil {
			stack, err = debug.Stack(), &panicError{v}
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
