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
	"reflect"
	"strconv"
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
