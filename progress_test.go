package webexmsg

import (
	"testing"
	"time"
)

// TestCursorStaysBeforeWhatIsNotHandled moves the cursor through activities
// that are handled in another order than they came.
func TestCursorStaysBeforeWhatIsNotHandled(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(1000+s), 0) }
	act := func(id string, s int) *activity { return &activity{ID: id, Published: timestamp{at(s)}} }
	p := newProgress()
	p.connected(at(0))
	a, b, c := act("a", 1), act("b", 2), act("c", 3)
	since := func(want int, floor time.Time) {
		t.Helper()
		if got := p.cursor("device", floor).Since; !got.Equal(at(want)) {
			t.Errorf("the cursor is at %v, want %v", got, at(want))
		}
	}
	since(0, time.Time{})
	p.begin(a)
	p.begin(b)
	p.begin(c)
	p.done(c)
	since(1, time.Time{})
	p.done(a)
	since(2, time.Time{})
	p.done(b)
	since(3, time.Time{})
	since(1, at(1)) // a gap from there on
	got := p.cursor("device", time.Time{})
	if len(got.Handled) != 3 || got.Device != "device" {
		t.Errorf("%+v", got)
	}
}
