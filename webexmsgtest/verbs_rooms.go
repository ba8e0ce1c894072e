package webexmsgtest

import "slices"

// Add makes q a member of the group room r.
func (p *Person) Add(r *Room, q *Person) string {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.mustBeIn(r)
	if !r.has(q) {
		r.members = append(r.members, q)
	}
	return p.membership(r, "add", q)
}

// Remove ends q's membership of r. q hears of that, and nothing after it.
func (p *Person) Remove(r *Room, q *Person) string {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.mustBeIn(r)
	r.members = without(r.members, q)
	r.moderators = without(r.moderators, q)
	return p.membership(r, "leave", q)
}

// Leave ends p's own membership of r.
func (p *Person) Leave(r *Room) string { return p.Remove(r, p) }

// SetModerator makes q a moderator of r, or no longer one.
func (p *Person) SetModerator(r *Room, q *Person, on bool) string {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	p.mustBeIn(r)
	r.moderators = without(r.moderators, q)
	if !on {
		return p.membership(r, "unassignModerator", q)
	}
	r.moderators = append(r.moderators, q)
	return p.membership(r, "assignModerator", q)
}

// membership needs s.mu.
func (p *Person) membership(r *Room, verb string, q *Person) string {
	return p.s.perform(p, r, &activity{verb: verb, subject: q}, map[string]any{"object": q.object()})
}

// without leaves list itself as it is: it may be in use.
func without(list []*Person, p *Person) []*Person {
	return slices.DeleteFunc(slices.Clone(list), func(q *Person) bool { return q == p })
}

// Rename gives r another title.
func (p *Person) Rename(r *Room, title string) string {
	return p.act(r, &activity{verb: "update"}, "", func() map[string]any {
		r.title = title
		return map[string]any{
			"object": map[string]any{
				"objectType":       "conversation",
				"displayName":      p.s.seal(r, title),
				"encryptionKeyUrl": r.key.uri,
				"participants":     noItems(),
				"activities":       noItems(),
			},
			"encryptionKeyUrl": r.key.uri,
		}
	})
}

// Lock makes r a moderated room.
func (p *Person) Lock(r *Room) string { return p.lock(r, "lock", true) }

// Unlock undoes Lock.
func (p *Person) Unlock(r *Room) string { return p.lock(r, "unlock", false) }

func (p *Person) lock(r *Room, verb string, on bool) string {
	return p.act(r, &activity{verb: verb}, "", func() map[string]any {
		r.locked = on
		return map[string]any{"object": r.object()}
	})
}

// Hide takes the direct room r out of p's own list of rooms, until something
// is posted in it.
func (p *Person) Hide(r *Room) string {
	return p.act(r, &activity{verb: "hide"}, "", func() map[string]any {
		return map[string]any{"object": r.object()}
	})
}
