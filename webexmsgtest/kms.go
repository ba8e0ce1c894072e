package webexmsgtest

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
)

const (
	kmsHost           = "kms.example.com"
	kmsCluster        = "kms://" + kmsHost
	kmsStaticKid      = kmsCluster + "/statickeys/1"
	defaultSharedLife = time.Hour
)

// kms is the state of the key management service, guarded by Server.mu.
type kms struct {
	static          *rsa.PrivateKey
	certificateHost string
	signature       SignatureMode
	sharedLife      time.Duration
	shared          map[string]*sharedKey   // by kid
	keys            map[string]*contentKey  // by URI
	resources       map[string]*kmsResource // by URI
	refused         map[string]kmsRefusal   // by key URI
	answers         kmsAnswers
}

type sharedKey struct {
	*symmetricKey
	owner *Person
}

func (k *kms) init() {
	k.static = staticRSA()
	k.certificateHost = kmsHost
	k.sharedLife = defaultSharedLife
	k.shared = make(map[string]*sharedKey)
	k.keys = make(map[string]*contentKey)
	k.resources = make(map[string]*kmsResource)
	k.refused = make(map[string]kmsRefusal)
}

func (s *Server) kmsRoutes(handle routeFunc) {
	handle("GET "+encryptionPath+"/kms/{userId}", KMSDetailsEndpoint, authenticated, (*exchange).kmsDetails)
	handle("POST "+encryptionPath+"/kms/messages", KMSMessagesEndpoint, authenticated, (*exchange).kmsMessages)
}

func (x *exchange) kmsDetails() {
	s := x.s
	cluster := s.override(kmsOverride, kmsCluster)
	s.mu.Lock()
	static, host := s.kms.static, s.kms.certificateHost
	s.mu.Unlock()
	a := authorities()
	jwk := jose.JSONWebKey{
		Key:          static.Public(),
		KeyID:        kmsStaticKid,
		Certificates: []*x509.Certificate{a.issue(host, static.Public()), a.ca},
	}
	x.json(http.StatusOK, map[string]any{
		"kmsCluster":   cluster,
		"rsaPublicKey": string(must(jwk.MarshalJSON())),
	})
}

func (x *exchange) kmsMessages() {
	var post struct {
		KMSMessages []string `json:"kmsMessages"`
	}
	if !x.decode(&post) {
		return
	}
	x.s.mu.Lock()
	x.s.records.kmsPosts++
	for _, message := range post.KMSMessages {
		x.s.records.kmsRequests++
		if answer, ok := x.s.openKMS(message); ok {
			x.s.answerKMS(answer)
		}
	}
	x.s.notify()
	x.s.mu.Unlock()
	x.noContent(http.StatusAccepted)
}

// kmsRequest is what is inside a wrapped request.
type kmsRequest struct {
	RequestID string          `json:"requestId"`
	Method    string          `json:"method"`
	URI       string          `json:"uri"`
	JWK       json.RawMessage `json:"jwk"`
	Client    struct {
		ClientID   string `json:"clientId"`
		Credential struct {
			UserID string `json:"userId"`
			Bearer string `json:"bearer"`
		} `json:"credential"`
	} `json:"client"`

	// Of clients that post.
	Count       int      `json:"count"`
	KeyURIs     []string `json:"keyUris"`
	UserIDs     []string `json:"userIds"`
	AuthIDs     []string `json:"authIds"`
	ResourceURI string   `json:"resourceUri"`
}

// openKMS opens a wrapped request, performs it and returns the answer. One that
// cannot be opened has none: the KMS knows nobody to answer. It needs s.mu.
func (s *Server) openKMS(message string) (kmsAnswer, bool) {
	k := &s.kms
	alg, kid := protectedHeader(message)
	var plain []byte
	var err error
	var wrap func(body []byte) string
	shared := k.shared[kid]
	switch {
	case alg == string(jose.RSA_OAEP):
		plain, err = openJWE(message, jose.RSA_OAEP, k.static)
		static, mode := k.static, k.signature
		wrap = func(body []byte) string { return sign(mode, static, kmsStaticKid, body) }
	case shared != nil:
		plain, err = shared.open(message)
		wrap = func(body []byte) string { return shared.seal(body, false) }
	default:
		return kmsAnswer{}, false
	}
	var req kmsRequest
	if err != nil || json.Unmarshal(plain, &req) != nil {
		return kmsAnswer{}, false
	}
	body := s.performKMS(&req, shared)
	body["requestId"] = req.RequestID
	return kmsAnswer{device: req.Client.ClientID, body: body, wrap: wrap}, true
}

// performKMS does what a request asks. shared is nil for one that came under
// the static key. It needs s.mu.
func (s *Server) performKMS(req *kmsRequest, shared *sharedKey) map[string]any {
	p := s.tokens[strings.TrimPrefix(req.Client.Credential.Bearer, "Bearer ")]
	if p == nil || (req.Client.Credential.UserID != "" && req.Client.Credential.UserID != p.ID) {
		return kmsFailure(http.StatusUnauthorized, "the credential is not valid")
	}
	path := req.URI // absolute (kms://host/keys/...) or relative (/keys)
	if u, err := url.Parse(req.URI); err == nil {
		path = u.Path
	}
	kind, id, _ := strings.Cut(strings.Trim(path, "/"), "/")
	uri := kmsCluster + "/" + kind + "/" + id
	switch {
	case req.Method == "create" && kind == "ecdhe":
		return s.handshake(req, p)
	case shared == nil:
		return kmsFailure(http.StatusForbidden, "only a handshake may come under the static key")
	case shared.owner != p:
		return kmsFailure(http.StatusForbidden, "the shared key is another user's")
	case req.Method == "retrieve" && kind == "keys":
		return s.retrieveKey(uri, p, req)
	case req.Method == "create" && kind == "keys":
		return s.createKeys(p, req)
	case req.Method == "update" && kind == "keys":
		return s.bindKey(uri, p, req)
	case req.Method == "create" && kind == "resources":
		return s.createResource(p, req)
	case req.Method == "create" && kind == "authorizations":
		return s.authorize(req)
	case req.Method == "delete" && kind == "authorizations", req.Method == "update" && kind == "ping":
		return map[string]any{"status": http.StatusOK}
	}
	return kmsFailure(http.StatusNotFound, "no such resource")
}

func kmsFailure(status int, reason string) map[string]any {
	return map[string]any{"status": status, "reason": reason}
}

// handshake agrees on a shared key with p. It needs s.mu.
func (s *Server) handshake(req *kmsRequest, p *Person) map[string]any {
	public, secret, err := agree(req.JWK)
	if err != nil {
		return kmsFailure(http.StatusBadRequest, "the jwk is not a P-256 public key")
	}
	s.records.handshakes++
	uri := kmsCluster + "/ecdhe/" + uuid.NewString()
	s.kms.shared[uri] = &sharedKey{symmetricKey: newSymmetricKey(uri, secret, uri), owner: p}
	now := time.Now()
	jwk := jose.JSONWebKey{Key: public, KeyID: uri}
	return map[string]any{
		"status": http.StatusCreated,
		"key": map[string]any{
			"uri":            uri,
			"jwk":            json.RawMessage(must(jwk.MarshalJSON())),
			"userId":         p.ID,
			"clientId":       req.Client.ClientID,
			"createDate":     timestamp(now),
			"expirationDate": timestamp(now.Add(s.kms.sharedLife)),
		},
	}
}

// ExpireSharedKeys forgets every key agreed on in a handshake: requests wrapped
// with one cannot be opened any more and get no answer. A new handshake works.
func (s *Server) ExpireSharedKeys() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.kms.shared)
}

// SharedKeyLife sets how far away the expirationDate of handshakes is from now
// on: an hour at first. The server itself goes on taking the key after it.
func (s *Server) SharedKeyLife(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kms.sharedLife = d
}

// SignWith sets how handshake answers are signed from now on.
func (s *Server) SignWith(mode SignatureMode) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kms.signature = mode
}

// KMSCertificateHost makes the certificate of the static key name host, which
// a client must refuse unless it is the host of the key's kid,
// "kms.example.com".
func (s *Server) KMSCertificateHost(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kms.certificateHost = host
}

// SwapStaticKey gives the KMS another, equally good static key: a client that
// asked for the details before cannot shake hands until it asks again.
func (s *Server) SwapStaticKey() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kms.static == staticRSA() {
		s.kms.static = swappedRSA()
	} else {
		s.kms.static = staticRSA()
	}
}
