package webexmsg

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// What callers branch on, with errors.Is.
var (
	// ErrUnauthorized means that Webex refuses the token.
	ErrUnauthorized = errors.New("webexmsg: the access token was refused")
	// ErrAlreadyConnected is returned by Connect and Run while the Handler
	// is connected, connecting, reconnecting or disconnecting.
	ErrAlreadyConnected = errors.New("webexmsg: already connected")
	// ErrNotConnected is returned by what needs a connected Handler.
	ErrNotConnected = errors.New("webexmsg: not connected")
	// ErrClosed is returned by Connect, Reconnect and Run when Disconnect
	// was called meanwhile.
	ErrClosed = errors.New("webexmsg: disconnected by the caller")
	// ErrReplaced means that another socket took over this registration.
	ErrReplaced = errors.New("webexmsg: another client took over this device")
	// ErrGaveUp means that Config.MaxReconnectAttempts were used up. The
	// error that it comes with wraps the last attempt's error too.
	ErrGaveUp = errors.New("webexmsg: gave up reconnecting")
	// ErrHostNotAllowed means that an address does not lead to Webex nor to
	// a host that the Config names, so that it may not see the token.
	ErrHostNotAllowed = errors.New("webexmsg: host not allowed")
	// ErrOverflow means that activities were dropped because too many waited
	// for their callbacks and catching up is off.
	ErrOverflow = errors.New("webexmsg: the queue is full")
	// ErrFrameTooLarge means that a message from Mercury was discarded because
	// it was larger than Config.MaxFrameSize.
	ErrFrameTooLarge = errors.New("webexmsg: frame too large")
	// ErrUntrusted means that what claims to be KMS did not prove it: its
	// static key, a certificate or a signature is not acceptable.
	ErrUntrusted = errors.New("webexmsg: KMS cannot be trusted")
)

// APIError is an answer other than success to an HTTP request.
type APIError struct {
	Method     string
	URL        string // without query
	StatusCode int
	// TrackingID identifies the request to Webex support.
	TrackingID string
	// RetryAfter is how long the server asks to be left alone; 0 if it does not say.
	RetryAfter time.Duration

	// excessive is set when WDM refuses one more device for this user.
	excessive bool
}

func (e *APIError) Error() string {
	return fmt.Sprintf("webexmsg: %s %s: %d %s (tracking id %s)",
		e.Method, e.URL, e.StatusCode, http.StatusText(e.StatusCode), e.TrackingID)
}

// Is reports a 401 as ErrUnauthorized.
func (e *APIError) Is(target error) bool {
	return target == ErrUnauthorized && e.StatusCode == http.StatusUnauthorized
}

// CloseError says with which code and reason the server closed the socket.
type CloseError struct {
	Code   int
	Reason string
}

func (e *CloseError) Error() string {
	return fmt.Sprintf("webexmsg: the server closed the socket with code %d (%q)", e.Code, e.Reason)
}

// Is reports a refused token as ErrUnauthorized and an evicted socket as ErrReplaced.
func (e *CloseError) Is(target error) bool {
	switch target {
	case ErrUnauthorized:
		return e.verdict() == closeUnauthorized
	case ErrReplaced:
		return e.verdict() == closeReplaced
	}
	return false
}

type closeVerdict int

const (
	closeTransient closeVerdict = iota
	closePermanent
	closeReplaced
	closeUnauthorized
	closeDeviceGone
)

// verdict is the table of close codes in Cisco's SDK, with what other clients
// have met in the field (4404, and reasons that come with 1005 and 1008).
func (e *CloseError) verdict() closeVerdict {
	reason := strings.ToLower(e.Reason)
	switch e.Code {
	case 1000, 1050:
		switch reason {
		case "idle", "done (forced)", "pong not received", "pong mismatch":
			return closeTransient
		}
		return closePermanent
	case 1003, 4400, 4403:
		return closePermanent
	case 4401:
		return closeUnauthorized
	case 4404:
		return closeDeviceGone
	case 4000, 1005, 1008:
		if e.Code != 1008 && strings.Contains(reason, "replaced") {
			return closeReplaced
		}
		if e.Code != 4000 && (strings.Contains(reason, "auth") || strings.Contains(reason, "token")) {
			return closeUnauthorized
		}
	}
	return closeTransient
}

// KMSError is a request that KMS refused or never answered, or an answer of
// KMS that was refused here.
type KMSError struct {
	Op     string // "handshake" or "retrieve"
	URI    string // the key asked for; empty for a handshake
	Status int    // KMS's status; 0 if it is not KMS that refused
	Reason string // KMS's reason
	Err    error  // the cause on this side, if any
}

func (e *KMSError) Error() string {
	var b strings.Builder
	b.WriteString("webexmsg: KMS " + e.Op)
	if e.URI != "" {
		b.WriteString(" of " + e.URI)
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, ": status %d (%s)", e.Status, e.Reason)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

func (e *KMSError) Unwrap() error { return e.Err }

// Is reports status 401, a token that has expired, as ErrUnauthorized.
func (e *KMSError) Is(target error) bool {
	return target == ErrUnauthorized && e.Status == http.StatusUnauthorized
}

// DecryptError is an activity that could not be decrypted. It reaches the
// program as an [EventError]; the activity reaches no callback but those of
// [EventActivity], which shows no text of it.
type DecryptError struct {
	ActivityID string
	RoomID     string
	Err        error
}

func (e *DecryptError) Error() string {
	return fmt.Sprintf("webexmsg: activity %s in room %s cannot be decrypted: %v", e.ActivityID, e.RoomID, e.Err)
}

func (e *DecryptError) Unwrap() error { return e.Err }

// CallbackError is an error that a callback returned, or its panic.
type CallbackError struct {
	Event      string
	ActivityID string // empty for events that come from no activity
	// Err is what the callback returned, or says that it panicked. The value
	// of a panic is left out where it is not an error: it may hold a message.
	Err error
	// Stack is where it panicked; nil if it returned an error.
	Stack []byte
}

func (e *CallbackError) Error() string {
	if e.ActivityID == "" {
		return fmt.Sprintf("webexmsg: callback of %s: %v", e.Event, e.Err)
	}
	return fmt.Sprintf("webexmsg: callback of %s, activity %s: %v", e.Event, e.ActivityID, e.Err)
}

func (e *CallbackError) Unwrap() error { return e.Err }

// OverflowError counts activities that were dropped. It is [ErrOverflow].
type OverflowError struct{ Count int }

func (e *OverflowError) Error() string {
	return fmt.Sprintf("webexmsg: the queue is full: %d activities were dropped", e.Count)
}

// Is reports it as ErrOverflow.
func (e *OverflowError) Is(target error) bool { return target == ErrOverflow }

// retryable says whether doing the same again later can help.
func retryable(err error) bool {
	var (
		api    *APIError
		closed *CloseError
		kms    *KMSError
	)
	switch {
	case errors.Is(err, ErrUnauthorized), errors.Is(err, ErrHostNotAllowed), errors.Is(err, ErrUntrusted),
		errors.Is(err, ErrClosed), errors.Is(err, context.Canceled), errors.Is(err, errTooManyKeys):
		return false
	case errors.As(err, &closed):
		v := closed.verdict()
		return v == closeTransient || v == closeDeviceGone
	case errors.As(err, &api):
		return transientStatus(api.StatusCode) || deviceGone(err)
	case errors.As(err, &kms) && kms.Status != 0:
		return transientStatus(kms.Status)
	}
	return true
}

func transientStatus(code int) bool {
	return code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout || code == http.StatusTooEarly
}

// deviceGone reports that Webex no longer knows the registration.
func deviceGone(err error) bool {
	var api *APIError
	if errors.As(err, &api) {
		return api.StatusCode == http.StatusNotFound || api.StatusCode == http.StatusGone
	}
	var closed *CloseError
	return errors.As(err, &closed) && closed.verdict() == closeDeviceGone
}

// registrationRefused reports that a refresh has failed for good: the device
// is forgotten, or it is not this token's.
func registrationRefused(err error) bool {
	var api *APIError
	return deviceGone(err) || errors.As(err, &api) && (api.StatusCode == http.StatusForbidden || api.StatusCode == http.StatusBadRequest)
}

// retryAfter is how long a server asked to be left alone, within reason.
func retryAfter(err error) time.Duration {
	var api *APIError
	if !errors.As(err, &api) {
		return 0
	}
	return min(api.RetryAfter, 5*time.Minute)
}
