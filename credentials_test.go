package webexmsg

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestTokensAreRenewedOnce has many ask at once for another token.
func TestTokensAreRenewedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		c := &credentials{tok: "old", source: func(context.Context) (string, error) {
			asked.Add(1)
			time.Sleep(time.Second)
			return "new", nil
		}}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if err := c.renew(t.Context(), "old"); err != nil || c.token() != "new" {
					t.Errorf("%q, %v", c.token(), err)
				}
			})
		}
		wg.Wait()
		if n := asked.Load(); n != 1 {
			t.Errorf("the source was asked %d times", n)
		}
		if err := c.renew(t.Context(), "new"); !errors.Is(err, ErrUnauthorized) {
			t.Errorf("the same token again: %v", err)
		}
	})
}
