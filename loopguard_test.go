package webexmsg

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestLoopGuardSlides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g LoopGuard
		allowed := func(room string, n int) (passed int) {
			for range n {
				if g.Allow(room) {
					passed++
				}
			}
			return passed
		}
		if n := allowed("a", 3); n != 3 {
			t.Errorf("%d of the first 3 passed", n)
		}
		time.Sleep(2 * time.Second)
		if n := allowed("a", 10); n != 2 {
			t.Errorf("%d more passed in the window, want 2", n)
		}
		if n := allowed("b", 10); n != 5 {
			t.Errorf("%d passed in another room, want 5", n)
		}
		time.Sleep(time.Second - time.Nanosecond)
		if n := allowed("a", 1); n != 0 {
			t.Error("one passed before the window's end")
		}
		time.Sleep(time.Nanosecond) // the first three have left it; what was refused never counted
		if n := allowed("a", 10); n != 3 {
			t.Errorf("%d passed then, want 3", n)
		}
		for i := range 1000 {
			g.Allow(fmt.Sprint(i))
		}
		time.Sleep(3 * time.Second)
		g.Allow("c")
		if n := len(g.rooms); n != 1 {
			t.Errorf("%d rooms are remembered", n)
		}
	})
}

func TestLoopGuardAsConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := LoopGuard{Replies: 1, Window: time.Minute}
		for i := range 3 {
			if !g.Allow("a") || g.Allow("a") {
				t.Errorf("minute %d: not exactly one passed", i)
			}
			time.Sleep(time.Minute)
		}
	})
}
