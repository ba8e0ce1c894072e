package backoff

import (
	"testing"
	"time"
)

func TestBoundsGrowToTheMaximumAndStartOver(t *testing.T) {
	b := Backoff{Min: time.Second, Max: 32 * time.Second}
	bounds := []time.Duration{1, 2, 4, 8, 16, 32, 32, 32}
	for range 200 {
		for i, bound := range bounds {
			if b.Failures() != i {
				t.Fatalf("%d failures counted, want %d", b.Failures(), i)
			}
			if d := b.Next(); d < 0 || d > bound*time.Second {
				t.Fatalf("wait %d is %v, want at most %ds", i+1, d, bound)
			}
		}
		b.Reset()
	}
	for range 100 { // no overflow
		if d := b.Next(); d < 0 || d > b.Max {
			t.Fatalf("wait is %v", d)
		}
	}
}

// TestJitter sees that the waits fill their range: clients that were cut off
// together must not come back together.
func TestJitter(t *testing.T) {
	low, high := false, false
	for range 1000 {
		b := Backoff{Min: time.Second, Max: time.Minute}
		d := b.Next()
		low = low || d < time.Second/10
		high = high || d > time.Second*9/10
	}
	if !low || !high {
		t.Errorf("waits below a tenth of the bound: %v, above nine tenths: %v", low, high)
	}
}
