package webexmsg

import (
	"strconv"
	"time"
)

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
