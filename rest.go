package webexmsg

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/webexmsg/webexmsg/internal/loose"
)

const (
	// exchangeTimeout bounds one HTTP exchange, from dialling to the last byte.
	exchangeTimeout = 30 * time.Second
	// maxResponse bounds the body of an answer, in bytes.
	maxResponse = 16 << 20
	// exchangeTries is how often an exchange is made when it fails in a way
	// that passes. Longer trouble is the supervising loop's to wait out.
	exchangeTries = 3
	// patience is the longest Retry-After that is waited for in place.
	patience = 5 * time.Second
)

// version goes into the User-Agent header.
const version = "0.1.0"

var userAgent = "webexmsg/" + version + " (+https://github.com/webexmsg/webexmsg) " + runtime.Version()

// A restClient makes the HTTP exchanges: authorised, tracked, bounded, and
// only with hosts that the gate lets pass. It is safe for concurrent use.
type restClient struct {
	http  *http.Client // for the WebSocket's upgrade too
	creds *credentials
	log   *slog.Logger

	session string // the UUID in tracking ids
	serial  atomic.Uint64

	// skew is how far Webex's clock is ahead of this one, in nanoseconds.
	skew atomic.Int64
}

func newRESTClient(cfg *settings, creds *credentials) *restClient {
	client := &http.Client{}
	if cfg.HTTPClient != nil {
		*client = *cfg.HTTPClient
	} else if t, ok := http.DefaultTransport.(*http.Transport); ok {
		client.Transport = t.Clone() // idle connections of its own, which Disconnect closes
	}
	next := client.Transport
	if next == nil { // also where a program has put something else in the default's place
		next = http.DefaultTransport
	}
	client.Transport = &gatedTransport{gate: cfg.gate, next: next}
	return &restClient{http: client, creds: creds, log: cfg.Logger, session: uuid.NewString()}
}

// trackingID makes the id of one exchange in the form that Webex support asks for.
func (c *restClient) trackingID() string {
	return fmt.Sprintf("webexmsg_%s_%d", c.session, c.serial.Add(1))
}

// serverNow is the time by Webex's clock, as far as it has shown it.
func (c *restClient) serverNow() time.Time {
	return time.Now().Add(time.Duration(c.skew.Load()))
}

// setClock learns that Webex's clock shows a time between the two: as it is
// taken to, or else the nearer of them.
func (c *restClient) setClock(from, to time.Time) {
	switch now := c.serverNow(); {
	case now.Before(from):
		c.skew.Add(int64(from.Sub(now)))
	case now.After(to):
		c.skew.Add(int64(to.Sub(now)))
	}
}

// do makes one exchange with a JSON body (unless in is nil), reads a JSON
// answer into out (unless out is nil), and tries again what may pass soon. The
// answer's header is returned for what stands beside the body.
func (c *restClient) do(ctx context.Context, service, method, rawURL string, in, out any) (http.Header, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, fmt.Errorf("%s: %w", service, err)
		}
	}
	renewed := false
	for try := 1; ; try++ {
		token := c.creds.token()
		header, err := c.exchange(ctx, token, method, rawURL, body, out)
		if err == nil {
			return header, nil
		}
		if errors.Is(err, ErrUnauthorized) && c.creds.renewable() && !renewed {
			if err := c.creds.renew(ctx, token); err != nil {
				return nil, fmt.Errorf("%s: %w", service, err)
			}
			renewed = true
			continue
		}
		wait, again := retryIn(err, try)
		if !again || try == exchangeTries {
			return nil, fmt.Errorf("%s: %w", service, err)
		}
		c.log.Debug("exchange failed, trying again", "service", service, "wait", wait, "err", err)
		if sleep(ctx, wait) != nil {
			return nil, fmt.Errorf("%s: %w", service, err)
		}
	}
}

// retryIn says whether an exchange that failed is worth another try at once,
// and after which wait: what the server asked for, else a short random one.
func retryIn(err error, try int) (time.Duration, bool) {
	var api *APIError
	if errors.As(err, &api) {
		if !transientStatus(api.StatusCode) || api.RetryAfter > patience {
			return 0, false
		}
		if api.RetryAfter > 0 {
			return api.RetryAfter, true
		}
	} else if !retryable(err) || errors.Is(err, context.DeadlineExceeded) {
		return 0, false
	}
	bound := 200 * time.Millisecond << try
	return bound/2 + rand.N(bound/2), true
}

func (c *restClient) exchange(ctx context.Context, token, method, rawURL string, body []byte, out any) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	req, err := c.newRequest(ctx, token, method, rawURL, body)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, withoutQuery(err)
	}
	defer res.Body.Close()
	if date, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		c.setClock(date, date.Add(time.Second)) // it is cut to the second
	}

	data, err := io.ReadAll(io.LimitReader(res.Body, maxResponse+1))
	switch {
	case res.StatusCode < 200 || res.StatusCode > 299:
		return nil, newAPIError(req, res, data)
	case err != nil:
		return nil, fmt.Errorf("reading the answer of %s: %w", req.URL.Host, err)
	case len(data) > maxResponse:
		return nil, fmt.Errorf("the answer of %s is larger than %d bytes", req.URL.Host, maxResponse)
	case out == nil:
		return res.Header, nil
	}
	if err := loose.Unmarshal(data, out); err != nil {
		return nil, fmt.Errorf("the answer of %s is not JSON: %w", req.URL.Host, err)
	}
	return res.Header, nil
}

func (c *restClient) newRequest(ctx context.Context, token, method, rawURL string, body []byte) (*http.Request, error) {
	var r io.Reader
	if body != nil {
		r = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(ctx, method, rawURL, r)
	if err != nil {
		return nil, withoutQuery(err)
	}
	c.identify(req.Header)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// identify sets the headers by which Webex knows a client and a request.
func (c *restClient) identify(h http.Header) {
	h.Set("User-Agent", userAgent)
	h.Set("TrackingID", c.trackingID())
}

func newAPIError(req *http.Request, res *http.Response, body []byte) *APIError {
	u := *req.URL
	u.RawQuery, u.Fragment, u.User = "", "", nil
	e := &APIError{
		Method:     req.Method,
		URL:        u.String(),
		StatusCode: res.StatusCode,
		TrackingID: req.Header.Get("TrackingID"),
		excessive:  res.StatusCode == http.StatusForbidden && bytes.Contains(bytes.ToLower(body), []byte("excessive device registrations")),
	}
	if id := res.Header.Get("TrackingID"); id != "" && len(id) < 200 {
		e.TrackingID = id
	}
	after := res.Header.Get("Retry-After")
	if n, err := strconv.Atoi(after); err == nil && n > 0 {
		e.RetryAfter = time.Duration(n) * time.Second
	} else if t, err := http.ParseTime(after); err == nil {
		e.RetryAfter = max(0, time.Until(t))
	}
	return e
}

// withoutQuery removes the query from the address in an error of net/http: a
// log is no place for what may stand there.
func withoutQuery(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		ue.URL, _, _ = strings.Cut(ue.URL, "?")
	}
	return err
}

// sleep waits for d, or until ctx ends and then returns its error.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
