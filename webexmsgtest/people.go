package webexmsgtest

import (
	"encoding/base64"
	"net/http"
	"strings"

	"github.com/google/uuid"
)

// A Person is a user of the simulated cloud, human or bot. Its fields do not
// change.
type Person struct {
	ID          string // a bare UUID, as on Mercury; [Person.RESTID] is the public form
	Email       string
	DisplayName string
	OrgID       string // a bare UUID
	Token       string // the first access token; see [Server.NewToken]
	IsBot       bool

	s       *Server
	sockets []*socket // authorised ones, oldest first
}

// One organisation for everybody: nothing here depends on having two.
const orgID = "99999999-9999-4999-8999-999999999999"

// NewPerson adds a human. It panics if the email is taken.
func (s *Server) NewPerson(email, displayName string) *Person {
	return s.newPerson(email, displayName, false)
}

// NewBot adds another bot. It panics if the email is taken.
func (s *Server) NewBot(email, displayName string) *Person {
	return s.newPerson(email, displayName, true)
}

func (s *Server) newPerson(email, displayName string, bot bool) *Person {
	p := &Person{
		s:           s,
		ID:          uuid.NewString(),
		Email:       email,
		DisplayName: displayName,
		OrgID:       orgID,
		IsBot:       bot,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.personByEmail(email) != nil {
		panic("webexmsgtest: there is already a person with the email " + email)
	}
	s.people[p.ID] = p
	p.Token = s.newToken(p)
	return p
}

// NewToken returns another access token for p. Those that p has stay valid
// until [Server.RevokeToken].
func (s *Server) NewToken(p *Person) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newToken(p)
}

// newToken needs s.mu. Cisco's SDK reads a user's organisation from the third
// part of the token.
func (s *Server) newToken(p *Person) string {
	random := strings.ReplaceAll(uuid.NewString(), "-", "")
	token := random[:22] + "_" + random[22:26] + "_" + p.OrgID
	s.tokens[token] = p
	return token
}

// RevokeToken makes every token that p has invalid: 401 everywhere. Sockets
// that are already authorised stand, as they do in Webex.
func (s *Server) RevokeToken(p *Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for token, owner := range s.tokens {
		if owner == p {
			delete(s.tokens, token)
		}
	}
}

// personOf returns whose live token it is, or nil.
func (s *Server) personOf(token string) *Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tokens[token]
}

// personByEmail needs s.mu.
func (s *Server) personByEmail(email string) *Person {
	for _, p := range s.people {
		if strings.EqualFold(p.Email, email) {
			return p
		}
	}
	return nil
}

// RESTID is the person's id in the public REST API.
func (p *Person) RESTID() string { return publicID("us", "PEOPLE", p.ID) }

// object is the person as activities show them.
func (p *Person) object() map[string]any {
	kind := "PERSON"
	if p.IsBot {
		kind = "BOT"
	}
	return map[string]any{
		"id":           p.ID,
		"objectType":   "person",
		"displayName":  p.DisplayName,
		"orgId":        p.OrgID,
		"emailAddress": p.Email,
		"entryUUID":    p.ID,
		"type":         kind,
	}
}

// publicID is the id of something in the public REST API.
func publicID(cluster, kind, id string) string {
	return base64.RawURLEncoding.EncodeToString([]byte("ciscospark://" + cluster + "/" + kind + "/" + id))
}

// bareID takes a public id of this kind in any flavour of base64, or a bare
// UUID, and returns the UUID.
func bareID(kind, id string) string {
	raw := strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(id, "="))
	if b, err := base64.RawURLEncoding.DecodeString(raw); err == nil {
		if rest, ok := strings.CutPrefix(string(b), "ciscospark://"); ok {
			if _, rest, ok := strings.Cut(rest, "/"); ok {
				if bare, ok := strings.CutPrefix(rest, kind+"/"); ok {
					return bare
				}
			}
		}
	}
	return id
}

// cluster is the server's cluster as public ids write it.
func (s *Server) cluster() string {
	switch s.opts.Cluster {
	case "urn:TEAM:us-east-2_a", "urn:TEAM:us-east-1_int13":
		return "us"
	}
	parts := strings.SplitN(s.opts.Cluster, ":", 4)
	return strings.Join(parts[:min(len(parts), 3)], ":")
}

func (s *Server) peopleRoutes(handle routeFunc) {
	handle("GET "+apiPath+"/people/me", PeopleMeEndpoint, authenticated, func(x *exchange) {
		x.json(http.StatusOK, x.person.rest())
	})
	handle("GET "+apiPath+"/people/{id}", RESTEndpoint, authenticated, func(x *exchange) {
		x.s.mu.Lock()
		p := x.s.people[bareID("PEOPLE", x.r.PathValue("id"))]
		x.s.mu.Unlock()
		if p == nil {
			x.fail(http.StatusNotFound, "no such person")
			return
		}
		x.json(http.StatusOK, p.rest())
	})
	for _, path := range []string{"/people", "/people/{$}"} {
		handle("GET "+apiPath+path, RESTEndpoint, authenticated, (*exchange).listPeople)
	}
}

// listPeople answers with the people of an email address, of the beginning of
// a name, or of a list of ids.
func (x *exchange) listPeople() {
	var found []*Person
	missing := []string{}
	x.s.mu.Lock()
	switch email, name, ids := x.r.FormValue("email"), x.r.FormValue("displayName"), x.r.FormValue("id"); {
	case email != "":
		found = append(found, x.s.personByEmail(email))
	case name != "":
		for _, p := range x.s.people {
			if strings.HasPrefix(strings.ToLower(p.DisplayName), strings.ToLower(name)) {
				found = append(found, p)
			}
		}
	case ids != "":
		for _, id := range strings.Split(ids, ",") {
			p := x.s.people[bareID("PEOPLE", id)]
			if p == nil {
				missing = append(missing, publicPerson(id))
			}
			found = append(found, p)
		}
	}
	x.s.mu.Unlock()
	items := []any{}
	for _, p := range without(found, nil) {
		items = append(items, p.rest())
	}
	x.json(http.StatusOK, map[string]any{"items": items, "notFoundIds": missing})
}

// publicPerson is an id that may be a bare one as the REST API has it: Cisco's
// SDK asks for the one, and waits for ever if it does not hear of the other.
func publicPerson(id string) string {
	if bareID("PEOPLE", id) == id {
		return publicID("us", "PEOPLE", id)
	}
	return id
}

func (p *Person) rest() map[string]any {
	kind := "person"
	if p.IsBot {
		kind = "bot"
	}
	return map[string]any{
		"id":          p.RESTID(),
		"emails":      []string{p.Email},
		"displayName": p.DisplayName,
		"nickName":    p.DisplayName,
		"orgId":       publicID("us", "ORGANIZATION", p.OrgID),
		"created":     "2020-01-01T00:00:00.000Z",
		"type":        kind,
	}
}
