// Package backoff spaces out attempts that fail.
package backoff

import (
	"math/rand/v2"
	"time"
)

// Backoff is exponential backoff with full jitter: the n-th wait is drawn
// from zero to Min·2ⁿ⁻¹, or to Max where that is less. The zero count of
// failures is ready to use.
type Backoff struct {
	Min, Max time.Duration
	failures int
}

// Next counts a failure and returns how long to wait after it.
func (b *Backoff) Next() time.Duration {
	bound := b.Max
	if b.failures < 30 {
		bound = min(bound, b.Min<<b.failures)
	}
	b.failures++
	return rand.N(bound + 1)
}

// Failures is how many failures were counted since the last Reset.
func (b *Backoff) Failures() int { return b.failures }

// Reset forgets all failures.
func (b *Backoff) Reset() { b.failures = 0 }
