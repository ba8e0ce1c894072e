package webexmsgtest

import (
	"net/http"
	"slices"
	"time"
)

// faults are guarded by Server.mu.
type faults struct {
	failures  map[Endpoint]*failure
	hangs     map[Endpoint]int
	delays    map[Endpoint]time.Duration
	noPongs   bool
	lose      int
	duplicate int
	skip      int
	corrupt   int
}

type failure struct {
	left   int // negative: until restored
	status int
	header http.Header
	body   string
}

func (f *faults) init() {
	f.failures = make(map[Endpoint]*failure)
	f.hangs = make(map[Endpoint]int)
	f.delays = make(map[Endpoint]time.Duration)
}

// take counts down to 0, and reports whether it was not there yet.
func take(n *int) bool {
	if *n <= 0 {
		return false
	}
	*n--
	return true
}

func (s *Server) setCount(counter *int, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*counter = n
}

// takeFaults returns what a request to e must suffer.
func (s *Server) takeFaults(e Endpoint) (delay time.Duration, hang bool, fail *failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &s.faults
	for _, e := range []Endpoint{e, EveryEndpoint} {
		delay = max(delay, f.delays[e])
		if n := f.hangs[e]; n != 0 && !hang {
			hang = true
			f.hangs[e] = max(n-1, -1)
		}
	}
	if hang {
		return delay, true, nil
	}
	for _, e := range []Endpoint{e, EveryEndpoint} {
		if fail = f.failures[e]; fail != nil {
			if fail.left--; fail.left == 0 {
				delete(f.failures, e)
			}
			break
		}
	}
	return delay, false, fail
}

// Fail answers the next n requests to e with status, all until
// [Server.Restore] if n is negative. It replaces an earlier Fail for e.
func (s *Server) Fail(e Endpoint, n int, status int) { s.FailWith(e, n, status, nil, "") }

// FailWith is Fail with the headers, such as Retry-After, and the body of the
// answer. The body "" means an error in JSON as Webex has them.
func (s *Server) FailWith(e Endpoint, n int, status int, header http.Header, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n == 0 {
		delete(s.faults.failures, e)
		return
	}
	s.faults.failures[e] = &failure{left: n, status: status, header: header.Clone(), body: body}
}

// Hang leaves the next n requests to e, all until [Server.Restore] if n is
// negative, without an answer until the client goes away or the server is
// closed.
func (s *Server) Hang(e Endpoint, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.hangs[e] = max(n, -1)
}

// Delay makes every exchange with e take d longer. 0 undoes it.
func (s *Server) Delay(e Endpoint, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.delays[e] = d
}

// Restore undoes Fail, Hang and Delay for e; [EveryEndpoint] stands for each
// of them. Requests that hang already go on hanging.
func (s *Server) Restore(e Endpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := &s.faults
	if e == EveryEndpoint {
		f.init()
		return
	}
	delete(f.failures, e)
	delete(f.hangs, e)
	delete(f.delays, e)
}

// RefuseUpgrades answers the next n WebSocket upgrades with status.
func (s *Server) RefuseUpgrades(n int, status int) { s.Fail(UpgradeEndpoint, n, status) }

// ForgetDevices makes WDM forget every device: 404 for its URL and for its
// upgrade. Sockets that stand go on working; [Server.DropSockets] ends them.
func (s *Server) ForgetDevices() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.devices)
}

// Outage makes the whole cloud unreachable, or reachable again: every
// connection is torn down, and every new one at once.
func (s *Server) Outage(on bool) {
	s.ln.setOutage(on)
	if on {
		s.DropSockets()
	}
}

// allSockets needs s.mu.
func (s *Server) allSockets() []*socket {
	var all []*socket
	for _, p := range s.people {
		all = append(all, p.sockets...)
	}
	return all
}

// socketsOf returns the authorised sockets of a device. It needs s.mu.
func (s *Server) socketsOf(deviceID string) []*socket {
	return slices.DeleteFunc(s.allSockets(), func(k *socket) bool { return k.device.id != deviceID })
}

// DropSockets tears down the connections of all authorised sockets without a
// closing frame, and returns how many there were. They get nothing more.
func (s *Server) DropSockets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.allSockets()
	for _, k := range all {
		k.remove()
		k.net.Close()
	}
	return len(all)
}

// CloseSockets closes all authorised sockets with code and reason, and returns
// how many there were. What is queued is sent first; what is posted later they
// do not get. Code 1005 sends a closing frame without a code. Any code can be
// sent, also those that no frame may carry.
func (s *Server) CloseSockets(code int, reason string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.allSockets()
	for _, k := range all {
		k.end(code, reason)
	}
	return len(all)
}

// StallSockets makes the connections of all authorised sockets half-open, as
// when the network goes away without a word: nothing passes in either
// direction any more, and no end notices. What is posted is lost to them. They
// no longer count as open.
func (s *Server) StallSockets() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.allSockets() {
		k.net.stalled.Store(true)
		k.remove()
	}
}

// SwallowPongs leaves pings unanswered while it is on.
func (s *Server) SwallowPongs(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults.noPongs = on
}

func (s *Server) pongsSwallowed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults.noPongs
}

// DuplicateFrames sends each of the next n activities twice to every socket
// that gets it: the same frame, the second under the next sequence number.
// Activities that no socket gets do not count, here and in the next two.
func (s *Server) DuplicateFrames(n int) { s.setCount(&s.faults.duplicate, n) }

// SkipSequence leaves a sequence number out before each of the next n
// activities. Nothing is lost.
func (s *Server) SkipSequence(n int) { s.setCount(&s.faults.skip, n) }

// LoseFrames gives each of the next n activities its sequence number and does
// not send it. The conversation service has it.
func (s *Server) LoseFrames(n int) { s.setCount(&s.faults.lose, n) }

// CorruptJWE flips a bit in each of the next n strings that are encrypted with
// a content key.
func (s *Server) CorruptJWE(n int) { s.setCount(&s.faults.corrupt, n) }
