package webexmsg

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/webexmsg/webexmsg/internal/loose"
)

// A frame is what matters of one text frame from Mercury.
type frame struct {
	ID        string
	Type      string // empty for events
	EventType string
	Sequence  int64     // 0 when absent
	Timestamp timestamp // of the server's clock
	Activity  *activity
	KMS       []string // JWEs and JWSs
}

type rawFrame struct {
	ID        string    `json:"id"`
	Type      string    `json:"type"`
	Sequence  int64     `json:"sequenceNumber"`
	Timestamp timestamp `json:"timestamp"`
	Data      *rawData  `json:"data"`
}

type rawData struct {
	EventType  string          `json:"eventType"`
	Activity   json.RawMessage `json:"activity"`
	Encryption struct {
		KMSMessages []string `json:"kmsMessages"`
	} `json:"encryption"`
	KMSMessages []string                   `json:"kmsMessages"` // seen here too in the field
	Headers     map[string]json.RawMessage `json:"headers"`
}

// parseFrame reads a frame. It fails only if b is not JSON; whatever else is
// missing or odd is left out.
func parseFrame(b []byte) (frame, error) {
	var raw rawFrame
	if err := loose.Unmarshal(b, &raw); err != nil {
		return frame{}, err
	}
	f := frame{ID: raw.ID, Type: raw.Type, Sequence: raw.Sequence, Timestamp: raw.Timestamp}
	if raw.Data == nil {
		return f, nil
	}
	data := raw.Data
	if len(data.Headers) > 0 {
		if set, err := applyHeaders(b); err == nil {
			data = set
		}
	}
	f.EventType = data.EventType
	switch f.EventType {
	case "conversation.activity":
		f.Activity = parseActivity(data.Activity)
	case "encryption.kms_message":
		f.KMS = data.Encryption.KMSMessages
		if len(f.KMS) == 0 {
			f.KMS = data.KMSMessages
		}
	}
	return f, nil
}

// applyHeaders sets the values of data.headers onto data, each at its path, as
// Cisco's SDK does before it looks at anything else. Few frames have any.
func applyHeaders(b []byte) (*rawData, error) {
	var raw struct {
		Data map[string]any `json:"data"`
	}
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.UseNumber()
	if err := dec.Decode(&raw); err != nil {
		return nil, err
	}
	headers, _ := raw.Data["headers"].(map[string]any)
	paths := make([]string, 0, len(headers))
	for path := range headers {
		paths = append(paths, path)
	}
	slices.Sort(paths) // parents before their children
	for _, path := range paths {
		if err := setPath(raw.Data, strings.Split(path, "."), headers[path]); err != nil {
			return nil, err
		}
	}
	again, err := json.Marshal(raw.Data)
	if err != nil {
		return nil, err
	}
	var data rawData
	return &data, loose.Unmarshal(again, &data)
}

// setPath sets a value below an object, making the objects on the way. Into an
// array it reaches only where there is an element.
func setPath(in any, path []string, value any) error {
	for i, name := range path {
		last := i == len(path)-1
		switch at := in.(type) {
		case map[string]any:
			if last {
				at[name] = value
				return nil
			}
			if _, ok := at[name].(map[string]any); !ok {
				if _, ok := at[name].([]any); !ok {
					at[name] = map[string]any{}
				}
			}
			in = at[name]
		case []any:
			n, err := strconv.Atoi(name)
			if err != nil || n < 0 || n >= len(at) {
				return fmt.Errorf("no element %q", name)
			}
			if last {
				at[n] = value
				return nil
			}
			in = at[n]
		default:
			return fmt.Errorf("nothing to set %q on", name)
		}
	}
	return nil
}
