package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// An sdk is Cisco's SDK in a Node process of its own, as the client of one
// person, under the remote control of driver/main.js.
type sdk struct {
	name string // for reports: "sender", "witness"
	cmd  *exec.Cmd
	in   io.WriteCloser

	events chan event // closed when the process has ended

	mu         sync.Mutex
	calls      map[int]chan reply
	last       int
	complaints []string // what the SDK has logged as a warning or an error
	ended      error
}

// An event is what the driver says without being asked.
type event struct {
	Name string          `json:"event"`
	Data json.RawMessage `json:"data"`
}

type reply struct {
	Result json.RawMessage `json:"result"`
	Error  *sdkError       `json:"error"`
}

// An sdkError is what a call of the SDK was rejected with.
type sdkError struct {
	Message string `json:"message"`
	Status  int    `json:"status"`
}

func (e *sdkError) Error() string { return "the SDK refuses: " + e.Message }

// startSDK starts a client for p. dir is the directory of the Node project;
// scratch takes the file that names the cloud's authority.
func startSDK(ctx context.Context, dir, scratch, name string, cloud *webexmsgtest.Server, p *webexmsgtest.Person) (*sdk, error) {
	ca := filepath.Join(scratch, "ca.pem")
	if err := os.WriteFile(ca, cloud.CAPEM(), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "node", "--require", "./driver/route.js", "driver/main.js")
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	cmd.Env = append(os.Environ(),
		"NODE_EXTRA_CA_CERTS="+ca,
		"HYDRA_SERVICE_URL="+cloud.URL()+"/v1",
		"U2C_SERVICE_URL="+cloud.URL()+"/u2c/api/v1",
		"INTEROP_HOST="+publicHost,
		"INTEROP_ADDRESS="+cloud.Addr(),
		"INTEROP_TOKEN="+p.Token,
	)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start Node: %w", err)
	}
	s := &sdk{
		name:   name,
		cmd:    cmd,
		in:     in,
		events: make(chan event, 1024),
		calls:  make(map[int]chan reply),
	}
	go s.read(out)
	return s, nil
}

// read takes in what the driver writes until the process ends.
func (s *sdk) read(out io.Reader) {
	defer close(s.events)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			s.end(err)
			return
		}
		var message struct {
			ID int `json:"id"`
			reply
			event
		}
		if err := json.Unmarshal(line, &message); err != nil {
			s.end(fmt.Errorf("the driver does not speak JSON: %w", err))
			return
		}
		switch {
		case message.Name == "complaint":
			s.complain(message.Data)
		case message.Name != "":
			s.events <- message.event
		default:
			s.answer(message.ID, message.reply)
		}
	}
}

func (s *sdk) complain(data []byte) {
	var c struct{ Level, Text string }
	json.Unmarshal(data, &c) // what cannot be read complains of nothing
	complaint := c.Level + ": " + c.Text
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.complaints, complaint) {
		s.complaints = append(s.complaints, complaint)
	}
}

func (s *sdk) answer(id int, r reply) {
	s.mu.Lock()
	call := s.calls[id]
	delete(s.calls, id)
	s.mu.Unlock()
	if call != nil {
		call <- r
	}
}

// end fails the calls that wait.
func (s *sdk) end(err error) {
	waitErr := s.cmd.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = fmt.Errorf("the Node process of the SDK (%s) has ended: %w", s.name, errors.Join(err, waitErr))
	for id, call := range s.calls {
		delete(s.calls, id)
		close(call)
	}
}

// Call calls a function of the SDK, or one of the driver's own, and decodes
// what it resolves with into result, unless that is nil.
func (s *sdk) Call(ctx context.Context, result any, function string, args ...any) error {
	if args == nil {
		args = []any{}
	}
	call := make(chan reply, 1)
	s.mu.Lock()
	if s.ended != nil {
		defer s.mu.Unlock()
		return s.ended
	}
	s.last++
	id := s.last
	s.calls[id] = call
	s.mu.Unlock()

	line, err := json.Marshal(map[string]any{"id": id, "call": function, "args": args})
	if err != nil {
		return err
	}
	if _, err := s.in.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("%s: %w", function, err)
	}
	select {
	case r, ok := <-call:
		switch {
		case !ok:
			return s.ended
		case r.Error != nil:
			return fmt.Errorf("%s: %w", function, r.Error)
		case result == nil || r.Result == nil:
			return nil
		}
		return json.Unmarshal(r.Result, result)
	case <-ctx.Done():
		return fmt.Errorf("%s: the SDK gives no answer: %w", function, context.Cause(ctx))
	}
}

// Ask is Call for a result that is passed on as it is.
func (s *sdk) Ask(ctx context.Context, function string, args ...any) (json.RawMessage, error) {
	var result json.RawMessage
	err := s.Call(ctx, &result, function, args...)
	return result, err
}

// Complaints are what the SDK has logged since they were last asked for, as a
// hint at causes.
func (s *sdk) Complaints() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	complaints := s.complaints
	s.complaints = nil
	return complaints
}

// ignoreEvents is for a client that listens to nothing.
func (s *sdk) ignoreEvents() {
	for range s.events {
	}
}

// Close ends the process: by force if it does not end by itself.
func (s *sdk) Close() {
	s.in.Close()
	defer time.AfterFunc(patience, func() { s.cmd.Process.Kill() }).Stop()
	s.ignoreEvents() // until read has seen the end
}
