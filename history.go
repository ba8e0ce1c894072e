package webexmsg

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/webexmsg/webexmsg/internal/backoff"
)

// conversations lists the rooms in which something happened since from.
func (r *recovery) conversations(ctx context.Context, service string, from time.Time) ([]roomObject, error) {
	query := url.Values{
		"sinceDate": {millis(from)}, "isActive": {"true"}, "conversationsLimit": {strconv.Itoa(catchUpPage)},
		"activitiesLimit": {"0"}, "includeParticipants": {"false"},
	}
	var rooms []roomObject
	next := service + "/conversations?" + query.Encode()
	for range catchUpPages {
		var page struct {
			Items []roomObject `json:"items"`
		}
		header, err := r.fetch(ctx, next, &page)
		if err != nil {
			return nil, err
		}
		for _, room := range page.Items {
			if room.ID == "" {
				continue
			}
			if room.URL == "" {
				room.URL = service + "/conversations/" + url.PathEscape(room.ID)
			}
			rooms = append(rooms, room)
		}
		if next = nextLink(next, header); next == "" {
			return rooms, nil
		}
	}
	return nil, fmt.Errorf("the list of rooms has more than %d pages", catchUpPages)
}

// fetchRoom fetches a room's activities, oldest first, and queues those that
// the bot is to hear. It says how many were new.
func (r *recovery) fetchRoom(ctx context.Context, room roomObject, since time.Time) (recovered int, err error) {
	r.mu.Lock()
	service, off := r.service, r.off
	r.mu.Unlock()
	if off {
		return 0, errCatchUpOff
	}
	base := room.URL
	if base == "" {
		base = service + "/conversations/" + url.PathEscape(room.ID)
	}
	from := func(since time.Time) string {
		return base + "/activities?" + url.Values{
			"sinceDate": {millis(since)}, "lastActivityFirst": {"false"}, "limit": {strconv.Itoa(catchUpPage)},
		}.Encode()
	}
	next := from(since)
	for range catchUpPages {
		var page struct {
			Items []json.RawMessage `json:"items"`
		}
		header, err := r.fetch(ctx, next, &page)
		if err != nil {
			return recovered, err
		}
		last := since
		for _, raw := range page.Items {
			a := parseActivity(raw)
			if a == nil {
				continue
			}
			a.inRoom(room)
			last = later(last, a.published())
			if !r.hears(a) {
				continue
			}
			switch err := r.put(ctx, job{a: a, caughtUp: true}); {
			case err == nil:
				recovered++
			case !errors.Is(err, errKnown):
				return recovered, err
			}
		}
		next = nextLink(next, header)
		if next == "" && len(page.Items) >= catchUpPage && last.After(since) {
			next = from(last) // whether the bound is inclusive nobody knows
		}
		since = last
		if next == "" {
			return recovered, nil
		}
	}
	return recovered, fmt.Errorf("more than %d pages", catchUpPages)
}

// fetch gets one page, in its turn, and waits out a service in trouble.
func (r *recovery) fetch(ctx context.Context, rawURL string, out any) (http.Header, error) {
	select {
	case r.fetching <- struct{}{}:
		defer func() { <-r.fetching }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	pause := backoff.Backoff{Min: time.Second, Max: 15 * time.Second}
	for {
		exchange, cancel := context.WithTimeout(ctx, catchUpExchange)
		header, err := r.rest.do(exchange, "catch-up (conversation)", http.MethodGet, rawURL, nil, out)
		cancel()
		if err == nil || ctx.Err() != nil || !retryable(err) || deviceGone(err) || pause.Failures() >= catchUpTries {
			return header, err
		}
		r.log.Info("the conversation service fails, trying again", "err", err)
		if err := sleep(ctx, max(pause.Next(), retryAfter(err))); err != nil {
			return nil, err
		}
	}
}

// inRoom completes an activity that came without what its room says of all.
func (a *activity) inRoom(room roomObject) {
	t := &a.Target
	if t.ID == "" {
		t.ID = room.ID
	}
	if len(t.Tags) == 0 {
		t.Tags = room.Tags
	}
	if t.EncryptionKeyURL == "" && a.keyURL() == "" {
		t.EncryptionKeyURL = room.EncryptionKeyURL
	}
}

// refusesCatchUp reports an answer that asking again will not change.
func refusesCatchUp(err error) bool {
	var api *APIError
	return errors.As(err, &api) && !transientStatus(api.StatusCode)
}

// nextLink finds the next page in a Link header (RFC 8288), relative to the
// address of this one.
func nextLink(current string, header http.Header) string {
	for _, value := range header.Values("Link") {
		for link := range strings.SplitSeq(value, ",") {
			target, params, ok := strings.Cut(link, ">")
			target = strings.TrimSpace(target)
			if !ok || !strings.HasPrefix(target, "<") {
				continue
			}
			isNext := slices.ContainsFunc(strings.Split(params, ";"), func(p string) bool {
				name, v, _ := strings.Cut(strings.TrimSpace(p), "=")
				return strings.EqualFold(name, "rel") && strings.EqualFold(strings.Trim(v, `"`), "next")
			})
			if !isNext {
				continue
			}
			base, err := url.Parse(current)
			if err != nil {
				return ""
			}
			next, err := base.Parse(target[1:])
			if err != nil || next.String() == current {
				return ""
			}
			return next.String()
		}
	}
	return ""
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
