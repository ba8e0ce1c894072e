package webexmsgtest

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
)

// holdAnswers is how long ReorderKMS and BatchKMS wait for the last of their n.
const holdAnswers = 500 * time.Millisecond

// A kmsAnswer is on its way to the sockets of a device.
type kmsAnswer struct {
	device string // URL
	body   map[string]any
	wrap   func(body []byte) string
}

// kmsAnswers are the faults between the KMS and the socket, guarded by
// Server.mu. Each answer passes them in the order of the fields.
type kmsAnswers struct {
	drop      int
	stranger  int
	duplicate int
	delay     time.Duration
	reorder   gathering
	batch     gathering
}

// A gathering holds answers until it has as many as it wants.
type gathering struct {
	want int
	held []kmsAnswer
}

// add takes a in and returns what is to be sent now.
func (g *gathering) add(a kmsAnswer) []kmsAnswer {
	g.held = append(g.held, a)
	if len(g.held) < g.want {
		return nil
	}
	return g.release()
}

// release ends the gathering and returns what it held.
func (g *gathering) release() []kmsAnswer {
	held := g.held
	*g = gathering{}
	return held
}

// answerKMS sends an answer through the faults. It needs s.mu.
func (s *Server) answerKMS(a kmsAnswer) {
	f := &s.kms.answers
	if take(&f.drop) {
		return
	}
	out := []kmsAnswer{a}
	if take(&f.stranger) {
		// Plausible in all but its requestId, so that only that can tell.
		body := map[string]any{}
		for name, value := range a.body {
			body[name] = value
		}
		body["requestId"] = uuid.NewString()
		out = []kmsAnswer{{a.device, body, a.wrap}, a}
	}
	if take(&f.duplicate) {
		out = append(out, a)
	}
	for _, a := range out {
		if f.delay > 0 {
			s.after(f.delay, func() {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.gatherKMS(a)
			})
		} else {
			s.gatherKMS(a)
		}
	}
}

// gatherKMS needs s.mu.
func (s *Server) gatherKMS(a kmsAnswer) {
	f := &s.kms.answers
	switch {
	case f.reorder.want > 0:
		s.holdKMS(&f.reorder)
		s.sendReversed(f.reorder.add(a))
	case f.batch.want > 0:
		s.holdKMS(&f.batch)
		s.sendKMS(f.batch.add(a)...)
	default:
		s.sendKMS(a)
	}
}

func (s *Server) sendReversed(list []kmsAnswer) {
	slices.Reverse(list)
	for _, a := range list {
		s.sendKMS(a)
	}
}

// holdKMS lets go of what a gathering holds when the rest does not come. It
// needs s.mu.
func (s *Server) holdKMS(g *gathering) {
	if len(g.held) > 0 {
		return // the clock is running since the first
	}
	s.after(holdAnswers, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(g.held) == 0 {
			return
		}
		if g == &s.kms.answers.reorder {
			s.sendReversed(g.release())
		} else {
			s.sendKMS(g.release()...)
		}
	})
}

// sendKMS sends answers in one frame a device. It needs s.mu.
func (s *Server) sendKMS(list ...kmsAnswer) {
	byDevice := make(map[string][]string)
	var order []string
	for _, a := range list {
		if byDevice[a.device] == nil {
			order = append(order, a.device)
		}
		byDevice[a.device] = append(byDevice[a.device], a.wrap(must(json.Marshal(a.body))))
	}
	for _, device := range order {
		id := device[strings.LastIndexByte(device, '/')+1:]
		members := `"encryption":` + string(must(json.Marshal(map[string]any{"kmsMessages": byDevice[device]})))
		f := newFrame("encryption.kms_message", members, time.Now())
		for _, k := range s.socketsOf(id) {
			k.send(f)
		}
	}
}

// DelayKMS delays every KMS answer by d from now on. 0 undoes it.
func (s *Server) DelayKMS(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kms.answers.delay = d
}

// DropKMS drops the next n KMS answers. The requests count as made.
func (s *Server) DropKMS(n int) { s.setCount(&s.kms.answers.drop, n) }

// DuplicateKMS sends each of the next n KMS answers twice.
func (s *Server) DuplicateKMS(n int) { s.setCount(&s.kms.answers.duplicate, n) }

// StrangerKMS sends, before each of the next n KMS answers, one to a requestId
// that nobody asked, else the same.
func (s *Server) StrangerKMS(n int) { s.setCount(&s.kms.answers.stranger, n) }

// ReorderKMS holds the next n KMS answers and sends them in reverse order. What
// is held when half a second has passed is sent so too.
func (s *Server) ReorderKMS(n int) { s.setCount(&s.kms.answers.reorder.want, n) }

// BatchKMS holds the next n KMS answers and sends them in one frame. What is
// held when half a second has passed is sent so too.
func (s *Server) BatchKMS(n int) { s.setCount(&s.kms.answers.batch.want, n) }
