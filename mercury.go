package webexmsg

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/google/uuid"
)

const (
	// readyTimeout is how long Mercury may take from the authorization frame
	// to the ready event, as in Cisco's SDK.
	readyTimeout = 30 * time.Second
	// writeTimeout bounds the writing of one frame.
	writeTimeout = 10 * time.Second
	// closeTimeout bounds the closing handshake.
	closeTimeout = 2 * time.Second
	// maxPendingAcks bounds the acks that wait to be written. Those beyond it
	// are left out: what is sent again for want of an ack is known by its id.
	maxPendingAcks = 8192
)

// A mercurySink takes what arrives on a socket. Its methods are called by the
// reading goroutine and must not wait for anything.
type mercurySink interface {
	// activity takes one conversation.activity. ack acknowledges its frame.
	activity(a *activity, ack func())
	kmsAnswers(messages []string)
	// lost says that frames are known to be missing, and why. err is what the
	// program should hear of; nil if nothing.
	lost(cause string, err error)
	// alive is called for every frame, before anything else.
	alive(pong bool)
}

// A mercury is one authorised socket, used once: it is dialled, it delivers
// until it ends, and it is never opened again.
type mercury struct {
	ws           *websocket.Conn
	wire         *wire // under ws
	rest         *restClient
	sink         mercurySink
	pingInterval time.Duration
	pongTimeout  time.Duration
	maxFrame     int64 // bytes; a larger one is discarded as it streams in

	out    chan []byte   // frames to write: the authorization, and pings
	acks   chan string   // ids of frames to acknowledge
	pongs  chan string   // ids of pongs; holds one
	ready  chan struct{} // closed at the ready event
	since  time.Time     // when that was, by the server's clock; read after ready alone
	proven chan struct{} // closed at the first pong: the connection has stood for a while

	ctx  context.Context // ends when the socket has; its cause says why
	end  context.CancelCauseFunc
	done sync.WaitGroup
}

// dialMercury dials, authorises and waits for the ready event. What arrives
// before it goes to the sink like everything after it.
func dialMercury(ctx context.Context, cfg *settings, rest *restClient, dev *device, sink mercurySink) (*mercury, error) {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	target, err := dev.socketURL(time.Now())
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	rest.identify(header)
	header.Set("Authorization", "Bearer "+rest.creds.token())
	client := *rest.http
	under := &wire{next: client.Transport}
	client.Transport = under
	ws, res, err := websocket.Dial(ctx, target, &websocket.DialOptions{HTTPClient: &client, HTTPHeader: header})
	if err != nil {
		if res != nil && res.StatusCode != http.StatusSwitchingProtocols && res.Request != nil {
			err = newAPIError(res.Request, res, nil)
		}
		return nil, fmt.Errorf("socket (Mercury): %w", withoutQuery(err))
	}
	ws.SetReadLimit(-1) // read applies its own

	m := &mercury{
		ws: ws, wire: under, rest: rest, sink: sink, pingInterval: cfg.PingInterval, pongTimeout: cfg.PongTimeout, maxFrame: int64(cfg.MaxFrameSize),
		out: make(chan []byte, 2), acks: make(chan string, maxPendingAcks), pongs: make(chan string, 1),
		ready: make(chan struct{}), proven: make(chan struct{}),
	}
	m.ctx, m.end = context.WithCancelCause(context.Background())
	m.done.Go(m.read)
	m.done.Go(m.write)

	m.send(map[string]any{
		"id": uuid.NewString(), "type": "authorization", "trackingId": rest.trackingID(),
		"data": map[string]string{"token": "Bearer " + rest.creds.token()},
	})
	select {
	case <-m.ready:
		m.done.Go(m.ping)
		return m, nil
	case <-m.ctx.Done():
	case <-ctx.Done():
		err := ctx.Err()
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("no ready event: %w", err)
		}
		m.end(err)
	}
	return nil, fmt.Errorf("socket (Mercury): %w", m.wait())
}

// wait returns why the socket ended, after all its goroutines have.
func (m *mercury) wait() error {
	<-m.ctx.Done()
	m.ws.CloseNow()
	m.done.Wait()
	return context.Cause(m.ctx)
}

// close ends the socket with the given code, politely as long as closeTimeout
// lasts, and then in any case.
func (m *mercury) close(code websocket.StatusCode, reason string) {
	t := time.AfterFunc(closeTimeout, func() { m.end(ErrClosed) })
	defer t.Stop()
	m.ws.Close(code, reason) // its error says only that the other side was gone first
	m.end(ErrClosed)
	m.wait()
}

func (m *mercury) read() {
	var (
		buf  bytes.Buffer
		next int64 // the sequence number to come; 0 when unknown
	)
	for {
		_, r, err := m.ws.Reader(m.ctx)
		if err == nil {
			buf.Reset()
			_, err = buf.ReadFrom(io.LimitReader(r, m.maxFrame+1))
		}
		if err == nil && int64(buf.Len()) > m.maxFrame {
			var rest int64
			if rest, err = io.Copy(io.Discard, r); err == nil {
				m.rest.log.Warn("discarded an oversized frame", "bytes", int64(buf.Len())+rest)
				m.sink.lost("oversized frame", fmt.Errorf("%w: %d bytes", ErrFrameTooLarge, int64(buf.Len())+rest))
				next = 0 // its number was not read
				buf = bytes.Buffer{}
				continue
			}
		}
		if err != nil {
			m.end(m.closeCause(err))
			return
		}
		f, err := parseFrame(buf.Bytes())
		if err != nil {
			m.rest.log.Warn("discarded a frame that is not JSON", "bytes", buf.Len())
			m.sink.lost("unreadable frame", fmt.Errorf("socket (Mercury): a frame of %d bytes: %w", buf.Len(), err))
			continue
		}
		if f.Sequence != 0 {
			if next != 0 && f.Sequence > next {
				m.rest.log.Warn("frames were lost", "from", next, "to", f.Sequence-1)
				m.sink.lost("sequence gap", nil)
			}
			next = max(next, f.Sequence+1)
		}
		m.route(f)
	}
}

// route sends a frame to whom it is for. The moment of its ack is here alone:
// at once, as in Cisco's SDK, but for activities, which their taker acks.
func (m *mercury) route(f frame) {
	m.sink.alive(f.Type == "pong")
	switch {
	case f.Type == "pong":
		select {
		case m.pongs <- f.ID:
		default:
		}
		return
	case f.Type == "shutdown":
		m.end(&CloseError{Code: 1001, Reason: "shutdown announced"})
		return
	}
	if f.Activity != nil {
		m.sink.activity(f.Activity, func() { m.ack(f.ID) })
		return
	}
	m.ack(f.ID)
	switch {
	case len(f.KMS) > 0:
		m.sink.kmsAnswers(f.KMS)
	case f.Type == "" && (f.EventType == "mercury.buffer_state" || f.EventType == "mercury.registration_status"):
		select {
		case <-m.ready:
		default:
			m.since = f.Timestamp.Time
			close(m.ready)
		}
	default:
		m.rest.log.Debug("ignored a frame", "eventType", f.EventType, "type", f.Type)
	}
}

func (m *mercury) ack(id string) {
	if id == "" {
		return
	}
	select {
	case m.acks <- id:
	default:
	}
}

// send queues a frame for the writing goroutine, and never waits.
func (m *mercury) send(v any) {
	b, err := json.Marshal(v)
	if err != nil {
		m.end(err)
		return
	}
	select {
	case m.out <- b:
	default:
		m.end(errors.New("socket (Mercury): the server has stopped reading"))
	}
}

// write writes what is queued, pings before acks, and all that is there at once.
func (m *mercury) write() {
	// A write has no deadline of its own: when one takes too long, the end of
	// m.ctx has wait close the socket under it.
	watchdog := time.AfterFunc(writeTimeout, func() {
		m.end(errors.New("socket (Mercury): the server has stopped reading"))
	})
	watchdog.Stop()
	for {
		var b []byte
		select {
		case <-m.ctx.Done():
			return
		case b = <-m.out:
		case id := <-m.acks:
			b = ackFrame(id)
		}
		watchdog.Reset(writeTimeout)
		m.wire.cork()
		err := m.ws.Write(context.Background(), websocket.MessageText, b)
		for more := true; more && err == nil; {
			select {
			case b = <-m.out:
				err = m.ws.Write(context.Background(), websocket.MessageText, b)
			case id := <-m.acks:
				err = m.ws.Write(context.Background(), websocket.MessageText, ackFrame(id))
			default:
				more = false
			}
		}
		if uerr := m.wire.uncork(); err == nil {
			err = uerr
		}
		watchdog.Stop()
		if err != nil {
			m.end(m.closeCause(err))
			return
		}
	}
}

func ackFrame(id string) []byte {
	quoted, _ := json.Marshal(id) // a string always can be
	return slices.Concat([]byte(`{"messageId":`), quoted, []byte(`,"type":"ack"}`))
}

// ping asks for a sign of life every pingInterval. It is what finds out that a
// connection is dead of which nothing else is heard.
func (m *mercury) ping() {
	for sleep(m.ctx, m.pingInterval) == nil {
		id := uuid.NewString()
		m.send(map[string]string{"id": id, "type": "ping"})
		if !m.pong(id) {
			m.end(fmt.Errorf("socket (Mercury): no pong within %v", m.pongTimeout))
			return
		}
		select {
		case <-m.proven:
		default:
			close(m.proven)
		}
	}
}

// pong waits for the pong of the given id; others are late ones.
func (m *mercury) pong(id string) bool {
	timeout := time.NewTimer(m.pongTimeout)
	defer timeout.Stop()
	for {
		select {
		case got := <-m.pongs:
			if got == id {
				return true
			}
		case <-timeout.C:
			return false
		case <-m.ctx.Done():
			return true // it ends for another reason
		}
	}
}

// closeCause turns an error of the socket into what the library reports.
func (m *mercury) closeCause(err error) error {
	if seen := m.wire.closed(); seen != nil {
		return seen
	}
	var ce websocket.CloseError
	if errors.As(err, &ce) { // a close frame without a code
		return &CloseError{Code: int(ce.Code), Reason: ce.Reason}
	}
	return fmt.Errorf("socket (Mercury): %w", err)
}
