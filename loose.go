package webexmsg

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"
)

// decodeLoosely decodes JSON in which any field may have a type that nobody
// expected: such a field stays zero, and only broken JSON is an error.
func decodeLoosely(data []byte, out any) error {
	err := json.Unmarshal(data, out)
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return nil
	}
	return err
}

// A timestamp is a time in either of the forms that Webex writes, RFC 3339 and
// milliseconds since 1970. Anything else leaves it zero.
type timestamp struct{ time.Time }

func (t *timestamp) UnmarshalJSON(b []byte) error {
	if len(b) >= 2 && b[0] == '"' {
		t.Time, _ = time.Parse(time.RFC3339, string(b[1:len(b)-1]))
	} else if ms, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		t.Time = time.UnixMilli(ms).UTC()
	}
	return nil
}
