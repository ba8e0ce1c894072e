package webexmsgtest

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A Request is what the server remembers of an HTTP request.
type Request struct {
	Time       time.Time
	Endpoint   Endpoint
	Method     string
	Path       string
	Query      string
	Status     int // 0: not answered yet, or never
	TrackingID string
	UserAgent  string
	HasToken   bool // it carried an Authorization header with a bearer token
}

// A Device is a registration with WDM.
type Device struct {
	ID      string
	URL     string
	Name    string
	TTL     time.Duration // 0: does not expire
	Created time.Time
	Seen    time.Time // last registered or refreshed
	Unacked []string  // ids of the frames that its open socket was sent and has not acknowledged, oldest first
}

// records are guarded by Server.mu.
type records struct {
	requests    []*Request
	counts      map[Endpoint]int
	acks        []string
	kmsPosts    int
	kmsRequests int
	handshakes  int
}

func (r *records) init() { r.counts = make(map[Endpoint]int) }

func (s *Server) recordRequest(r *http.Request, e Endpoint) *Request {
	rec := &Request{
		Time:       time.Now(),
		Endpoint:   e,
		Method:     r.Method,
		Path:       r.URL.Path,
		Query:      r.URL.RawQuery,
		TrackingID: r.Header.Get("TrackingID"),
		UserAgent:  r.Header.Get("User-Agent"),
		HasToken:   strings.HasPrefix(r.Header.Get("Authorization"), "Bearer "),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records.requests = append(s.records.requests, rec)
	s.records.counts[e]++
	s.notify()
	return rec
}

func (s *Server) recordStatus(rec *Request, status int) {
	s.mu.Lock()
	rec.Status = status
	s.mu.Unlock()
	s.log.Debug("webexmsgtest: request", "method", rec.Method, "path", rec.Path, "status", status, "trackingId", rec.TrackingID)
}

func (s *Server) recordAck(k *socket, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records.acks = append(s.records.acks, id)
	delete(k.unacked, id)
	s.notify()
}

// Requests are all requests so far, in the order of their arrival.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Request, len(s.records.requests))
	for i, r := range s.records.requests {
		list[i] = *r
	}
	return list
}

// Count is the number of requests to e so far, those included that failed or
// hang.
func (s *Server) Count(e Endpoint) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e == EveryEndpoint {
		return len(s.records.requests)
	}
	return s.records.counts[e]
}

// Devices are p's registrations that have not expired, oldest first.
func (s *Server) Devices(p *Person) []Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Device
	for _, d := range s.devicesOf(p) {
		name, _ := d.info["name"].(string)
		list = append(list, Device{
			ID: d.id, URL: s.deviceURL(d), Name: name, TTL: d.ttl, Created: d.created, Seen: d.seen,
			Unacked: unacked(s.socketsOf(d.id)),
		})
	}
	return list
}

// Sockets is the number of open, authorised sockets.
func (s *Server) Sockets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.allSockets())
}

// WaitSockets returns when n sockets are open and authorised, or else ctx's
// error.
func (s *Server) WaitSockets(ctx context.Context, n int) error {
	return s.wait(ctx, func() bool { return len(s.allSockets()) == n })
}

// WaitCount returns when there have been n requests to e, or else ctx's error.
func (s *Server) WaitCount(ctx context.Context, e Endpoint, n int) error {
	return s.wait(ctx, func() bool {
		if e == EveryEndpoint {
			return len(s.records.requests) >= n
		}
		return s.records.counts[e] >= n
	})
}

// Acks are the ids of the frames that were acknowledged, in the order of the
// acknowledgements, with repetitions.
func (s *Server) Acks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records.acks)
}

// Unacked are the ids of the frames that p's open sockets were sent and have
// not acknowledged, socket by socket, oldest first.
func (s *Server) Unacked(p *Person) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return unacked(p.sockets)
}

// unacked needs s.mu.
func unacked(sockets []*socket) []string {
	var ids []string
	for _, k := range sockets {
		ids = append(ids, slices.SortedFunc(maps.Keys(k.unacked), func(a, b string) int {
			return cmp.Compare(k.unacked[a], k.unacked[b])
		})...)
	}
	return ids
}

// WaitAcked returns when every frame that was sent to an open socket has been
// acknowledged, or else ctx's error.
func (s *Server) WaitAcked(ctx context.Context) error {
	return s.wait(ctx, func() bool {
		return !slices.ContainsFunc(s.allSockets(), func(k *socket) bool { return len(k.unacked) > 0 })
	})
}

// KMSPosts is the number of POSTs to the KMS that carried requests.
func (s *Server) KMSPosts() int { return s.count(&s.records.kmsPosts) }

// KMSRequests is the number of requests inside those POSTs.
func (s *Server) KMSRequests() int { return s.count(&s.records.kmsRequests) }

// Handshakes is the number of key exchanges with the KMS that succeeded on its
// side.
func (s *Server) Handshakes() int { return s.count(&s.records.handshakes) }

func (s *Server) count(counter *int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *counter
}

// notify makes those who wait look again. It needs s.mu.
func (s *Server) notify() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// wait returns nil as soon as ready, which is called with s.mu held, says so.
func (s *Server) wait(ctx context.Context, ready func() bool) error {
	for {
		s.mu.Lock()
		if ready() {
			s.mu.Unlock()
			return nil
		}
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
