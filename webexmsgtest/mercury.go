package webexmsgtest

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"
)

const (
	authorizationTimeout = 30 * time.Second
	closeTimeout         = 5 * time.Second // for the other side's half of the closing handshake
	maxClientFrame       = 16 << 20
)

// A socket is one authorised WebSocket. Its outgoing queue has no bound, so
// that a slow client never holds up a verb.
type socket struct {
	s      *Server
	device *device
	ws     *websocket.Conn
	tls    interface{ Write([]byte) (int, error) }
	net    *conn

	// Guarded by s.mu.
	sequence int
	unacked  map[string]int // sequence number by id, of frames sent and not acknowledged

	mu      sync.Mutex
	cond    *sync.Cond
	queue   [][]byte
	goodbye *websocket.CloseError // to be sent after the queue
	ended   bool

	lastCall *time.Timer // tears down what does not finish its closing handshake
}

func (s *Server) mercuryRoutes(handle routeFunc) {
	handle("GET "+mercuryPath+"/registrations/{id}/messages", UpgradeEndpoint, public, (*exchange).upgrade)
}

func (x *exchange) upgrade() {
	s := x.s
	s.mu.Lock()
	d := s.device(x.r.PathValue("id"))
	s.mu.Unlock()
	if d == nil {
		x.fail(http.StatusNotFound, "no such registration")
		return
	}
	ctx := x.r.Context()
	k := &socket{s: s, device: d, unacked: make(map[string]int)}
	k.cond = sync.NewCond(&k.mu)
	k.tls, k.net = connsOf(ctx)

	s.recordStatus(x.record, http.StatusSwitchingProtocols)
	ws, err := websocket.Accept(x.w, x.r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		s.recordStatus(x.record, http.StatusBadRequest) // Accept has answered
		return
	}
	ws.SetReadLimit(maxClientFrame)
	k.ws = ws
	defer ws.CloseNow()

	if !k.authorize(ctx) {
		k.drain(ctx)
	} else if k.attach() {
		var writer sync.WaitGroup
		writer.Go(k.write)
		k.read(ctx)
		k.detach()
		ws.CloseNow()
		writer.Wait()
	}
	if k.lastCall != nil {
		k.lastCall.Stop()
	}
}

// clientFrame is what clients send.
type clientFrame struct {
	ID        string `json:"id"`
	Type      string `json:"type"`
	MessageID string `json:"messageId"`
	Data      struct {
		Token string `json:"token"`
	} `json:"data"`
}

// authorize awaits the client's first frame, and says goodbye if it will not do.
func (k *socket) authorize(ctx context.Context) bool {
	refuse := func(reason string) {
		k.goodbye = &websocket.CloseError{Code: 4401, Reason: reason}
		k.closeHandshake()
	}
	// Not by a deadline of ctx: at that the WebSocket library tears the
	// connection down before anything can be said.
	expired := make(chan struct{})
	timer := time.AfterFunc(authorizationTimeout, func() {
		defer close(expired)
		refuse("authorization timeout")
	})
	_, data, err := k.ws.Read(ctx)
	if !timer.Stop() {
		<-expired
		return false
	}
	var f clientFrame
	if err != nil || json.Unmarshal(data, &f) != nil || f.Type != "authorization" {
		refuse("authorization expected")
		return false
	}
	token, _ := strings.CutPrefix(f.Data.Token, "Bearer ")
	if k.s.personOf(token) != k.device.owner {
		refuse("authorization failed")
		return false
	}
	return true
}

// attach makes the socket the one of its registration and announces that it
// is ready. It returns false when the network went away meanwhile.
func (k *socket) attach() bool {
	s, p := k.s, k.device.owner
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.net.stalled.Load() {
		return false
	}
	for _, other := range slices.Clone(p.sockets) {
		if other.device.id == k.device.id {
			other.end(4000, "replaced")
		}
	}
	p.sockets = append(p.sockets, k)
	k.send(newFrame("mercury.buffer_state", `"bufferState":{}`, time.Now()))
	s.notify()
	return true
}

// detach forgets the socket, so that nothing is queued for it any more, and
// stops its writer.
func (k *socket) detach() {
	k.s.mu.Lock()
	k.remove()
	k.s.mu.Unlock()

	k.mu.Lock()
	k.ended = true
	k.cond.Signal()
	k.mu.Unlock()
}

// remove needs s.mu.
func (k *socket) remove() {
	p := k.device.owner
	p.sockets = slices.DeleteFunc(p.sockets, func(other *socket) bool { return other == k })
	k.s.notify()
}

// end says goodbye once what is queued has been sent. From now on the socket
// gets nothing more. It needs s.mu.
func (k *socket) end(code int, reason string) {
	k.remove()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.goodbye = &websocket.CloseError{Code: websocket.StatusCode(code), Reason: reason}
	k.cond.Signal()
}

// A frame is a Mercury message but for its sequence number, which is each
// connection's own: it is made once for all sockets that get it.
type frame struct {
	id   string
	head []byte
}

// newFrame takes the members of data after eventType, as JSON.
func newFrame(eventType, members string, at time.Time) frame {
	id := uuid.NewString()
	head := fmt.Appendf(make([]byte, 0, len(members)+320),
		`{"id":%q,"data":{"eventType":%q,%s},"timestamp":%d,"trackingId":%q,"alertType":"none","headers":{},"filterMessage":false`,
		id, eventType, members, at.UnixMilli(), trackingID())
	return frame{id: id, head: head}
}

// send queues f under the connection's next sequence number. It needs s.mu.
func (k *socket) send(f frame) {
	k.sequence++
	b := make([]byte, 0, len(f.head)+32)
	b = append(b, f.head...)
	b = append(b, `,"sequenceNumber":`...)
	b = strconv.AppendInt(b, int64(k.sequence), 10)
	b = append(b, '}')
	k.unacked[f.id] = k.sequence
	k.enqueue(b)
}

func (k *socket) enqueue(b []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.queue = append(k.queue, b)
	k.cond.Signal()
}

// write sends what is queued until the connection ends.
func (k *socket) write() {
	for {
		k.mu.Lock()
		for len(k.queue) == 0 && k.goodbye == nil && !k.ended {
			k.cond.Wait()
		}
		queue, goodbye, ended := k.queue, k.goodbye, k.ended
		k.queue = nil
		k.mu.Unlock()
		if ended {
			return
		}
		for _, b := range queue {
			if k.ws.Write(context.Background(), websocket.MessageText, b) != nil {
				k.net.Close() // wakes the reader, which ends the socket
				return
			}
		}
		if goodbye != nil {
			k.closeHandshake()
			return
		}
	}
}

// closeHandshake begins to close the connection. It writes the frame itself,
// since the WebSocket library refuses some of the codes that Mercury uses.
func (k *socket) closeHandshake() {
	var payload []byte
	if k.goodbye.Code != websocket.StatusNoStatusRcvd {
		payload = binary.BigEndian.AppendUint16(nil, uint16(k.goodbye.Code))
		payload = append(payload, k.goodbye.Reason[:min(len(k.goodbye.Reason), 123)]...)
	}
	const finalClose = 0x88
	k.tls.Write(append([]byte{finalClose, byte(len(payload))}, payload...))
	k.lastCall = time.AfterFunc(closeTimeout, func() { k.net.Close() })
}

// drain reads until the connection ends.
func (k *socket) drain(ctx context.Context) {
	for {
		if _, _, err := k.ws.Read(ctx); err != nil {
			return
		}
	}
}

// read handles what the client sends until the connection ends.
func (k *socket) read(ctx context.Context) {
	for {
		_, data, err := k.ws.Read(ctx)
		if err != nil {
			return
		}
		var f clientFrame
		if json.Unmarshal(data, &f) != nil {
			continue
		}
		switch f.Type {
		case "ack":
			k.s.recordAck(k, f.MessageID)
		case "ping":
			if !k.s.pongsSwallowed() {
				k.enqueue(must(json.Marshal(map[string]string{"id": f.ID, "type": "pong"})))
			}
		}
	}
}
