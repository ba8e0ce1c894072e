package webexmsgtest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	catalogPath      = "/u2c/api/v1"
	wdmPath          = "/wdm/api/v1"
	mercuryPath      = "/mercury/api/v1"
	encryptionPath   = "/encryption/api/v1"
	conversationPath = "/conversation/api/v1"
	metricsPath      = "/metrics/api/v1"
	apiPath          = "/v1"

	maxBody = 256 << 20 // bytes of a request
)

// An Endpoint is a kind of request, for faults and records.
type Endpoint string

// The endpoints. EveryEndpoint stands for all of them in [Server.Fail],
// [Server.Hang], [Server.Delay], [Server.Restore] and [Server.Count].
const (
	EveryEndpoint         Endpoint = "*"
	CatalogEndpoint       Endpoint = "catalog"       // U2C: GET catalog
	RegisterEndpoint      Endpoint = "register"      // WDM: POST devices
	DevicesEndpoint       Endpoint = "devices"       // WDM: GET devices, GET of a device
	RefreshEndpoint       Endpoint = "refresh"       // WDM: PUT of a device
	UnregisterEndpoint    Endpoint = "unregister"    // WDM: DELETE of a device
	UpgradeEndpoint       Endpoint = "upgrade"       // Mercury: the WebSocket upgrade
	KMSDetailsEndpoint    Endpoint = "kms-details"   // KMS: GET kms/{userId}
	KMSMessagesEndpoint   Endpoint = "kms-messages"  // KMS: POST kms/messages
	PeopleMeEndpoint      Endpoint = "people-me"     // REST: GET people/me
	RESTEndpoint          Endpoint = "rest"          // REST: everything else
	ConversationsEndpoint Endpoint = "conversations" // conversation service: GET conversations, one or many
	ActivitiesEndpoint    Endpoint = "activities"    // conversation service: GET activities
	SenderEndpoint        Endpoint = "sender"        // conversation service: what only clients that post need
	FilesEndpoint         Endpoint = "files"         // files: download addresses, downloads, uploads
	MetricsEndpoint       Endpoint = "metrics"       // what clients tell about themselves
	unknownEndpoint       Endpoint = "unknown"
)

// An exchange is one request on its way through the server.
type exchange struct {
	s        *Server
	w        http.ResponseWriter
	r        *http.Request
	endpoint Endpoint
	person   *Person // whose token it carries; nil on routes that need none
	record   *Request
	body     []byte
}

type access bool

const (
	public        access = false
	authenticated access = true
)

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, e Endpoint, a access, f func(*exchange)) {
		mux.Handle(pattern, s.route(e, a, f))
	}
	s.catalogRoutes(handle)
	s.deviceRoutes(handle)
	s.mercuryRoutes(handle)
	s.kmsRoutes(handle)
	s.peopleRoutes(handle)
	s.fileRoutes(handle)
	s.conversationRoutes(handle)
	s.restRoutes(handle)
	s.senderRoutes(handle)
	handle("/", unknownEndpoint, public, func(x *exchange) {
		x.fail(http.StatusNotFound, "no such resource: "+x.r.Method+" "+x.r.URL.Path)
	})

	// In a mux of their own: beside conversations/{id}/activities neither
	// pattern would be the more specific one.
	outer := http.NewServeMux()
	outer.Handle("/", mux)
	for _, method := range []string{"GET", "PUT"} {
		outer.Handle(method+" "+conversationPath+"/conversations/user/{user}",
			s.route(SenderEndpoint, authenticated, (*exchange).conversationWith))
	}
	return outer
}

// routeFunc is what each service registers its routes with.
type routeFunc func(pattern string, e Endpoint, a access, f func(*exchange))

// route is what every request passes: records, then faults, then the token.
func (s *Server) route(e Endpoint, a access, f func(*exchange)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.running.Add(1)
		defer s.running.Done()
		x := &exchange{s: s, w: w, r: r, endpoint: e}
		x.record = s.recordRequest(r, e)
		if id := r.Header.Get("TrackingID"); id != "" {
			w.Header().Set("TrackingID", id)
		}
		// Reading to the end also lets net/http notice a client that goes away.
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			x.fail(http.StatusRequestEntityTooLarge, "the request body cannot be read")
			return
		}
		x.body = body
		if !x.suffer() {
			return
		}
		if a == authenticated {
			token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if x.person = s.personOf(token); x.person == nil {
				w.Header().Set("WWW-Authenticate", `Bearer realm="Webex"`)
				x.fail(http.StatusUnauthorized, "The request requires a valid access token set in the Authorization request header.")
				return
			}
		}
		f(x)
	})
}

// suffer applies the faults that are set for x's endpoint, and reports whether
// the exchange goes on.
func (x *exchange) suffer() bool {
	delay, hang, failure := x.s.takeFaults(x.endpoint)
	if delay > 0 {
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-x.r.Context().Done():
			return x.abandon()
		case <-x.s.done:
			return x.abandon()
		}
	}
	if hang {
		select {
		case <-x.r.Context().Done():
		case <-x.s.done:
		}
		return x.abandon()
	}
	if failure != nil {
		for name, values := range failure.header {
			x.w.Header()[name] = values
		}
		if failure.body == "" {
			x.fail(failure.status, "fault injected by the test")
		} else {
			x.write(failure.status, []byte(failure.body))
		}
		return false
	}
	return true
}

// abandon makes sure that there is no answer: net/http gives one, of status
// 200, for a handler that returns without any.
func (x *exchange) abandon() bool {
	_, c := connsOf(x.r.Context())
	c.Close()
	return false
}

// decode reads the request's JSON into v; if it cannot, it answers 400 and
// returns false.
func (x *exchange) decode(v any) bool {
	d := json.NewDecoder(bytes.NewReader(x.body))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		x.fail(http.StatusBadRequest, "the request body is not the JSON that is expected here")
		return false
	}
	return true
}

func (x *exchange) json(status int, v any) {
	body := must(json.Marshal(v))
	if x.w.Header().Get("Content-Type") == "" {
		x.w.Header().Set("Content-Type", "application/json;charset=utf-8")
	}
	x.write(status, body)
}

func (x *exchange) fail(status int, message string) {
	x.json(status, map[string]any{
		"message":    message,
		"errors":     []any{map[string]any{"description": message}},
		"trackingId": x.w.Header().Get("TrackingID"),
	})
}

func (x *exchange) write(status int, body []byte) {
	x.s.recordStatus(x.record, status)
	x.w.WriteHeader(status)
	x.w.Write(body) // the client may be gone: nothing to do about that
}

// noContent answers with a status and no body.
func (x *exchange) noContent(status int) { x.write(status, nil) }
