package lanes

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestOrderWithinAKeyAndIndependenceBetweenKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		got := make(map[string][]int)
		release := make(chan struct{})
		l := New(4, 1000, 1<<20, func(v [2]int) {
			if v[0] == 0 {
				<-release
			}
			mu.Lock()
			defer mu.Unlock()
			key := fmt.Sprint(v[0])
			got[key] = append(got[key], v[1])
		})
		for i := range 20 {
			for key := range 10 {
				if !l.TryPut(fmt.Sprint(key), [2]int{key, i}, 1) {
					t.Fatal("full")
				}
			}
		}
		synctest.Wait()
		mu.Lock()
		if len(got) != 9 || l.Len() != 20 {
			t.Errorf("with one key blocked, %d keys were served and %d items are left; want 9 and 20", len(got), l.Len())
		}
		mu.Unlock()
		close(release)
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := make([]int, 20)
		for i := range want {
			want[i] = i
		}
		for key, items := range got {
			if !slices.Equal(items, want) {
				t.Errorf("key %s: %v", key, items)
			}
		}
	})
}

func TestOneWorkerKeepsOneOrder(t *testing.T) {
	var got []int
	l := New(1, 1000, 1<<20, func(v int) { got = append(got, v) })
	var want []int
	for i := range 300 {
		l.TryPut(fmt.Sprint(i%7), i, 1)
		want = append(want, i)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("order is %v", got)
	}
}

func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		l := New(2, 3, 100, func(int) { <-release })
		if !l.TryPut("a", 0, 500) {
			t.Error("an item larger than all the room is refused although nothing else is there")
		}
		if l.TryPut("b", 0, 1) {
			t.Error("more bytes than allowed were taken")
		}
		close(release)
		if err := l.Await(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		release = make(chan struct{})
		for _, key := range []string{"a", "b", "c"} {
			if !l.TryPut(key, 0, 1) {
				t.Error("refused although there is room")
			}
		}
		if l.TryPut("b", 0, 1) {
			t.Error("more items than allowed were taken")
		}
		put := make(chan error)
		go func() { put <- l.Put(context.Background(), "b", 0, 1) }()
		synctest.Wait()
		select {
		case <-put:
			t.Error("Put did not wait for room")
		default:
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Put(ctx, "b", 0, 1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Put without room: %v", err)
		}
		close(release)
		if err := <-put; err != nil {
			t.Errorf("Put: %v", err)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := l.Put(t.Context(), "a", 0, 1); err == nil || l.TryPut("a", 0, 1) {
			t.Error("closed lanes took an item")
		}
	})
}

// TestOneKeyLeavesRoomToTheOthers fills the lane of a key that blocks.
func TestOneKeyLeavesRoomToTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		l := New(2, 10, 100, func(int) { <-release })
		l.TryPut("a", 0, 1)
		synctest.Wait() // it is being handled, and no longer waits
		taken := 1
		for l.TryPut("a", 0, 1) {
			taken++
		}
		if taken != 6 {
			t.Errorf("one key took %d places of 10, want 6", taken)
		}
		if !l.TryPut("b", 0, 1) {
			t.Error("another key finds no room")
		}
		close(release)
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestAbort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		handled := 0
		l := New(1, 100, 100, func(int) { <-release; handled++ })
		for range 5 {
			l.TryPut("a", 0, 1)
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close with a blocked item: %v", err)
		}
		if n := l.Abort(); n != 4 {
			t.Errorf("Abort dropped %d, want 4", n)
		}
		close(release)
		if err := l.Close(t.Context()); err != nil || handled != 1 {
			t.Errorf("after Abort: %v, %d handled", err, handled)
		}
	})
}

// TestGoexit covers callbacks that end their goroutine, as t.Fatal does.
func TestGoexit(t *testing.T) {
	var got []int
	l := New(1, 100, 100, func(v int) {
		if v == 0 {
			runtime.Goexit()
		}
		got = append(got, v)
	})
	for i := range 4 {
		l.TryPut("a", i, 1)
	}
	if err := l.Close(t.Context()); err != nil || !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("%v, %v", err, got)
	}
}
