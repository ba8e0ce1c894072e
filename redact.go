package webexmsg

import (
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"
)

// What people wrote does not belong in logs, and the way there is short: a
// payload in an error's text, or in a slog attribute. So package fmt and
// log/slog print payloads without it, whatever the verb. To see a message,
// print its Text.

// redacted is v, a struct, with its ids, times, flags and counts, and of
// everything else only whether it is there.
func redacted(v any) string {
	s := reflect.ValueOf(v)
	var b strings.Builder
	b.WriteString(s.Type().String() + "{")
	separator := ""
	for i := range s.NumField() {
		f, value := s.Type().Field(i), s.Field(i)
		if !f.IsExported() || value.IsZero() {
			continue
		}
		b.WriteString(separator + f.Name + ":")
		separator = " "
		switch x := value.Interface().(type) {
		case time.Time:
			b.WriteString(x.Format(time.RFC3339Nano))
		case RoomType, bool, int, int64:
			fmt.Fprint(&b, x)
		case string:
			if strings.HasSuffix(f.Name, "ID") || f.Name == "Action" || f.Name == "Verb" || f.Name == "ObjectType" || f.Name == "Cause" {
				fmt.Fprintf(&b, "%q", x)
				continue
			}
			fmt.Fprintf(&b, "(%d bytes)", len(x))
		default:
			if k := value.Kind(); k == reflect.Slice || k == reflect.Map {
				fmt.Fprintf(&b, "(%d)", value.Len())
			} else {
				b.WriteString("(…)")
			}
		}
	}
	return b.String() + "}"
}

func printRedacted(f fmt.State, v any) { _, _ = f.Write([]byte(redacted(v))) }

// Format prints ids and times, and nothing that anybody wrote.
func (m DecryptedMessage) Format(f fmt.State, _ rune) { printRedacted(f, m) }

// Format prints ids and times.
func (m DeletedMessage) Format(f fmt.State, _ rune) { printRedacted(f, m) }

// Format prints ids and times, and nothing that anybody entered.
func (a AttachmentAction) Format(f fmt.State, _ rune) { printRedacted(f, a) }

// Format prints ids and times.
func (m MembershipActivity) Format(f fmt.State, _ rune) { printRedacted(f, m) }

// Format prints ids and times, and no title.
func (r RoomActivity) Format(f fmt.State, _ rune) { printRedacted(f, r) }

// Format prints ids and times.
func (r ReactionActivity) Format(f fmt.State, _ rune) { printRedacted(f, r) }

// Format prints ids and times.
func (r ReactionTally) Format(f fmt.State, _ rune) { printRedacted(f, r) }

// Format prints ids and times.
func (a Activity) Format(f fmt.State, _ rune) { printRedacted(f, a) }

// Format prints sizes, and no name.
func (x File) Format(f fmt.State, _ rune) { printRedacted(f, x) }

// Format prints sizes, and no title.
func (l Link) Format(f fmt.State, _ rune) { printRedacted(f, l) }

// Format prints no more than that it is a Handler.
func (h *Handler) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("webexmsg.Handler")) }

// LogValue is what Format prints.
func (m DecryptedMessage) LogValue() slog.Value { return slog.StringValue(redacted(m)) }

// LogValue is what Format prints.
func (m DeletedMessage) LogValue() slog.Value { return slog.StringValue(redacted(m)) }

// LogValue is what Format prints.
func (a AttachmentAction) LogValue() slog.Value { return slog.StringValue(redacted(a)) }

// LogValue is what Format prints.
func (m MembershipActivity) LogValue() slog.Value { return slog.StringValue(redacted(m)) }

// LogValue is what Format prints.
func (r RoomActivity) LogValue() slog.Value { return slog.StringValue(redacted(r)) }

// LogValue is what Format prints.
func (r ReactionActivity) LogValue() slog.Value { return slog.StringValue(redacted(r)) }

// LogValue is what Format prints.
func (r ReactionTally) LogValue() slog.Value { return slog.StringValue(redacted(r)) }

// LogValue is what Format prints.
func (a Activity) LogValue() slog.Value { return slog.StringValue(redacted(a)) }
