package loose

import (
	"encoding/json"
	"reflect"
	"strings"
	"sync"
)

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
