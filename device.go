package webexmsg

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"time"
)

// deviceTTL is the life of a registration that is not refreshed: a bot that
// is killed leaves nothing behind for longer. Refreshing at half of it and a
// minute is what Cisco's SDK does.
const (
	deviceTTL     = 30 * time.Minute
	deviceRefresh = deviceTTL/2 + time.Minute
)

// A catalog is what U2C knows about the services of the token's organisation.
type catalog struct {
	Links map[string]string        `json:"serviceLinks"`
	Hosts map[string][]catalogHost `json:"hostCatalog"`
}

type catalogHost struct {
	Host string `json:"host"`
	ID   string `json:"id"` // urn:TEAM:<cluster>:<service>
}

// A device is a registration with WDM, as its last answer described it.
type device struct {
	URL          string            `json:"url"`
	WebSocketURL string            `json:"webSocketUrl"`
	UserID       string            `json:"userId"`
	Services     map[string]string `json:"services"`
	Name         string            `json:"name"`
	Modified     timestamp         `json:"modificationTime"`

	refreshed time.Time
}

// An identity is who the token belongs to.
type identity struct {
	userID string // UUID
	bot    bool
}

// discover asks U2C where the services of the token's organisation are. If U2C
// cannot be reached or fails, commercial Webex has a registration service to
// fall back to; it may be of the wrong region, which costs every message, so
// the log says so.
func (c *restClient) discover(ctx context.Context, endpoints Endpoints) (catalog, error) {
	var cat catalog
	_, err := c.do(ctx, "catalog (U2C)", http.MethodGet, endpoints.Catalog+"/catalog?format=hostmap", nil, &cat)
	if err == nil && cat.Links["wdm"] == "" {
		err = errors.New("catalog (U2C): the answer names no registration service (wdm)")
	}
	if err == nil {
		return cat, nil
	}
	var api *APIError
	unreachable := !errors.As(err, &api) && ctx.Err() == nil
	down := api != nil && api.StatusCode >= 500
	if endpoints.Catalog == commercial.Catalog && (unreachable || down) && !errors.Is(err, ErrHostNotAllowed) {
		c.log.Warn("service discovery failed; falling back to the default region, in which messages of another region never arrive",
			"fallback", fallbackWDM, "err", err)
		return catalog{Links: map[string]string{"wdm": fallbackWDM}}, nil
	}
	return catalog{}, err
}

// whoAmI asks the REST API to whom the token belongs.
func (c *restClient) whoAmI(ctx context.Context, endpoints Endpoints) (identity, error) {
	var me struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	}
	if _, err := c.do(ctx, "identity (people/me)", http.MethodGet, endpoints.API+"/people/me", nil, &me); err != nil {
		return identity{}, err
	}
	id, err := personUUID(me.ID)
	if err != nil {
		return identity{}, fmt.Errorf("identity (people/me): %w", err)
	}
	return identity{userID: id, bot: me.Type == "bot"}, nil
}

// personUUID reads the UUID out of a person's public id.
func personUUID(publicID string) (string, error) {
	kind, id, _, err := ParseRESTID(publicID)
	if err == nil && kind != KindPeople {
		err = errors.New("the id is not that of a person")
	}
	return strings.ToLower(id), err
}

// register makes a new ephemeral device. When the user has too many, stale
// ones of this client's own name make room, once.
func (c *restClient) register(ctx context.Context, wdm, name string) (*device, error) {
	dev, err := c.putDevice(ctx, http.MethodPost, strings.TrimRight(wdm, "/")+"/devices?includeUpstreamServices=all", name)
	var api *APIError
	if errors.As(err, &api) && api.excessive {
		removed, rerr := c.removeStale(ctx, wdm, name)
		if rerr != nil {
			c.log.Warn("could not remove stale devices", "err", rerr)
		}
		c.log.Warn("too many devices are registered for this user", "stale devices removed", removed)
		if removed > 0 {
			return c.putDevice(ctx, http.MethodPost, strings.TrimRight(wdm, "/")+"/devices?includeUpstreamServices=all", name)
		}
	}
	return dev, err
}

// refresh prolongs the life of a device and learns its present addresses.
func (c *restClient) refresh(ctx context.Context, dev *device, name string) (*device, error) {
	return c.putDevice(ctx, http.MethodPut, dev.URL, name)
}

func (c *restClient) putDevice(ctx context.Context, method, rawURL, name string) (*device, error) {
	body := map[string]any{
		"name":           name,
		"deviceType":     "WEB",
		"model":          "webexmsg",
		"localizedModel": "webexmsg",
		"systemName":     runtime.GOOS,
		"systemVersion":  version,
		"ttl":            int(deviceTTL / time.Second),
	}
	var dev device
	if _, err := c.do(ctx, "registration (WDM)", method, rawURL, body, &dev); err != nil {
		return nil, err
	}
	for field, value := range map[string]string{"url": dev.URL, "webSocketUrl": dev.WebSocketURL, "userId": dev.UserID} {
		if value == "" {
			return nil, fmt.Errorf("registration (WDM): the answer has no %s", field)
		}
	}
	dev.UserID = strings.ToLower(dev.UserID)
	dev.refreshed = time.Now()
	return &dev, nil
}

// unregister removes a device. One that is already forgotten is no error.
func (c *restClient) unregister(ctx context.Context, dev *device) error {
	_, err := c.do(ctx, "registration (WDM)", http.MethodDelete, dev.URL, nil, nil)
	if deviceGone(err) {
		return nil
	}
	return err
}

// removeStale removes devices of this client's own name that nobody has
// refreshed for longer than a living Handler ever lets pass.
func (c *restClient) removeStale(ctx context.Context, wdm, name string) (removed int, err error) {
	var list struct {
		Devices []device `json:"devices"`
	}
	_, err = c.do(ctx, "registration (WDM)", http.MethodGet, strings.TrimRight(wdm, "/")+"/devices", nil, &list)
	if err != nil {
		if deviceGone(err) { // WDM's way of saying that there are none
			return 0, nil
		}
		return 0, err
	}
	stale := c.serverNow().Add(-deviceRefresh - time.Minute)
	for _, d := range list.Devices {
		if d.Name != name || d.URL == "" || d.Modified.IsZero() || d.Modified.After(stale) {
			continue
		}
		if err := c.unregister(ctx, &d); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// service finds the base URL of a service: the registration's own services
// first, the catalog for what they lack.
func (d *device) service(name string, cat catalog) string {
	if u := d.Services[name+"ServiceUrl"]; u != "" {
		return strings.TrimRight(u, "/")
	}
	return strings.TrimRight(cat.Links[name], "/")
}

// socketURL is where to dial for this device, by the query that Cisco's SDK
// sends for an ephemeral one. clientTimestamp lets Mercury tell an older
// socket from a newer one.
func (d *device) socketURL(now time.Time) (string, error) {
	u, err := url.Parse(d.WebSocketURL)
	if err != nil {
		return "", errors.New("registration (WDM): webSocketUrl is not a URL")
	}
	q := u.Query()
	for k, v := range map[string]string{
		"outboundWireFormat":  "text",
		"bufferStates":        "true",
		"aliasHttpStatus":     "true",
		"multipleConnections": "true",
		"clientTimestamp":     fmt.Sprint(now.UnixMilli()),
	} {
		q.Set(k, v)
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}
