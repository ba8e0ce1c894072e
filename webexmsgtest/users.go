package webexmsgtest

import "net/http"

// user is the person as the conversation service shows its users.
func (p *Person) user() map[string]any {
	return map[string]any{
		"id":           p.ID,
		"emailAddress": p.Email,
		"email":        p.Email,
		"displayName":  p.DisplayName,
		"orgId":        p.OrgID,
		"userExists":   true,
	}
}

// lookUpUsers answers with the users of some email addresses, by address.
// Webex makes users of those that it does not know; here nobody appears unless
// the test says so.
func (x *exchange) lookUpUsers() {
	var wanted []struct {
		Email string `json:"email"`
	}
	if !x.decode(&wanted) {
		return
	}
	users := make(map[string]any)
	x.s.mu.Lock()
	for _, w := range wanted {
		users[w.Email] = map[string]any{"userExists": false}
		if p := x.s.personByEmail(w.Email); p != nil {
			users[w.Email] = p.user()
		}
	}
	x.s.mu.Unlock()
	x.json(http.StatusOK, users)
}
