package webexmsg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A Cursor is how far a Handler has come, for its next start.
type Cursor struct {
	// Device is the URL of the registration, which the next start takes up
	// again if Webex still knows it.
	Device string `json:"device"`
	// Since is the time, by Webex's clock, before which every activity has
	// been handled.
	Since time.Time `json:"since"`
	// Handled names activities from about then on that have been handled.
	Handled []string `json:"handled,omitempty"`
}

// A Checkpoint keeps a [Cursor] from one run of a program to the next. A
// Handler calls Load when it connects and then Save, a few times a second at
// the most, from one goroutine at a time. Two Handlers must not share one.
type Checkpoint interface {
	// Load returns what was saved last, and the zero Cursor if nothing was.
	Load(ctx context.Context) (Cursor, error)
	Save(ctx context.Context, c Cursor) error
}

// FileCheckpoint keeps the cursor in a file. The file is replaced in one step,
// so that a crash at any moment leaves the old cursor or the new one.
func FileCheckpoint(path string) Checkpoint { return fileCheckpoint(path) }

type fileCheckpoint string

func (f fileCheckpoint) Load(context.Context) (c Cursor, err error) {
	data, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return Cursor{}, nil
	}
	if err != nil {
		return Cursor{}, err
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return Cursor{}, fmt.Errorf("%s is not a checkpoint: %w", string(f), err)
	}
	return c, nil
}

func (f fileCheckpoint) Save(_ context.Context, c Cursor) (err error) {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	dir, base := filepath.Split(string(f))
	if dir == "" {
		dir = "."
	}
	tmp, err := os.CreateTemp(dir, base+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), string(f))
	}
	if err != nil {
		return err
	}
	// The new name is safe when the directory is. Where directories cannot be
	// synced the old name may survive a crash of the machine, which is no harm.
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
	return nil
}

const (
	// saveInterval is the least time between two saves.
	saveInterval = 250 * time.Millisecond
	// cursorIDs bounds the handled ids that a cursor carries.
	cursorIDs = 2048
)

// A progress knows which activities have been handled, so that the cursor
// moves past one only when it and all before it have been.
type progress struct {
	mu     sync.Mutex // guards what follows
	base   time.Time  // the cursor when nothing has been handled
	active map[string]time.Time
	latest time.Time // of those handled
	recent []handledID
	dirty  chan struct{} // holds one
}

type handledID struct {
	id        string
	published time.Time
}

func newProgress() *progress {
	return &progress{active: make(map[string]time.Time), dirty: make(chan struct{}, 1)}
}

// resume goes on from a cursor.
func (p *progress) resume(since time.Time, handled []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.base = since
	p.recent = nil
	for _, id := range handled {
		p.recent = append(p.recent, handledID{id, since})
	}
}

// connected says that from start on, unless the cursor says otherwise,
// everything is heard.
func (p *progress) connected(start time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.base.IsZero() {
		p.base = start
	}
	p.changed()
}

func (p *progress) begin(a *activity) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.active[a.ID] = a.published()
}

func (p *progress) done(a *activity) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.active, a.ID)
	p.latest = later(p.latest, a.published())
	if len(p.recent) >= 2*cursorIDs {
		p.recent = append(p.recent[:0], p.recent[cursorIDs:]...)
	}
	p.recent = append(p.recent, handledID{a.ID, a.published()})
	p.changed()
}

func (p *progress) drop(a *activity) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.active, a.ID)
}

func (p *progress) changed() {
	select {
	case p.dirty <- struct{}{}:
	default:
	}
}

// cursor is how far things have come. floor, unless zero, is a time from which
// on activities may not even have been received.
func (p *progress) cursor(device string, floor time.Time) Cursor {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := Cursor{Device: device, Since: later(p.base, p.latest)}
	earlier := func(t time.Time) {
		if t.Before(c.Since) {
			c.Since = t
		}
	}
	if !floor.IsZero() {
		earlier(floor)
	}
	for _, published := range p.active {
		earlier(published)
	}
	from := c.Since.Add(-overlap)
	for i := len(p.recent) - 1; i >= 0 && len(c.Handled) < cursorIDs; i-- {
		if h := p.recent[i]; !h.published.Before(from) {
			c.Handled = append(c.Handled, h.id)
		}
	}
	return c
}
