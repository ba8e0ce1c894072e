package webexmsg

import (
	"context"
	"crypto/ecdh"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/webexmsg/webexmsg/internal/backoff"
	"github.com/webexmsg/webexmsg/internal/jwe"
)

const (
	// kmsTimeout is how long KMS may take to answer at first; the second try
	// of a handshake waits twice as long. Cisco's SDK starts from 6 s too.
	kmsTimeout = 6 * time.Second
	// kmsWindow and kmsBatch say how wanted keys are gathered into one POST:
	// Cisco's SDK gathers at most 50, for 50 ms.
	kmsWindow = 50 * time.Millisecond
	kmsBatch  = 50
	// kmsPosts bounds the POSTs that wait for their answers at one time.
	kmsPosts = 32
	// renewBefore is how long before its end a shared key is replaced, and
	// sharedLife its life when KMS does not say.
	renewBefore = 30 * time.Second
	sharedLife  = time.Hour
	// maxWanted bounds the keys that wait to be asked for.
	maxWanted = 32768
	// maxKeys bounds the cache of content keys.
	maxKeys = 1 << 17
)

var (
	errKMSSilent   = errors.New("KMS did not answer in time")
	errTooManyKeys = errors.New("too many keys are waited for")
	errSocketEnded = errors.New("the socket that brings the answers of KMS ended")
)

// A kms agrees on a shared key with Webex's key management service and fetches
// content keys under it. Its requests go up by HTTP; the answers come down the
// Mercury socket, where whoever reads it calls answers, which never waits.
//
// Two goroutines live in run: one keeps a valid shared key, the other gathers
// wanted keys into POSTs, each of which is followed by a goroutine of its own.
type kms struct {
	rest   *restClient
	log    *slog.Logger
	roots  *x509.CertPool
	report func(error) // tells the program of trouble that lasts

	mu      sync.Mutex // guards what follows; never held across I/O
	base    string     // of the encryption service
	client  kmsClient
	cluster string
	static  *staticKey
	shared  *sharedKey
	retired *sharedKey           // the one before shared: answers may still come under it
	failed  error                // of the last handshake; nil while it stands
	up      bool                 // a socket is there for the answers
	sockets int                  // how often up has become true
	calls   map[string]*kmsCall  // what waits for an answer, by requestId
	keys    map[string]*keyEntry // by URI
	order   []string             // URIs of keys that were found, oldest first
	wanted  []*keyEntry          // to be asked for
	changed chan struct{}        // closed, and made anew, when any of this changes
	breaker backoff.Backoff      // of retrievals
	stray   int                  // answers that nobody waited for, or that could not be opened
}

type kmsClient struct {
	ClientID   string        `json:"clientId"`
	Credential kmsCredential `json:"credential"`
}

type kmsCredential struct {
	UserID string `json:"userId"`
	Bearer string `json:"bearer"`
}

// A sharedKey is what a handshake agreed on.
type sharedKey struct {
	uri      string // its kid
	key      *jwe.Key
	renewAt  time.Time
	answered time.Time // when an answer last opened under it
	suspect  bool      // KMS seems to have forgotten it
}

// A keyEntry is a content key, or the one request that is made for it.
type keyEntry struct {
	uri     string
	done    chan struct{} // closed when key or err is there
	key     *jwe.Key
	err     error
	touched time.Time // when it was last asked for
	trouble error     // why it is not there yet
}

func newKMS(rest *restClient, log *slog.Logger, roots *x509.CertPool, report func(error)) *kms {
	return &kms{
		rest: rest, log: log, roots: roots, report: report,
		calls: make(map[string]*kmsCall), keys: make(map[string]*keyEntry), changed: make(chan struct{}),
		breaker: backoff.Backoff{Min: 500 * time.Millisecond, Max: 15 * time.Second},
	}
}

// run keeps the shared key and fetches keys until ctx ends.
func (k *kms) run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { k.keepShared(ctx) })
	wg.Go(func() { k.retrieveWanted(ctx, &wg) })
	wg.Wait()
	k.mu.Lock()
	k.shared, k.retired, k.static, k.failed = nil, nil, nil, nil
	k.mu.Unlock()
}

// prepare learns the static key for a device, and forgets what was agreed on
// for another.
func (k *kms) prepare(ctx context.Context, base string, dev *device) error {
	k.mu.Lock()
	if k.client.ClientID != dev.URL || k.base != base {
		k.shared, k.static = nil, nil
		k.base = base
		k.client = kmsClient{ClientID: dev.URL, Credential: kmsCredential{UserID: dev.UserID}}
	}
	known := k.static != nil
	k.mu.Unlock()
	if known {
		return nil
	}
	return k.fetchDetails(ctx)
}

func (k *kms) fetchDetails(ctx context.Context) error {
	k.mu.Lock()
	base, user := k.base, k.client.Credential.UserID
	k.mu.Unlock()
	if base == "" {
		return errors.New("keys (KMS): neither the registration nor the catalog names the encryption service")
	}
	var details struct {
		Cluster string          `json:"kmsCluster"`
		Key     json.RawMessage `json:"rsaPublicKey"`
	}
	if _, err := k.rest.do(ctx, "keys (KMS)", http.MethodGet, base+"/kms/"+user, nil, &details); err != nil {
		return err
	}
	static, err := parseStaticKey(details.Key, k.roots)
	if err != nil {
		return &KMSError{Op: "handshake", Err: err}
	}
	if !strings.HasPrefix(details.Cluster, "kms://") {
		return &KMSError{Op: "handshake", Err: fmt.Errorf("%w: its cluster is no kms: URI", ErrUntrusted)}
	}
	k.mu.Lock()
	k.static, k.cluster = static, strings.TrimRight(details.Cluster, "/")
	k.mu.Unlock()
	return nil
}

// setUp says whether a socket is there to bring answers.
func (k *kms) setUp(up bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.up = up
	if up {
		k.failed = nil
		k.sockets++
	}
	k.signal()
}

// initialized reports whether there is a shared key.
func (k *kms) initialized() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.shared != nil
}

// awaitShared waits until there is a shared key, or a handshake has failed.
func (k *kms) awaitShared(ctx context.Context) error {
	var failed error
	err := k.await(ctx, func() bool { failed = k.failed; return k.shared != nil || failed != nil })
	if err == nil {
		err = failed
	}
	return err
}

// await waits until cond, called with k.mu held, is true.
func (k *kms) await(ctx context.Context, cond func() bool) error {
	for {
		k.mu.Lock()
		ok, changed := cond(), k.changed
		k.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// signal wakes who awaits. k.mu is held.
func (k *kms) signal() {
	close(k.changed)
	k.changed = make(chan struct{})
}

// keepShared makes a handshake whenever a shared key is missing, about to
// expire or in doubt. The old one serves until the new one is there.
func (k *kms) keepShared(ctx context.Context) {
	pause := backoff.Backoff{Min: time.Second, Max: time.Minute}
	for {
		var due time.Time
		err := k.await(ctx, func() bool {
			due = time.Time{}
			if k.shared != nil && !k.shared.suspect {
				due = k.shared.renewAt
			}
			return k.up && k.base != ""
		})
		if err != nil {
			return
		}
		if wait := time.Until(due); wait > 0 {
			k.waitChange(ctx, wait)
			continue
		}
		if err := k.handshake(ctx); err != nil && ctx.Err() == nil {
			k.log.Warn("KMS handshake failed", "err", err)
			if errors.Is(err, errSocketEnded) {
				continue // no fault of KMS: the next socket brings the next try
			}
			if pause.Failures() == 0 {
				k.report(err)
			}
			k.mu.Lock()
			k.failed = err
			k.static = nil // it may have been replaced
			sockets := k.sockets
			k.signal()
			k.mu.Unlock()
			// A new socket is a new chance, and ends the pause.
			pausing, cancel := context.WithTimeout(ctx, pause.Next())
			k.await(pausing, func() bool { return k.sockets != sockets })
			cancel()
			continue
		}
		pause.Reset()
	}
}

// waitChange waits until something changes, at most for d.
func (k *kms) waitChange(ctx context.Context, d time.Duration) {
	k.mu.Lock()
	changed := k.changed
	k.mu.Unlock()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-changed:
	case <-t.C:
	case <-ctx.Done():
	}
}

// handshake agrees on a new shared key.
func (k *kms) handshake(ctx context.Context) error {
	k.mu.Lock()
	static, client, cluster := k.static, k.client, k.cluster
	k.mu.Unlock()
	if static == nil {
		if err := k.fetchDetails(ctx); err != nil {
			return err
		}
		k.mu.Lock()
		static, client, cluster = k.static, k.client, k.cluster
		k.mu.Unlock()
	}
	own, err := newECDHKey()
	if err != nil {
		return err
	}
	var last error
	for try := range 2 {
		token := k.rest.creds.token()
		client.Credential.Bearer = token
		result, err := k.createShared(ctx, static, client, cluster, own, kmsTimeout<<try)
		if err == nil {
			return k.adopt(own, result, client)
		}
		last = err
		if errors.Is(err, ErrUnauthorized) && k.rest.creds.renewable() {
			if err := k.rest.creds.renew(ctx, token); err != nil {
				return err
			}
		} else if !errors.Is(err, errKMSSilent) {
			break
		}
	}
	return last
}

// createShared sends one half of a shared key to KMS and waits for the other.
func (k *kms) createShared(ctx context.Context, static *staticKey, client kmsClient, cluster string, own *ecdh.PrivateKey, timeout time.Duration) (*kmsKey, error) {
	id := uuid.NewString()
	request, err := json.Marshal(map[string]any{
		"requestId": id, "method": "create", "uri": cluster + "/ecdhe",
		"jwk": publicJWK(own.PublicKey(), id), "client": client,
	})
	if err != nil {
		return nil, err
	}
	wrapped, err := static.seal(request)
	if err != nil {
		return nil, &KMSError{Op: "handshake", Err: err}
	}
	results := make(chan kmsResult, 1)
	k.expect(results, nil, id)
	defer k.forget(id)
	if err := k.post(ctx, []string{wrapped}); err != nil {
		return nil, err
	}
	t := time.NewTimer(timeout)
	defer t.Stop()
	down := k.downSignal()
	for {
		select {
		case r := <-results:
			if r.err != nil {
				return nil, &KMSError{Op: "handshake", Err: r.err}
			}
			if r.answer.Status >= 400 || r.answer.key() == nil {
				return nil, &KMSError{Op: "handshake", Status: r.answer.Status, Reason: r.answer.Reason}
			}
			return r.answer.key(), nil
		case <-t.C:
			return nil, &KMSError{Op: "handshake", Err: errKMSSilent}
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-down:
			if !k.isUp() {
				return nil, &KMSError{Op: "handshake", Err: errSocketEnded}
			}
			down = k.downSignal()
		}
	}
}

// adopt derives the shared key from both halves and uses it from now on.
func (k *kms) adopt(own *ecdh.PrivateKey, peer *kmsKey, client kmsClient) error {
	key, err := deriveKey(own, peer.JWK)
	if err != nil {
		return &KMSError{Op: "handshake", Err: fmt.Errorf("%w: %w", ErrUntrusted, err)}
	}
	expires := peer.ExpirationDate.Time
	if now := time.Now(); expires.IsZero() {
		expires = now.Add(sharedLife)
	} else {
		expires = now.Add(expires.Sub(k.rest.serverNow()))
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.client.ClientID != client.ClientID {
		return nil // another device has come meanwhile, and wants a key of its own
	}
	k.retired = k.shared
	// Never sooner than in a few seconds, whatever KMS says: a key that is
	// born expired must not make handshakes run in a circle.
	k.shared = &sharedKey{uri: peer.URI, key: key, renewAt: later(expires.Add(-renewBefore), time.Now().Add(5*time.Second))}
	k.failed = nil
	k.signal()
	k.log.Info("agreed on a key with KMS", "key", peer.URI, "expires", expires)
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// post sends wrapped requests to KMS, which answers on the socket.
func (k *kms) post(ctx context.Context, wrapped []string) error {
	k.mu.Lock()
	base, cluster := k.base, k.cluster
	k.mu.Unlock()
	body := map[string]any{"destination": cluster, "kmsMessages": wrapped}
	_, err := k.rest.do(ctx, "keys (KMS)", http.MethodPost, base+"/kms/messages", body, nil)
	return err
}

func (k *kms) isUp() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.up
}

// downSignal is closed at the next change, of which the end of the socket is one.
func (k *kms) downSignal() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.changed
}
