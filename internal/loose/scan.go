package loose

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

func (d *decoder) syntax(where string) error {
	if d.at >= len(d.data) {
		return errEnd
	}
	return fmt.Errorf("not JSON: unexpected byte at offset %d, %s", d.at, where)
}

func (d *decoder) space() {
	for d.at < len(d.data) {
		switch d.data[d.at] {
		case ' ', '\t', '\n', '\r':
			d.at++
		default:
			return
		}
	}
}

// next passes over space and returns the byte behind it, 0 at the end.
func (d *decoder) next() byte {
	d.space()
	if d.at < len(d.data) {
		return d.data[d.at]
	}
	return 0
}

// members calls f for each name of an object; f reads the value.
func (d *decoder) members(f func(name []byte) error) error {
	if d.depth++; d.depth > maxDepth {
		return errDepth
	}
	d.at++ // {
	if d.next() == '}' {
		d.at++
		d.depth--
		return nil
	}
	for {
		if d.next() != '"' {
			return d.syntax("where a name should be")
		}
		name, err := d.bytes()
		if err != nil {
			return err
		}
		if d.next() != ':' {
			return d.syntax("after a name")
		}
		d.at++
		if err := f(name); err != nil {
			return err
		}
		switch d.next() {
		case ',':
			d.at++
		case '}':
			d.at++
			d.depth--
			return nil
		default:
			return d.syntax("in an object")
		}
	}
}

// elements calls f for each element of an array; f reads it.
func (d *decoder) elements(f func() error) error {
	if d.depth++; d.depth > maxDepth {
		return errDepth
	}
	d.at++ // [
	if d.next() == ']' {
		d.at++
		d.depth--
		return nil
	}
	for {
		if err := f(); err != nil {
			return err
		}
		switch d.next() {
		case ',':
			d.at++
		case ']':
			d.at++
			d.depth--
			return nil
		default:
			return d.syntax("in an array")
		}
	}
}

// skip passes over the next value, whatever it is.
func (d *decoder) skip() error {
	switch c := d.next(); c {
	case '{':
		return d.members(func([]byte) error { return d.skip() })
	case '[':
		return d.elements(d.skip)
	case '"':
		_, _, err := d.scanString()
		return err
	case 't':
		return d.word("true")
	case 'f':
		return d.word("false")
	case 'n':
		return d.word("null")
	default:
		if c == '-' || '0' <= c && c <= '9' {
			return d.number()
		}
		return d.syntax("where a value should be")
	}
}

func (d *decoder) word(w string) error {
	if len(d.data)-d.at < len(w) || string(d.data[d.at:d.at+len(w)]) != w {
		return d.syntax("where a value should be")
	}
	d.at += len(w)
	return nil
}

func (d *decoder) number() error {
	digits := func() bool {
		from := d.at
		for d.at < len(d.data) && '0' <= d.data[d.at] && d.data[d.at] <= '9' {
			d.at++
		}
		return d.at > from
	}
	is := func(chars string) bool {
		if d.at < len(d.data) && strings.IndexByte(chars, d.data[d.at]) >= 0 {
			d.at++
			return true
		}
		return false
	}
	is("-")
	if !is("0") && !digits() {
		return d.syntax("in a number")
	}
	if is(".") && !digits() {
		return d.syntax("in a number")
	}
	if is("eE") {
		is("+-")
		if !digits() {
			return d.syntax("in a number")
		}
	}
	return nil
}

// scanString passes over a string and returns what is between its quotes, and
// whether that is the text itself, without escapes and odd bytes.
func (d *decoder) scanString() (inside []byte, plain bool, err error) {
	d.at++ // "
	from := d.at
	plain = true
	for d.at < len(d.data) {
		switch c := d.data[d.at]; {
		case c == '"':
			d.at++
			return d.data[from : d.at-1], plain, nil
		case c == '\\':
			plain = false
			if d.at++; d.at >= len(d.data) {
				return nil, false, errEnd
			}
			switch d.data[d.at] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if _, ok := hex4(d.data[d.at+1:]); !ok {
					return nil, false, d.syntax("in an escape")
				}
				d.at += 4
			default:
				return nil, false, d.syntax("in an escape")
			}
			d.at++
		case c < ' ':
			return nil, false, d.syntax("in a string")
		case c < utf8.RuneSelf:
			d.at++
		default:
			r, n := utf8.DecodeRune(d.data[d.at:])
			plain = plain && (r != utf8.RuneError || n > 1)
			d.at += n
		}
	}
	return nil, false, errEnd
}

// bytes reads a string; what it returns may be a part of data.
func (d *decoder) bytes() ([]byte, error) {
	inside, plain, err := d.scanString()
	if err != nil || plain {
		return inside, err
	}
	return unescape(inside), nil
}

func (d *decoder) string() (string, error) {
	b, err := d.bytes()
	return string(b), err
}

// unescape decodes a string that scanString has checked. What is not UTF-8,
// halves of surrogate pairs included, becomes U+FFFD.
func unescape(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		c := s[i]
		if c != '\\' {
			r, n := utf8.DecodeRune(s[i:])
			out = utf8.AppendRune(out, r)
			i += n
			continue
		}
		i += 2
		switch c = s[i-1]; c {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, _ := hex4(s[i:])
			i += 4
			if utf16.IsSurrogate(r) {
				low, ok := rune(0), false
				if i+1 < len(s) && s[i] == '\\' && s[i+1] == 'u' {
					low, ok = hex4(s[i+2:])
				}
				if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
					r = pair
					i += 6
				} else {
					r = utf8.RuneError
				}
			}
			out = utf8.AppendRune(out, r)
		default: // " \ /
			out = append(out, c)
		}
	}
	return out
}

func hex4(s []byte) (r rune, ok bool) {
	if len(s) < 4 {
		return 0, false
	}
	for _, c := range s[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
