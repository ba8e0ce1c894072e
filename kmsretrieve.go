package webexmsg

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/webexmsg/webexmsg/internal/jwe"
)

// key returns the content key of the given URI, from the cache or from KMS. It
// waits for KMS at most for patience, in which time without a socket does not
// count, since nothing can be answered then.
func (k *kms) key(ctx context.Context, uri string, patience time.Duration) (*jwe.Key, error) {
	e := k.want(uri)
	for {
		k.mu.Lock()
		up, changed, trouble := k.up, k.changed, e.trouble
		k.mu.Unlock()
		select {
		case <-e.done:
			if e.err == nil || !retryable(e.err) {
				return e.key, e.err
			}
			e = k.want(uri)
		default:
		}
		if patience <= 0 {
			return nil, &KMSError{Op: "retrieve", URI: uri, Err: cmp.Or(trouble, errKMSSilent)}
		}

		start, timer := time.Now(), time.NewTimer(patience)
		timeout := timer.C
		if !up {
			timeout = nil
		}
		select {
		case <-e.done:
		case <-changed:
		case <-timeout:
		case <-ctx.Done():
		}
		timer.Stop()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if up {
			patience -= time.Since(start)
		}
	}
}

// want has a key fetched that is not in the cache, nor on its way. It never waits.
func (k *kms) want(uri string) *keyEntry {
	k.mu.Lock()
	defer k.mu.Unlock()
	e := k.keys[uri]
	if e == nil {
		e = &keyEntry{uri: uri, done: make(chan struct{})}
		if len(k.wanted) >= maxWanted {
			e.err = &KMSError{Op: "retrieve", URI: uri, Err: errTooManyKeys}
			close(e.done)
			return e
		}
		k.keys[uri] = e
		k.wanted = append(k.wanted, e)
		if n := len(k.wanted); n == 1 || n == kmsBatch {
			k.signal()
		}
	}
	if e.key == nil {
		e.touched = time.Now()
	}
	return e
}

// retrieveWanted gathers wanted keys into few POSTs.
func (k *kms) retrieveWanted(ctx context.Context, wg *sync.WaitGroup) {
	slots := make(chan struct{}, kmsPosts)
	for {
		// First what lasts, a socket and a key to ask with; what is wanted
		// meanwhile is gathered meanwhile.
		usable := func() bool { return k.up && k.shared != nil && !k.shared.suspect && len(k.wanted) > 0 }
		if k.await(ctx, usable) != nil {
			return
		}
		window, cancel := context.WithTimeout(ctx, kmsWindow)
		k.await(window, func() bool { return len(k.wanted) >= kmsBatch })
		cancel()
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}

		k.mu.Lock()
		if !usable() {
			k.mu.Unlock()
			<-slots
			continue
		}
		n := min(len(k.wanted), kmsBatch)
		batch := k.wanted[:n:n]
		k.wanted = k.wanted[n:]
		shared, client := k.shared, k.client
		k.mu.Unlock()

		wg.Go(func() {
			defer func() { <-slots }()
			if err := k.retrieve(ctx, shared, client, batch); err != nil {
				k.log.Warn("could not fetch keys", "err", err)
			}
		})
	}
}

// retrieve asks for keys in one POST and waits for the answers. What is not
// answered, or refused for a reason that passes, is wanted again.
func (k *kms) retrieve(ctx context.Context, shared *sharedKey, client kmsClient, batch []*keyEntry) error {
	client.Credential.Bearer = k.rest.creds.token()
	asked := make(map[string]*keyEntry, len(batch))
	ids, wrapped := make([]string, 0, len(batch)), make([]string, 0, len(batch))
	for _, e := range batch {
		id := uuid.NewString()
		request, err := json.Marshal(map[string]any{"requestId": id, "method": "retrieve", "uri": e.uri, "client": client})
		if err != nil {
			return err
		}
		w, err := shared.key.Seal(request, shared.uri)
		if err != nil {
			return err
		}
		asked[id] = e
		ids, wrapped = append(ids, id), append(wrapped, w)
	}
	results := make(chan kmsResult, len(batch))
	k.expect(results, shared, ids...)
	sent := time.Now()
	err := k.post(ctx, wrapped)
	if err == nil {
		err = k.collect(ctx, results, asked)
	}
	k.forget(ids...)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if errors.Is(err, ErrUnauthorized) && k.rest.creds.renewable() {
		err = errors.Join(err, k.rest.creds.renew(ctx, client.Credential.Bearer))
	}
	if err == nil {
		k.mu.Lock()
		k.breaker.Reset()
		k.mu.Unlock()
		return nil
	}
	k.again(ctx, asked, shared, sent, err)
	return err
}

// collect takes answers until all have come, or none comes any more. What it
// has settled is no longer in asked when it returns.
func (k *kms) collect(ctx context.Context, results <-chan kmsResult, asked map[string]*keyEntry) error {
	t := time.NewTimer(kmsTimeout)
	defer t.Stop()
	var trouble error
	left := len(asked)
	down := k.downSignal()
	for left > 0 {
		select {
		case r := <-results:
			left--
			e := asked[r.requestID]
			key, err := contentKey(e.uri, &r.answer)
			if err != nil && (retryable(err) || errors.Is(err, ErrUnauthorized)) {
				trouble = err
				continue
			}
			k.finish(e, key, err)
			delete(asked, r.requestID)
		case <-t.C:
			return fmt.Errorf("%d of the keys asked for: %w", left, errKMSSilent)
		case <-down:
			if !k.isUp() {
				return errSocketEnded
			}
			down = k.downSignal()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return trouble
}

// finish settles an entry. A refusal is not remembered: who asks for the key
// later may have become a member meanwhile.
func (k *kms) finish(e *keyEntry, key *jwe.Key, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e.key, e.err = key, err
	close(e.done)
	if err != nil {
		delete(k.keys, e.uri)
		return
	}
	k.order = append(k.order, e.uri)
	if len(k.order) > maxKeys {
		delete(k.keys, k.order[0])
		k.order = k.order[1:]
	}
}

// again puts back what an attempt left open, after a pause that grows from
// failure to failure, so that a KMS in trouble is not hammered. What nobody
// has asked for in a long time is given up.
func (k *kms) again(ctx context.Context, asked map[string]*keyEntry, shared *sharedKey, sent time.Time, cause error) {
	if !retryable(cause) && !errors.Is(cause, ErrUnauthorized) {
		for _, e := range asked {
			k.finish(e, nil, cause)
		}
		return
	}
	k.mu.Lock()
	if errors.Is(cause, errKMSSilent) && shared.answered.Before(sent) && k.shared == shared {
		shared.suspect = true // a new handshake, then
		k.signal()
	}
	var wait time.Duration
	failures := 0
	if !errors.Is(cause, errSocketEnded) { // which is no fault of KMS
		failures, wait = k.breaker.Failures()+1, k.breaker.Next()
	}
	k.mu.Unlock()
	if failures == 2 || failures == 1 && errors.Is(cause, ErrUnauthorized) {
		k.report(cause)
	}
	if !errors.Is(cause, errKMSSilent) { // silence was a pause by itself
		sleep(ctx, wait)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, e := range asked {
		if ctx.Err() != nil || time.Since(e.touched) > 2*time.Minute {
			e.err = cause
			close(e.done)
			delete(k.keys, e.uri)
			continue
		}
		e.trouble = cause
		k.wanted = append(k.wanted, e)
	}
	k.signal()
}
