package webexmsgtest

import (
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
)

// A contentKey is readable by its maker while it is bound to nothing, then by
// the authorised users of its resource.
type contentKey struct {
	*symmetricKey
	maker    *Person // nil: the cloud itself
	resource *kmsResource
	created  time.Time
}

// A kmsResource is what keys are bound to: a room has one. Who may read its
// keys are the members of the room, or whom its maker named while it has none.
type kmsResource struct {
	uri  string
	room *Room
	auth []string // user ids
	keys []string
}

type kmsRefusal struct {
	status int
	reason string
}

// mayRead needs s.mu, as all of kms does.
func (k *contentKey) mayRead(p *Person) bool {
	switch r := k.resource; {
	case r == nil:
		return k.maker == p
	case r.room != nil:
		return r.room.has(p)
	default:
		return slices.Contains(r.auth, p.ID)
	}
}

func (k *contentKey) json(req *kmsRequest, p *Person) map[string]any {
	key := map[string]any{
		"uri":        k.uri,
		"jwk":        k.jwk(),
		"userId":     p.ID,
		"clientId":   req.Client.ClientID,
		"createDate": timestamp(k.created),
	}
	if k.resource != nil {
		key["bindDate"] = timestamp(k.created)
		key["resourceUri"] = k.resource.uri
	}
	return key
}

func (s *Server) newContentKey(maker *Person) *contentKey {
	uri := kmsCluster + "/keys/" + uuid.NewString()
	key := &contentKey{symmetricKey: newSymmetricKey(uri, randomBytes(32), ""), maker: maker, created: time.Now()}
	s.kms.keys[uri] = key
	return key
}

func (s *Server) newResource() *kmsResource {
	r := &kmsResource{uri: kmsCluster + "/resources/" + uuid.NewString()}
	s.kms.resources[r.uri] = r
	return r
}

func (r *kmsResource) bind(k *contentKey) {
	k.resource = r
	r.keys = append(r.keys, k.uri)
}

func (r *kmsResource) json() map[string]any {
	return map[string]any{
		"uri":               r.uri,
		"keyUris":           r.keys,
		"authorizationUris": []string{},
	}
}

func (s *Server) retrieveKey(uri string, p *Person, req *kmsRequest) map[string]any {
	if refusal, ok := s.kms.refused[uri]; ok {
		return kmsFailure(refusal.status, refusal.reason)
	}
	key := s.kms.keys[uri]
	switch {
	case key == nil:
		return kmsFailure(http.StatusNotFound, "no such key")
	case !key.mayRead(p):
		return kmsFailure(http.StatusForbidden, "not authorized for the key")
	}
	return map[string]any{"status": http.StatusOK, "key": key.json(req, p)}
}

func (s *Server) createKeys(p *Person, req *kmsRequest) map[string]any {
	const most = 100
	keys := []any{}
	for range min(max(req.Count, 1), most) {
		keys = append(keys, s.newContentKey(p).json(req, p))
	}
	return map[string]any{"status": http.StatusCreated, "keys": keys}
}

func (s *Server) createResource(p *Person, req *kmsRequest) map[string]any {
	for _, uri := range req.KeyURIs {
		if key := s.kms.keys[uri]; key == nil || !key.mayRead(p) {
			return kmsFailure(http.StatusForbidden, "not authorized for the key")
		}
	}
	r := s.newResource()
	r.auth = append(slices.Concat(req.UserIDs, req.AuthIDs), p.ID)
	for _, uri := range req.KeyURIs {
		r.bind(s.kms.keys[uri])
	}
	return map[string]any{"status": http.StatusCreated, "resource": r.json()}
}

func (s *Server) bindKey(uri string, p *Person, req *kmsRequest) map[string]any {
	key, r := s.kms.keys[uri], s.kms.resources[req.ResourceURI]
	switch {
	case key == nil || r == nil:
		return kmsFailure(http.StatusNotFound, "no such key or resource")
	case !key.mayRead(p):
		return kmsFailure(http.StatusForbidden, "not authorized for the key")
	}
	r.bind(key)
	return map[string]any{"status": http.StatusOK, "key": key.json(req, p)}
}

// authorize needs no more for a room, whose members may read its keys.
func (s *Server) authorize(req *kmsRequest) map[string]any {
	r := s.kms.resources[req.ResourceURI]
	if r == nil {
		return kmsFailure(http.StatusNotFound, "no such resource")
	}
	ids := slices.Concat(req.UserIDs, req.AuthIDs)
	r.auth = append(r.auth, ids...)
	list := []any{}
	for _, id := range ids {
		list = append(list, map[string]any{
			"uri": kmsCluster + "/authorizations/" + uuid.NewString(), "authId": id, "resourceUri": r.uri,
		})
	}
	return map[string]any{"status": http.StatusCreated, "authorizations": list}
}

// RefuseKey makes the KMS refuse the key of this URL from now on, as it does
// keys of rooms that one has left (403) or that were revoked (405). Status 0
// undoes it.
func (s *Server) RefuseKey(keyURL string, status int, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if status == 0 {
		delete(s.kms.refused, keyURL)
	} else {
		s.kms.refused[keyURL] = kmsRefusal{status, reason}
	}
}
