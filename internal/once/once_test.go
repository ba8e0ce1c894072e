package once

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemory(t *testing.T) {
	m := New(time.Hour, 100)
	for _, id := range []string{"5d95c6ac-2048-46a8-bbd1-524b555a694c", "not a UUID"} {
		if !m.Begin(id) {
			t.Errorf("%s: not new at first", id)
		}
		if m.Begin(id) {
			t.Errorf("%s: new while it is handled", id)
		}
		m.Drop(id)
		if !m.Begin(id) {
			t.Errorf("%s: not new after it was dropped", id)
		}
		m.Done(id)
		if m.Begin(id) {
			t.Errorf("%s: new after it was handled", id)
		}
	}
}

func TestMemoryIsBoundedAndCoversItsWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(time.Minute, 10)
		for i := range 1000 {
			id := fmt.Sprint(i)
			m.Begin(id)
			m.Done(id)
			for back := range min(i+1, 10) {
				if m.Begin(fmt.Sprint(i - back)) {
					t.Fatalf("forgot %d after %d more", i-back, back)
				}
			}
			if n := len(m.young) + len(m.old); n > 20 {
				t.Fatalf("remembers %d ids", n)
			}
		}
		m.Begin("slow")
		m.Done("slow")
		time.Sleep(59 * time.Second)
		if m.Begin("slow") {
			t.Error("forgot within the window")
		}
	})
}
