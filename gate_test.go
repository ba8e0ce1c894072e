package webexmsg

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/webexmsg/webexmsg/internal/loose"
)

func TestGate(t *testing.T) {
	g := newGate([]string{"proxy.corp", "api.corp:8443", "127.0.0.1:9000", "localhost", "::1", "[2001:db8::1]:444", "UPPER.corp"}, []string{"base.corp:443"})
	for rawURL, allowed := range map[string]bool{
		"https://wbx2.com/":                      true,
		"https://wdm-r.wbx2.com/wdm":             true,
		"wss://mercury.ciscospark.com:8443/x":    true,
		"https://U2C.WBX2.COM/":                  true,
		"https://webexapis.com/v1":               true,
		"https://files.webex.com/":               true,
		"https://evilwbx2.com/":                  false,
		"https://wbx2.com.evil.example/":         false,
		"https://wbx2.com@evil.example/":         false,
		"https://me:secret@wbx2.com/":            false,
		"http://wbx2.com/":                       false,
		"ws://wbx2.com/":                         false,
		"kms://wbx2.com/":                        false,
		"file:///etc/passwd":                     false,
		"https:///nohost":                        false,
		"https://proxy.corp/":                    true,
		"https://proxy.corp:1234/":               true,
		"http://proxy.corp/":                     false,
		"https://sub.proxy.corp/":                false,
		"https://api.corp:8443/":                 true,
		"https://api.corp/":                      false,
		"https://base.corp/":                     true,
		"https://base.corp:8443/":                false,
		"http://127.0.0.1:9000/":                 true,
		"ws://127.0.0.1:9000/":                   true,
		"http://127.0.0.1:9001/":                 false,
		"http://localhost:1/":                    true,
		"http://[::1]:1/":                        true,
		"https://[2001:db8::1]:444/":             true,
		"https://[2001:db8::1]/":                 false,
		"https://upper.corp/":                    true,
		"https://127.0.0.1.wbx2.com.attacker.io": false,
	} {
		u, err := url.Parse(rawURL)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.check(u); (err == nil) != allowed || err != nil && !errors.Is(err, ErrHostNotAllowed) {
			t.Errorf("%s: %v, want allowed %v", rawURL, err, allowed)
		} else if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error holds a password", rawURL)
		}
	}
}

func TestNextLink(t *testing.T) {
	const current = "https://conv.example/conversations?limit=1"
	for link, want := range map[string]string{
		`<https://conv.example/p2>; rel="next"`:                                      "https://conv.example/p2",
		`<https://conv.example/p0>; rel="prev", <https://conv.example/p2>; rel=next`: "https://conv.example/p2",
		`</p2?x=1>; title="a"; REL="NEXT"`:                                           "https://conv.example/p2?x=1",
		`<?page=2>;rel=next`:                                                         "https://conv.example/conversations?page=2",
		`<https://conv.example/p2>; rel="last"`:                                      "",
		`<` + current + `>; rel="next"`:                                              "", // would never end
		`https://conv.example/p2; rel="next"`:                                        "",
		`<://>; rel="next"`:                                                          "",
		``:                                                                           "",
	} {
		if got := nextLink(current, http.Header{"Link": {link}}); got != want {
			t.Errorf("%s: %q, want %q", link, got, want)
		}
	}
}

func FuzzNextLink(f *testing.F) {
	f.Add(`<https://conv.example/p2>; rel="next"`)
	f.Add(`</p2?x=1>; title="a"; REL="NEXT", <`)
	f.Fuzz(func(t *testing.T, link string) {
		next := nextLink("https://conv.example/x", http.Header{"Link": {link}})
		if next == "" {
			return
		}
		if u, err := url.Parse(next); err != nil || u.Scheme == "" {
			t.Errorf("%q leads to %q", link, next)
		}
	})
}

func TestPersonUUID(t *testing.T) {
	const uuid = "22222222-2222-4222-8222-222222222222"
	for id, want := range map[string]string{
		"Y2lzY29zcGFyazovL3VzL1BFT1BMRS8yMjIyMjIyMi0yMjIyLTQyMjItODIyMi0yMjIyMjIyMjIyMjI":  uuid,
		"Y2lzY29zcGFyazovL3VzL1BFT1BMRS8yMjIyMjIyMi0yMjIyLTQyMjItODIyMi0yMjIyMjIyMjIyMjI=": uuid,
		"Y2lzY29zcGFyazovL3VzL1JPT00vMjIyMjIyMjItMjIyMi00MjIyLTgyMjItMjIyMjIyMjIyMjIy":     "",
		"not base64!": "",
		"":            "",
	} {
		if got, err := personUUID(id); (err == nil) != (want != "") || err == nil && got != want {
			t.Errorf("%q: %q, %v", id, got, err)
		}
	}
}

func TestTimestamps(t *testing.T) {
	want := time.Date(2026, 11, 23, 8, 43, 59, 858e6, time.UTC)
	for in, want := range map[string]time.Time{
		`{"t":"2026-11-23T08:43:59.858Z"}`: want,
		`{"t":1795423439858}`:              want,
		`{"t":"soon"}`:                     {},
		`{"t":null}`:                       {},
		`{"t":{}}`:                         {},
	} {
		var v struct {
			T timestamp `json:"t"`
		}
		if err := loose.Unmarshal([]byte(in), &v); err != nil || !v.T.Equal(want) {
			t.Errorf("%s: %v, %v", in, v.T, err)
		}
	}
}

func TestCloseErrorsWithoutACodeOnTheWire(t *testing.T) {
	for _, c := range []struct {
		code    int
		reason  string
		verdict closeVerdict
	}{
		{1005, "replaced", closeReplaced}, {1005, "authorization failed", closeUnauthorized}, {1005, "", closeTransient},
		{1006, "", closeTransient}, {1050, "idle", closeTransient}, {1050, "logout", closePermanent}, {1012, "restart", closeTransient},
	} {
		if got := (&CloseError{c.code, c.reason}).verdict(); got != c.verdict {
			t.Errorf("%d %q: verdict %d, want %d", c.code, c.reason, got, c.verdict)
		}
	}
}
