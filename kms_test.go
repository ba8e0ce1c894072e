package webexmsg

import (
	"encoding/json"
	"log/slog"
	"testing"
)

// TestAnswersMustComeTheirWay has the right answers come the wrong way: a
// handshake's counts only if it is signed, all others only under the key that
// they were asked with.
func TestAnswersMustComeTheirWay(t *testing.T) {
	v, static, _ := loadKMS(t)
	shared := &sharedKey{uri: "shared", key: sharedOf(t, v)}
	var handshake, retrieve kmsAnswer
	if json.Unmarshal(v.ECDHE.ResponseBody, &handshake) != nil || json.Unmarshal(v.Retrieve.ResponseBody, &retrieve) != nil {
		t.Fatal("kms.json cannot be read")
	}
	wrapped, err := shared.key.Seal(v.ECDHE.ResponseBody, shared.uri)
	if err != nil {
		t.Fatal(err)
	}
	other := &sharedKey{uri: "another", key: shared.key}
	for name, c := range map[string]struct {
		id      string
		under   *sharedKey // that the request was asked with; nil for a handshake
		message string
		settles bool
	}{
		"signed handshake":     {handshake.RequestID, nil, v.ECDHE.ResponseWrappedRS256, true},
		"encrypted handshake":  {handshake.RequestID, nil, wrapped, false},
		"encrypted key":        {retrieve.RequestID, shared, v.Retrieve.ResponseWrapped, true},
		"key of another asker": {retrieve.RequestID, other, v.Retrieve.ResponseWrapped, false},
		"signed key":           {handshake.RequestID, shared, v.ECDHE.ResponseWrappedRS256, false},
		"stranger's":           {"nobody's", shared, v.Retrieve.ResponseWrapped, false},
	} {
		k := newKMS(nil, slog.New(slog.DiscardHandler), nil, func(error) {})
		k.static, k.shared = static, shared
		results := make(chan kmsResult, 2)
		k.expect(results, c.under, c.id)
		k.answers([]string{c.message, c.message}) // the second is a repetition
		if n := len(results); n != map[bool]int{true: 1}[c.settles] {
			t.Errorf("%s: %d results, settles %v", name, n, c.settles)
		}
		if want := map[bool]int{true: 1, false: 2}[c.settles]; k.stray != want {
			t.Errorf("%s: %d strays were counted, want %d", name, k.stray, want)
		}
	}
}
