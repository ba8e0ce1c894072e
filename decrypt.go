package webexmsg

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"slices"

	"github.com/webexmsg/webexmsg/internal/jwe"
)

var errNoKey = errors.New("it is encrypted and names no key")

// open decrypts the strings of an activity in place, and in its raw form, with
// the keys that it names. What is not shaped like a JWE was not encrypted.
func (a *activity) open(key func(uri string) (*jwe.Key, error)) error {
	o := opener{key: key}
	own := a.keyURL()
	obj := &a.Object
	o.open(own, &obj.DisplayName)
	o.open(own, &obj.Content)
	o.open(own, &obj.Inputs)
	for i := range obj.Cards {
		o.open(own, &obj.Cards[i])
	}
	for i := range obj.Files.Items {
		f := &obj.Files.Items[i]
		o.open(cmp.Or(f.EncryptionKeyURL, own), &f.DisplayName)
	}
	if o.err != nil {
		return o.err
	}
	a.raw = splice(a.raw, o.opened)
	return nil
}

// An opener opens strings until one fails.
type opener struct {
	key    func(uri string) (*jwe.Key, error)
	opened []substitution
	err    error
}

func (o *opener) open(keyURL string, s *string) {
	if o.err != nil || !jwe.Like(*s) {
		return
	}
	if keyURL == "" {
		o.err = errNoKey
		return
	}
	k, err := o.key(keyURL)
	if err != nil {
		o.err = err
		return
	}
	plain, err := k.Open(*s)
	if err != nil {
		o.err = err
		return
	}
	o.opened = append(o.opened, substitution{*s, string(plain)})
	*s = string(plain)
}

// A substitution puts a plaintext in the place of its JWE.
type substitution struct{ jwe, plain string }

// splice puts plaintexts into JSON in the place of the strings that held their
// JWEs, which consist of characters that JSON writes as they are. Nothing else
// of the JSON changes.
func splice(raw json.RawMessage, subs []substitution) json.RawMessage {
	type edit struct {
		from, to int
		plain    string
	}
	var edits []edit
	size := len(raw)
	for i, s := range subs {
		if slices.ContainsFunc(subs[:i], func(o substitution) bool { return o.jwe == s.jwe }) {
			continue
		}
		quoted := []byte(`"` + s.jwe + `"`)
		for at := 0; ; {
			n := bytes.Index(raw[at:], quoted)
			if n < 0 {
				break
			}
			edits = append(edits, edit{at + n, at + n + len(quoted), s.plain})
			at += n + len(quoted)
			size += 2*len(s.plain) - len(quoted)
		}
	}
	if len(edits) == 0 {
		return raw
	}
	slices.SortFunc(edits, func(a, b edit) int { return a.from - b.from })
	out, at := bytes.NewBuffer(make([]byte, 0, max(size, 0))), 0
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for _, e := range edits {
		out.Write(raw[at:e.from])
		_ = enc.Encode(e.plain)     // a string always can be
		out.Truncate(out.Len() - 1) // the newline of Encode
		at = e.to
	}
	out.Write(raw[at:])
	return out.Bytes()
}
