package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// A call is one of the SDK's functions with its arguments.
type call struct {
	function string
	args     []any
}

// unlisted lets the SDK do what the cloud was not built for. Each must get a
// well-formed answer or a clean 404: nothing may hang, and nothing may break.
func (w *world) unlisted(ctx context.Context) {
	const most = 5 * time.Second
	w.report.section("Unlisted: operations that the cloud need not know")

	room := map[string]any{"id": w.direct.ID, "url": w.direct.URL()}
	typing := map[string]any{"typing": true}
	calls := []call{
		{"internal.conversation.updateTypingStatus", []any{room, typing}},
		{"internal.conversation.list", nil},
		{"internal.conversation.list", []any{map[string]any{"summary": true}}},
		{"internal.conversation.paginate", nil},
		{"internal.conversation.listLeft", nil},
		{"internal.conversation.listMentions", []any{map[string]any{"sinceDate": 0}}},
		{"internal.conversation.get", []any{room, map[string]any{"includeParticipants": true, "activitiesLimit": 10}}},
		{"internal.conversation.get", []any{map[string]any{"user": w.Bot().ID}}},
		{"internal.conversation.get", []any{map[string]any{"user": w.bob.Email}}},
		{"internal.conversation.listParentActivityIds", []any{w.direct.URL(), map[string]any{"activityType": "reply"}}},
		{"internal.conversation.bulkActivitiesFetch", []any{[]string{w.URL() + "/conversation/api/v1/activities/none"}}},
		{"internal.conversation.favorite", []any{room}},
		{"internal.conversation.muteMessages", []any{room}},
		{"internal.conversation.ignore", []any{room}},
		{"internal.user.get", nil},
		{"internal.user.asUUID", []any{w.carol.Email}},
		{"internal.user.asUUID", []any{"nobody@example.com"}},
		{"internal.device.refresh", nil},
		{"people.get", []any{"me"}},
		{"people.get", []any{w.bob.RESTID()}},
		{"people.list", []any{map[string]any{"email": w.bob.Email}}},
		{"people.list", []any{map[string]any{"displayName": "Bo"}}},
		{"people.list", []any{[]string{w.bob.RESTID(), w.carol.RESTID()}}},
		{"rooms.list", []any{map[string]any{"max": 5}}},
		{"rooms.get", []any{w.direct.RESTID()}},
		{"rooms.create", []any{map[string]any{"title": "By REST"}}},
		{"rooms.update", []any{map[string]any{"id": w.group.RESTID(), "title": "By REST"}}},
		{"rooms.remove", []any{w.group.RESTID()}},
		{"rooms.listWithReadStatus", nil},
		{"rooms.getWithReadStatus", []any{w.direct.RESTID()}},
		{"memberships.list", []any{map[string]any{"roomId": w.group.RESTID()}}},
		{"memberships.listWithReadStatus", []any{map[string]any{"roomId": w.group.RESTID()}}},
		{"memberships.create", []any{map[string]any{"roomId": w.group.RESTID(), "personEmail": w.carol.Email}}},
		{"messages.list", []any{map[string]any{"roomId": w.direct.RESTID()}}},
		{"messages.get", []any{"none"}},
		{"messages.create", []any{map[string]any{"roomId": w.direct.RESTID(), "files": []any{sdkFile("a.txt", "text/plain", []byte("a"))}}}},
		{"attachmentActions.get", []any{"none"}},
		{"internal.encryption.kms.createUnboundKeys", []any{map[string]any{"count": 2}}},
		{"internal.encryption.kms.fetchKey", []any{map[string]any{"uri": "kms://kms.example.com/keys/none"}}},
		{"internal.encryption.kms.listAuthorizations", []any{map[string]any{"kroUri": "kms://kms.example.com/resources/none"}}},
		{"internal.encryption.kms.fetchPublicKey", []any{map[string]any{"assignedOrgId": w.alice.OrgID}}},
		{"internal.feature.setFeature", []any{"developer", "some-feature", true}},
		{"request", []any{map[string]any{"service": "conversation", "resource": "no/such/thing"}}},
		{"request", []any{map[string]any{"service": "hydra", "resource": "webhooks"}}},
		{"request", []any{map[string]any{"method": "POST", "service": "wdm", "resource": "no/such/thing", "body": map[string]any{}}}},
	}
	for _, c := range calls {
		ctx, cancel := context.WithTimeoutCause(ctx, most, fmt.Errorf("it hangs: no answer in %v", most))
		err := w.sender.Call(ctx, nil, c.function, c.args...)
		cancel()
		answer := "a result"
		var refusal *sdkError
		if errors.As(err, &refusal) && clean(refusal.Status) {
			answer, err = fmt.Sprint("a clean ", refusal.Status), nil
		}
		w.report.check(c.function, w.explain(err, w.sender), "SDK:  "+answer)
	}
	w.report.check("no request was left without an answer, and none broke the cloud", broken(w.Requests()))
}

// clean reports whether a refusal is one that a client can go on from.
func clean(status int) bool { return status >= 400 && status < 500 }

// broken looks for requests that hung or made the cloud fail.
func broken(requests []webexmsgtest.Request) error {
	var problems []string
	for _, r := range requests {
		if r.Status == 0 || r.Status >= http.StatusInternalServerError {
			problems = append(problems, fmt.Sprintf("%s %s: status %d", r.Method, r.Path, r.Status))
		}
	}
	return joined(problems)
}
