// Package loose decodes JSON whose shape nobody vouches for.
//
// It takes the syntax of RFC 8259 strictly, and everything else as it comes: a
// value of a type that the Go field does not have leaves that field zero, and
// fields that nobody asked for are passed over. Unlike those of encoding/json,
// names match exactly: "Actor" is not "actor", which in messages that carry
// what their sender chose is the difference between a field and a forgery. Of
// a name that comes twice the last value counts, as in JavaScript.
package loose

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deep values may be nested.
const maxDepth = 1000

var (
	errDepth = errors.New("JSON is nested too deeply")
	errEnd   = errors.New("JSON ends too early")
)

// Unmarshal decodes data into v, a pointer to a struct, map or slice. It sets
// fields by their json tags. It understands structs and pointers to them,
// slices, maps with string keys, strings, booleans, integers, json.RawMessage
// (which keeps a part of data, without a copy), and any type of which a
// pointer is a json.Unmarshaler, whose errors leave the value as it is.
//
// It returns an error only if data is not JSON; v is then partly set.
func Unmarshal(data []byte, v any) error {
	d := decoder{data: data}
	target := reflect.ValueOf(v).Elem()
	if err := d.value(target, planOf(target.Type())); err != nil {
		return err
	}
	if d.space(); d.at < len(data) {
		return d.syntax("after the value")
	}
	return nil
}

// A decoder reads through data once.
type decoder struct {
	data  []byte
	at    int
	depth int
}

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

// value decodes the next value into v, or passes over it if it does not fit.
func (d *decoder) value(v reflect.Value, p *plan) error {
	c := d.next()
	switch {
	case p.kind == planRaw:
		from := d.at
		if err := d.skip(); err != nil {
			return err
		}
		v.SetBytes(d.data[from:d.at:d.at])
		return nil
	case p.kind == planCustom:
		from := d.at
		if err := d.skip(); err != nil {
			return err
		}
		// An error says that the value is odd, which here means zero.
		_ = v.Addr().Interface().(json.Unmarshaler).UnmarshalJSON(d.data[from:d.at])
		return nil
	case p.kind == planPointer:
		if c != '{' {
			v.SetZero()
			return d.skip()
		}
		v.Set(reflect.New(v.Type().Elem()))
		return d.value(v.Elem(), p.elem)
	case c == '"' && p.kind == planString:
		s, err := d.string()
		if err != nil {
			return err
		}
		v.SetString(s)
		return nil
	case c == '{' && p.kind == planStruct:
		return d.object(v, p)
	case c == '{' && p.kind == planMap:
		return d.mapping(v, p)
	case c == '[' && p.kind == planSlice:
		return d.array(v, p)
	case (c == 't' || c == 'f') && p.kind == planBool:
		v.SetBool(c == 't')
		return d.skip()
	case (c == '-' || '0' <= c && c <= '9') && p.kind == planInt:
		from := d.at
		if err := d.number(); err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(d.data[from:d.at]), 10, v.Type().Bits())
		if err != nil {
			n = 0 // a fraction, or too large
		}
		v.SetInt(n)
		return nil
	}
	v.SetZero()
	return d.skip()
}

func (d *decoder) object(v reflect.Value, p *plan) error {
	seen := uint64(0)
	return d.members(func(name []byte) error {
		f, ok := p.fields[string(name)]
		if !ok {
			return d.skip()
		}
		field := v.Field(f.index)
		if bit := uint64(1) << f.index; seen&bit != 0 {
			field.SetZero() // the last one counts, and all of it
		} else {
			seen |= bit
		}
		return d.value(field, f.plan)
	})
}

func (d *decoder) mapping(v reflect.Value, p *plan) error {
	m := reflect.MakeMap(v.Type())
	err := d.members(func(name []byte) error {
		elem := reflect.New(v.Type().Elem()).Elem()
		key := reflect.ValueOf(string(name))
		if err := d.value(elem, p.elem); err != nil {
			return err
		}
		m.SetMapIndex(key, elem)
		return nil
	})
	v.Set(m)
	return err
}

func (d *decoder) array(v reflect.Value, p *plan) error {
	v.SetZero()
	return d.elements(func() error {
		n := v.Len()
		if n == v.Cap() {
			v.Grow(max(1, n))
		}
		v.SetLen(n + 1)
		elem := v.Index(n)
		elem.SetZero()
		return d.value(elem, p.elem)
	})
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

// AppendQuote appends s as a JSON string. Of what JSON may hold as it is,
// nothing is escaped; what is not UTF-8 becomes U+FFFD.
func AppendQuote(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0 // what is not appended yet
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if c >= utf8.RuneSelf && (r != utf8.RuneError || n > 1) {
			i += n
			continue
		}
		dst = append(dst, s[from:i]...)
		switch {
		case c >= utf8.RuneSelf:
			dst = utf8.AppendRune(dst, utf8.RuneError)
		case c == '"', c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i += n
		from = i
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// A plan says how to decode into a type. Plans are made once a type.
type plan struct {
	kind   planKind
	elem   *plan            // of slices, maps and pointers
	fields map[string]field // of structs
}

type field struct {
	index int
	plan  *plan
}

type planKind int

const (
	planNone planKind = iota // anything else: passed over
	planStruct
	planPointer
	planSlice
	planMap
	planString
	planBool
	planInt
	planRaw
	planCustom
)

var (
	plans       sync.Map // of reflect.Type to *plan
	rawType     = reflect.TypeFor[json.RawMessage]()
	unmarshaler = reflect.TypeFor[json.Unmarshaler]()
)

func planOf(t reflect.Type) *plan {
	if p, ok := plans.Load(t); ok {
		return p.(*plan)
	}
	p := newPlan(t)
	plans.Store(t, p)
	return p
}

func newPlan(t reflect.Type) *plan {
	switch {
	case t == rawType:
		return &plan{kind: planRaw}
	case reflect.PointerTo(t).Implements(unmarshaler):
		return &plan{kind: planCustom}
	}
	switch t.Kind() {
	case reflect.Struct:
		p := &plan{kind: planStruct, fields: make(map[string]field)}
		if t.NumField() > 64 {
			panic("loose: " + t.String() + " has more than 64 fields")
		}
		for i := range t.NumField() {
			f := t.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "" && name != "-" && f.IsExported() {
				p.fields[name] = field{i, planOf(f.Type)}
			}
		}
		return p
	case reflect.Pointer:
		return &plan{kind: planPointer, elem: planOf(t.Elem())}
	case reflect.Slice:
		return &plan{kind: planSlice, elem: planOf(t.Elem())}
	case reflect.Map:
		return &plan{kind: planMap, elem: planOf(t.Elem())}
	case reflect.String:
		return &plan{kind: planString}
	case reflect.Bool:
		return &plan{kind: planBool}
	case reflect.Int, reflect.Int64, reflect.Int32:
		return &plan{kind: planInt}
	}
	return &plan{}
}
