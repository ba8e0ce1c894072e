package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// A call is one of the SDK's functions with its arguments.
type call struct {
	function string
	args     []any
	refusal  string // what the SDK may make of a well-formed answer instead of a result
}

// unlisted lets the SDK do what the cloud was not built for. Each must get a
// well-formed answer or a clean 404: nothing may hang, and nothing may break.
func (w *world) unlisted(ctx context.Context) {
	const most = 5 * time.Second
	w.report.section("Unlisted: operations that the cloud need not know")

	room := map[string]any{"id": w.direct.ID, "url": w.direct.URL()}
	typing := map[string]any{"typing": true}
	calls := []call{
		{function: "internal.conversation.updateTypingStatus", args: []any{room, typing}},
		{function: "internal.conversation.list"},
		{function: "internal.conversation.list", args: []any{map[string]any{"summary": true}}},
		{function: "internal.conversation.paginate"},
		{function: "internal.conversation.listLeft"},
		{function: "internal.conversation.listMentions", args: []any{map[string]any{"sinceDate": 0}}},
		{function: "internal.conversation.get", args: []any{room, map[string]any{"includeParticipants": true, "activitiesLimit": 10}}},
		{function: "internal.conversation.get", args: []any{map[string]any{"user": w.Bot().ID}}},
		{function: "internal.conversation.get", args: []any{map[string]any{"user": w.bob.Email}}},
		{function: "internal.conversation.listParentActivityIds", args: []any{w.direct.URL(), map[string]any{"activityType": "reply"}}},
		{function: "internal.conversation.bulkActivitiesFetch", args: []any{[]string{w.URL() + "/conversation/api/v1/activities/none"}}},
		{function: "internal.conversation.favorite", args: []any{room}},
		{function: "internal.conversation.muteMessages", args: []any{room}},
		{function: "internal.conversation.ignore", args: []any{room}},
		{function: "internal.user.get"},
		{function: "internal.user.asUUID", args: []any{w.carol.Email}},
		{function: "internal.user.asUUID", args: []any{"nobody@example.com"}, refusal: `"userExists":false`},
		{function: "internal.device.refresh"},
		{function: "people.get", args: []any{"me"}},
		{function: "people.get", args: []any{w.bob.RESTID()}},
		{function: "people.list", args: []any{map[string]any{"email": w.bob.Email}}},
		{function: "people.list", args: []any{map[string]any{"displayName": "Bo"}}},
		{function: "people.list", args: []any{[]string{w.bob.RESTID(), w.carol.RESTID()}}},
		{function: "rooms.list", args: []any{map[string]any{"max": 5}}},
		{function: "rooms.get", args: []any{w.direct.RESTID()}},
		{function: "rooms.create", args: []any{map[string]any{"title": "By REST"}}},
		{function: "rooms.update", args: []any{map[string]any{"id": w.group.RESTID(), "title": "By REST"}}},
		{function: "rooms.remove", args: []any{w.group.RESTID()}},
		{function: "rooms.listWithReadStatus"},
		{function: "rooms.getWithReadStatus", args: []any{w.direct.RESTID()}},
		{function: "memberships.list", args: []any{map[string]any{"roomId": w.group.RESTID()}}},
		{function: "memberships.listWithReadStatus", args: []any{map[string]any{"roomId": w.group.RESTID()}}},
		{function: "memberships.create", args: []any{map[string]any{"roomId": w.group.RESTID(), "personEmail": w.carol.Email}}},
		{function: "messages.list", args: []any{map[string]any{"roomId": w.direct.RESTID()}}},
		{function: "messages.get", args: []any{"none"}},
		{function: "messages.create", args: []any{map[string]any{"roomId": w.direct.RESTID(), "files": []any{sdkFile("a.txt", "text/plain", []byte("a"))}}}},
		{function: "attachmentActions.get", args: []any{"none"}},
		{function: "internal.encryption.kms.createUnboundKeys", args: []any{map[string]any{"count": 2}}},
		{function: "internal.encryption.kms.fetchKey", args: []any{map[string]any{"uri": "kms://kms.example.com/keys/none"}}},
		{function: "internal.encryption.kms.listAuthorizations", args: []any{map[string]any{"kroUri": "kms://kms.example.com/resources/none"}}},
		{function: "internal.encryption.kms.fetchPublicKey", args: []any{map[string]any{"assignedOrgId": w.alice.OrgID}}},
		{function: "internal.feature.setFeature", args: []any{"developer", "some-feature", true}, refusal: "'feature' is not a known service"},
		{function: "request", args: []any{map[string]any{"service": "conversation", "resource": "no/such/thing"}}},
		{function: "request", args: []any{map[string]any{"service": "hydra", "resource": "webhooks"}}},
		{function: "request", args: []any{map[string]any{"method": "POST", "service": "wdm", "resource": "no/such/thing", "body": map[string]any{}}}},
	}
	for _, c := range calls {
		ctx, cancel := context.WithTimeoutCause(ctx, most, fmt.Errorf("it hangs: no answer in %v", most))
		w.sender.Complaints()
		err := w.sender.Call(ctx, nil, c.function, c.args...)
		cancel()
		answer := "a result"
		var refusal *sdkError
		switch {
		case !errors.As(err, &refusal):
		case clean(refusal.Status):
			answer, err = fmt.Sprint("a clean ", refusal.Status), nil
		case c.refusal != "" && strings.Contains(refusal.Message, c.refusal):
			answer, err = c.refusal, nil
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
