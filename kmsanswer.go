package webexmsg

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/webexmsg/webexmsg/internal/jwe"
	"github.com/webexmsg/webexmsg/internal/loose"
)

// A kmsCall waits for the answer to one requestId.
type kmsCall struct {
	shared *sharedKey // nil for a handshake, whose answer is signed
	result chan<- kmsResult
}

type kmsResult struct {
	requestID string
	answer    kmsAnswer
	err       error
}

type kmsAnswer struct {
	Status    int     `json:"status"`
	RequestID string  `json:"requestId"`
	Reason    string  `json:"reason"`
	Key       *kmsKey `json:"key"`
	Body      struct {
		Key *kmsKey `json:"key"`
	} `json:"body"` // seen around key in the field
}

func (a *kmsAnswer) key() *kmsKey {
	if a.Key != nil {
		return a.Key
	}
	return a.Body.Key
}

type kmsKey struct {
	URI            string    `json:"uri"`
	JWK            kmsJWK    `json:"jwk"`
	ExpirationDate timestamp `json:"expirationDate"`
}

// expect registers requests before they are sent.
func (k *kms) expect(results chan<- kmsResult, shared *sharedKey, ids ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range ids {
		k.calls[id] = &kmsCall{shared: shared, result: results}
	}
}

func (k *kms) forget(ids ...string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, id := range ids {
		delete(k.calls, id)
	}
}

// answers takes what KMS sent, in any order, and gives each to the request
// that it names. It is called by the reading goroutine and never waits.
func (k *kms) answers(messages []string) {
	for _, m := range messages {
		if err := k.answer(m); err != nil {
			k.mu.Lock()
			k.stray++
			k.mu.Unlock()
			k.log.Warn("dropped an answer of KMS", "err", err)
		}
	}
}

func (k *kms) answer(message string) error {
	k.mu.Lock()
	static, shared, retired := k.static, k.shared, k.retired
	k.mu.Unlock()
	if strings.Count(message, ".") == 2 {
		if static == nil {
			return errors.New("a signed one, and no static key to check it by")
		}
		payload, verr := static.verify(message)
		return k.settle(nil, payload, verr)
	}
	under := shared
	if kid := jwe.KeyID(message); retired != nil && kid == retired.uri {
		under = retired
	}
	if under == nil {
		return errors.New("an encrypted one, and no key is agreed on")
	}
	payload, err := under.key.Open(message)
	if err != nil {
		return err
	}
	k.mu.Lock()
	under.answered = time.Now()
	k.mu.Unlock()
	return k.settle(under, payload, nil)
}

// settle gives an answer, or why it is not acceptable, to the request that it
// names. Only what came the way that request asked for counts: signed for a
// handshake, and under its own shared key for all others.
func (k *kms) settle(under *sharedKey, payload []byte, refusal error) error {
	var a kmsAnswer
	if err := loose.Unmarshal(payload, &a); err != nil || a.RequestID == "" {
		return errors.Join(refusal, errors.New("it names no request"))
	}
	if refusal == nil && a.Status == 0 { // our own request, sent back, would have none
		return errors.New("it has no status")
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	call := k.calls[a.RequestID]
	if call == nil || call.shared != under {
		return errors.Join(refusal, errors.New("nobody waits for it"))
	}
	delete(k.calls, a.RequestID)
	if refusal != nil {
		a = kmsAnswer{}
	}
	call.result <- kmsResult{requestID: a.RequestID, answer: a, err: refusal} // has room for all its calls
	return nil
}

// contentKey reads a content key out of an answer, which must be to the URI
// that was asked for.
func contentKey(uri string, a *kmsAnswer) (*jwe.Key, error) {
	key := a.key()
	if a.Status >= 400 || key == nil {
		return nil, &KMSError{Op: "retrieve", URI: uri, Status: a.Status, Reason: a.Reason}
	}
	if key.URI != uri {
		return nil, &KMSError{Op: "retrieve", URI: uri, Err: fmt.Errorf("%w: the answer is another key", ErrUntrusted)}
	}
	raw, err := base64.RawURLEncoding.DecodeString(key.JWK.K)
	if err != nil || key.JWK.Kty != "oct" {
		return nil, &KMSError{Op: "retrieve", URI: uri, Err: errors.New("the answer is not a symmetric key")}
	}
	k, err := jwe.NewKey(raw)
	if err != nil {
		return nil, &KMSError{Op: "retrieve", URI: uri, Err: err}
	}
	return k, nil
}
