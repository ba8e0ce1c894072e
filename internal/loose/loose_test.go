package loose

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

type inner struct {
	ID   string `json:"id"`
	Size int64  `json:"size"`
}

type odd struct{ s string }

func (o *odd) UnmarshalJSON(b []byte) error { o.s = string(b); return nil }

type outer struct {
	ID    string             `json:"id"`
	Flag  bool               `json:"flag"`
	N     int64              `json:"n"`
	Inner inner              `json:"inner"`
	Ptr   *inner             `json:"ptr"`
	List  []inner            `json:"list"`
	Words []string           `json:"words"`
	Map   map[string]string  `json:"map"`
	Maps  map[string][]inner `json:"maps"`
	Raw   json.RawMessage    `json:"raw"`
	Odd   odd                `json:"odd"`
	Other float64            `json:"other"`
	Plain string
}

func TestUnmarshal(t *testing.T) {
	for in, want := range map[string]outer{
		`{}`:                                     {},
		` { "id" : "a" , "flag":true,"n":-12 } `: {ID: "a", Flag: true, N: -12},
		`{"inner":{"id":"x","size":3},"ptr":{"id":"y"},"x":{"y":[1,{"z":2}]}}`: {Inner: inner{"x", 3}, Ptr: &inner{ID: "y"}},
		`{"list":[{"id":"1"},null,7,{"size":2}],"words":["a",1,"b"]}`:          {List: []inner{{ID: "1"}, {}, {}, {Size: 2}}, Words: []string{"a", "", "b"}},
		`{"map":{"a":"1","b":2},"maps":{"x":[{"id":"1"}],"y":"z"}}`:            {Map: map[string]string{"a": "1", "b": ""}, Maps: map[string][]inner{"x": {{ID: "1"}}, "y": nil}},
		`{"raw": {"a" : [1, 2]} ,"odd": [1]}`:                                  {Raw: json.RawMessage(`{"a" : [1, 2]}`), Odd: odd{"[1]"}},
		// wrong types leave zero
		`{"id":1,"flag":"x","n":"1","inner":[],"ptr":"x","list":{},"words":"x","map":[]}`: {},
		`{"n":1.5,"other":7,"inner":null,"Plain":"x"}`:                                    {},
		`{"n":123456789012345678901234567890}`:                                            {},
		// names match exactly, and the last of a name counts
		`{"ID":"b","Id":"c","Inner":{"id":"d"}}`:                             {},
		`{"id":"a","id":"b","inner":{"id":"x","size":1},"inner":{"size":2}}`: {ID: "b", Inner: inner{Size: 2}},
		`{"id":"a","id":7,"list":[{"id":"x"}],"list":[{}]}`:                  {List: []inner{{}}},
		// strings
		`{"id":"\u00fc\n\"\\\/\ud83c\udf89\b\f\r\t"}`: {ID: "ü\n\"\\/🎉\b\f\r\t"},
		`{"\u0069d":"escaped name"}`:                  {ID: "escaped name"},
		`{"id":"\ud83c x \udf89"}`:                    {ID: "\ufffd x \ufffd"},
		"{\"id\":\"\xff\xc3\"}":                       {ID: "\ufffd\ufffd"},
		`{"id":"\u0000"}`:                             {ID: "\x00"},
	} {
		var got outer
		if err := Unmarshal([]byte(in), &got); err != nil {
			t.Errorf("%s: %v", in, err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", in, got, want)
		}
	}
}

func TestNotJSON(t *testing.T) {
	for _, in := range []string{
		``, ` `, `{`, `}`, `{"id"}`, `{"id":}`, `{"id":"a",}`, `{"id":"a"}x`, `{"id":"a}`, `{"id":"\x"}`, `{"id":"\u12"}`, `{id:"a"}`,
		`{"n":01}`, `{"n":-}`, `{"n":1.}`, `{"n":1e}`, `{"n":.5}`, `{"n":+1}`, `{"flag":tru}`, `{"flag":nul}`, `{"list":[1,]}`, `{"list":[1}`, "{\"id\":\"\n\"}",
		`{"raw":}`, `{"odd":[}`, `{"x":'a'}`, `[`, `{"ptr":{`, `{"id":"\`,
	} {
		if err := Unmarshal([]byte(in), new(outer)); err == nil {
			t.Errorf("%q was taken", in)
		}
		if json.Valid([]byte(in)) {
			t.Errorf("%q is JSON", in)
		}
	}
	deep := strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)
	for _, in := range []string{deep, `{"x":` + deep + `}`, `{"list":` + deep + `}`, strings.Repeat(`{"ptr":`, 2000)} {
		if err := Unmarshal([]byte(in), new(outer)); err == nil {
			t.Errorf("%.20q… was taken", in)
		}
	}
}

// FuzzUnmarshal holds the decoder against encoding/json: both take the same
// inputs for JSON (but for very deep ones), and strings come out the same.
func FuzzUnmarshal(f *testing.F) {
	f.Add([]byte(`{"id":"\ud83c\udf89 \u00fc","n":-1.5e3,"list":[{"id":"x"},null],"raw":{"a":[true,false,null]}}`))
	f.Add([]byte("{\"id\":\"\xff\",\"id\":\"b\"}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var got outer
		err := Unmarshal(b, &got)
		if err == errDepth {
			return
		}
		if valid := json.Valid(b); (err == nil) != valid {
			t.Fatalf("%q: %v, but encoding/json says valid %v", b, err, valid)
		}
		if err != nil {
			return
		}
		var want map[string]any
		if json.Unmarshal(b, &want) != nil {
			return
		}
		id, _ := want["id"].(string)
		if got.ID != id {
			t.Errorf("%q: id is %q, want %q", b, got.ID, id)
		}
		if got.Raw != nil && !json.Valid(got.Raw) {
			t.Errorf("%q: raw is %q", b, got.Raw)
		}
	})
}

func FuzzAppendQuote(f *testing.F) {
	f.Add("plain \"quoted\" \\ \n\t\x00 ünïcode 🎉 \u2028")
	f.Add("\xff\xc3(")
	f.Fuzz(func(t *testing.T, s string) {
		quoted := AppendQuote([]byte("x"), s)
		var got string
		if err := json.Unmarshal(quoted[1:], &got); err != nil {
			t.Fatalf("%q: %v", quoted, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && got != s || !utf8.ValidString(got) || len(got) < len(want) {
			t.Errorf("%q came back as %q", s, got)
		}
	})
}
