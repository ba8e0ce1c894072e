package webexmsg

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestFrames(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want frame
	}{
		"event":    {`{"id":"1","data":{"eventType":"mercury.buffer_state"},"sequenceNumber":7}`, frame{ID: "1", EventType: "mercury.buffer_state", Sequence: 7}},
		"pong":     {`{"id":"1","type":"pong"}`, frame{ID: "1", Type: "pong"}},
		"shutdown": {`{"type":"shutdown"}`, frame{Type: "shutdown"}},
		"KMS":      {`{"id":"1","data":{"eventType":"encryption.kms_message","encryption":{"kmsMessages":["a","b"]}}}`, frame{ID: "1", EventType: "encryption.kms_message", KMS: []string{"a", "b"}}},
		"KMS under data": {
			`{"id":"1","data":{"eventType":"encryption.kms_message","kmsMessages":["a"]}}`,
			frame{ID: "1", EventType: "encryption.kms_message", KMS: []string{"a"}},
		},
		"wrong types": {`{"id":5,"data":{"eventType":[],"encryption":"x"},"sequenceNumber":"7","type":null}`, frame{}},
		"no object":   {`[1]`, frame{}},
		"no data":     {`{"id":"1","data":null}`, frame{ID: "1"}},
		"activity that is none": {
			`{"id":"1","data":{"eventType":"conversation.activity","activity":"x"}}`,
			frame{ID: "1", EventType: "conversation.activity"},
		},
	} {
		got, err := parseFrame([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got.ID != c.want.ID || got.Type != c.want.Type || got.EventType != c.want.EventType || got.Sequence != c.want.Sequence ||
			!slices.Equal(got.KMS, c.want.KMS) || got.Activity != nil {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	for _, broken := range []string{"", "{", `{"id":"1"`, "\x00", `{"id":"1"}{}`} {
		if _, err := parseFrame([]byte(broken)); err == nil {
			t.Errorf("%q is a frame", broken)
		}
	}
}

// TestDataHeaders sets values onto data by their paths before it is read.
func TestDataHeaders(t *testing.T) {
	for name, c := range map[string]struct{ headers, tags, verb string }{
		"new object":     {`{"activity.target.tags":["ONE_ON_ONE"]}`, "ONE_ON_ONE", "post"},
		"over":           {`{"activity.verb":"share"}`, "", "share"},
		"into an array":  {`{"activity.list.0.x":1,"activity.list.7.x":1}`, "", "post"},
		"through string": {`{"activity.verb.x":1}`, "", ""},
		"none":           {`{}`, "", "post"},
	} {
		f, err := parseFrame([]byte(`{"id":"1","data":{"eventType":"conversation.activity","headers":` + c.headers +
			`,"activity":{"id":"a","verb":"post","list":[{}]}}}`))
		if err != nil || f.Activity == nil {
			t.Fatalf("%s: %+v, %v", name, f, err)
		}
		if got := strings.Join(f.Activity.Target.Tags, ","); got != c.tags || f.Activity.Verb != c.verb {
			t.Errorf("%s: tags %q, verb %q", name, got, f.Activity.Verb)
		}
		if !json.Valid(f.Activity.raw) {
			t.Errorf("%s: the raw activity is broken", name)
		}
	}
}

// TestActivityOfAnyShape replaces one value after another of a real activity
// by values of other types: nothing panics, and what is intact still counts.
func TestActivityOfAnyShape(t *testing.T) {
	v, keys := loadActivities(t)
	for _, c := range v.Cases {
		var whole map[string]any
		if err := json.Unmarshal(c.Frame, &whole); err != nil {
			t.Fatal(err)
		}
		activity := whole["data"].(map[string]any)["activity"]
		everyPlace(activity, func() {
			b, err := json.Marshal(whole)
			if err != nil {
				t.Fatal(err)
			}
			f, err := parseFrame(b)
			if err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
			if f.Activity == nil {
				return
			}
			if f.Activity.open(keys) == nil && !json.Valid(f.Activity.raw) {
				t.Errorf("%s: the raw activity is broken", c.Name)
			}
			_ = f.Activity.room()
			_ = f.Activity.keyURLs()
		})
	}
}

// everyPlace puts odd values in every place below v, one at a time.
func everyPlace(v any, f func()) {
	switch v := v.(type) {
	case map[string]any:
		for k, old := range v {
			for _, odd := range []any{nil, 7.5, "x", []any{}, map[string]any{}, []any{nil, 1, "x", map[string]any{"id": 3}}} {
				v[k] = odd
				f()
			}
			delete(v, k)
			f()
			v[k] = old
			everyPlace(old, f)
		}
	case []any:
		for i, old := range v {
			v[i] = nil
			f()
			v[i] = old
			everyPlace(old, f)
		}
	}
}

func FuzzParseFrame(f *testing.F) {
	v, keys := loadActivities(f)
	for _, c := range v.Cases {
		f.Add([]byte(c.Frame))
	}
	f.Add([]byte(`{"data":{"eventType":"conversation.activity","headers":{"activity.target.tags":["LOCKED"]},"activity":{}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, err := parseFrame(b)
		if err != nil || fr.Activity == nil {
			return
		}
		if err := fr.Activity.open(keys); err == nil && !json.Valid(fr.Activity.raw) {
			t.Errorf("the raw activity is broken: %q", fr.Activity.raw)
		}
	})
}
