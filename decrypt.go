package webexmsg

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/webexmsg/webexmsg/internal/jwe"
	"github.com/webexmsg/webexmsg/internal/loose"
)

var errNoKey = errors.New("it is encrypted and names no key")

// A closedText is a string of an activity that may be encrypted.
type closedText struct {
	keyURL string
	text   *string
	// spare means that the activity can do without it.
	spare bool
	// secret means that it holds more than is shown: a key.
	secret bool
}

// closed lists the strings of an activity that may be encrypted, keys of files
// apart: these are opened when the file is.
func (a *activity) closed() []closedText {
	own, obj := a.keyURL(), &a.Object
	list := make([]closedText, 0, 4)
	add := func(keyURL string, texts ...*string) {
		for _, text := range texts {
			if *text != "" {
				list = append(list, closedText{keyURL: keyURL, text: text})
			}
		}
	}
	add(own, &obj.DisplayName, &obj.Content, &obj.Inputs)
	for i := range obj.Cards {
		add(own, &obj.Cards[i])
	}
	for i := range obj.Files.Items {
		f := &obj.Files.Items[i]
		add(cmp.Or(f.EncryptionKeyURL, own), &f.DisplayName)
	}
	for i := range obj.Links.Items {
		l := &obj.Links.Items[i]
		keyURL := cmp.Or(l.EncryptionKeyURL, own)
		add(keyURL, &l.DisplayName)
		if l.SSLR != "" {
			list = append(list, closedText{keyURL: keyURL, text: &l.SSLR, secret: true})
		}
	}
	for i := range obj.Reactions {
		add(own, &obj.Reactions[i].DisplayName)
	}
	if t := &a.Target; t.DisplayName != "" {
		// The room's title has a key of its own time, which a bot that came
		// later may not have. No message is lost for that.
		list = append(list, closedText{keyURL: cmp.Or(t.EncryptionKeyURL, own), text: &t.DisplayName, spare: true})
	}
	return list
}

// open decrypts the strings of an activity in place, and in its raw form.
func (a *activity) open(keys keySource) error {
	var opened []substitution
	for _, c := range a.closed() {
		closed := *c.text
		err := keys.open(c.keyURL, c.text)
		switch {
		case err != nil && c.spare:
			*c.text = ""
		case err != nil:
			return err
		case *c.text != closed && !c.secret:
			opened = append(opened, substitution{closed, *c.text})
		}
	}
	a.raw = splice(a.raw, opened)
	return nil
}

// A keySource has content keys, by their URIs.
type keySource func(uri string) (*jwe.Key, error)

// onceEach is a source that is asked for each key once at the most, and for
// none any more when KMS does not answer: so that no room waits longer than
// for one key.
func (keys keySource) onceEach() keySource {
	type answer struct {
		key *jwe.Key
		err error
	}
	known := make(map[string]answer)
	var silence error
	return func(uri string) (*jwe.Key, error) {
		a, ok := known[uri]
		switch {
		case ok:
			return a.key, a.err
		case silence != nil:
			return nil, silence
		}
		a.key, a.err = keys(uri)
		known[uri] = a
		if a.err != nil && retryable(a.err) {
			silence = a.err
		}
		return a.key, a.err
	}
}

// open decrypts a string in place. What does not look encrypted is left as it
// is.
func (keys keySource) open(keyURL string, s *string) error {
	switch {
	case !jwe.Like(*s) && (keyURL == "" || !remainsOfJWE(*s)):
		return nil
	case keyURL == "":
		return errNoKey
	}
	k, err := keys(keyURL)
	if err != nil {
		return err
	}
	plain, err := k.Open(*s)
	if err != nil {
		return err
	}
	*s = string(plain)
	return nil
}

// remainsOfJWE reports whether s is made like a JWE without being one, so that
// it must not pass as the text of a message.
func remainsOfJWE(s string) bool {
	return strings.HasPrefix(s, "eyJ") && strings.Contains(s, ".") && strings.IndexFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_=+/.", r))
	}) < 0
}

// openAll decrypts what it can of the JSON of any activity, where nobody knows
// what is encrypted. A string is opened with the key that the object around it
// names, else the one around that, in the end own. What cannot be opened stays
// closed, and so do the references of files and links, which hold keys.
func (keys keySource) openAll(raw json.RawMessage, own string) json.RawMessage {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var whole any
	if dec.Decode(&whole) != nil {
		return raw
	}
	var ownTexts, others []closedText // own first: a key may fail for silence
	var walk func(v any, keyURL string)
	walk = func(v any, keyURL string) {
		switch v := v.(type) {
		case map[string]any:
			if u, ok := v["encryptionKeyUrl"].(string); ok && u != "" {
				keyURL = u
			}
			for name, member := range v {
				if name != "scr" && name != "sslr" {
					walk(member, keyURL)
				}
			}
		case []any:
			for _, element := range v {
				walk(element, keyURL)
			}
		case string:
			if jwe.Like(v) && keyURL == own {
				ownTexts = append(ownTexts, closedText{keyURL: keyURL, text: &v})
			} else if jwe.Like(v) {
				others = append(others, closedText{keyURL: keyURL, text: &v})
			}
		}
	}
	walk(whole, own)
	var opened []substitution
	for _, c := range append(ownTexts, others...) {
		closed := *c.text
		if keys.open(c.keyURL, c.text) == nil {
			opened = append(opened, substitution{closed, *c.text})
		}
	}
	return splice(raw, opened)
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
	text := string(raw)
	edits := make([]edit, 0, 8)
	size := len(raw)
	for i, s := range subs {
		if slices.ContainsFunc(subs[:i], func(o substitution) bool { return o.jwe == s.jwe }) {
			continue
		}
		for at := 0; at < len(text); {
			n := strings.Index(text[at:], s.jwe)
			if n < 0 {
				break
			}
			from, to := at+n-1, at+n+len(s.jwe)+1 // with the quotes
			if at = to; from >= 0 && to <= len(text) && text[from] == '"' && text[to-1] == '"' {
				edits = append(edits, edit{from, to, s.plain})
				size += len(s.plain) + len(s.plain)/8
			}
		}
	}
	if len(edits) == 0 {
		return raw
	}
	slices.SortFunc(edits, func(a, b edit) int { return a.from - b.from })
	out, at := make([]byte, 0, size), 0
	for _, e := range edits {
		out = append(out, raw[at:e.from]...)
		out = loose.AppendQuote(out, e.plain)
		at = e.to
	}
	return append(out, raw[at:]...)
}
