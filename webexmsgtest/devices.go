package webexmsgtest

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
)

// device is a registration with WDM.
type device struct {
	id      string
	owner   *Person
	info    map[string]any // the body that the client registered with
	ttl     time.Duration  // 0: lasts until it is deleted
	created time.Time
	seen    time.Time // last registered or refreshed
}

func (s *Server) deviceRoutes(handle routeFunc) {
	const one = wdmPath + "/devices/{id}"
	handle("POST "+wdmPath+"/devices", RegisterEndpoint, authenticated, (*exchange).registerDevice)
	handle("GET "+wdmPath+"/devices", DevicesEndpoint, authenticated, (*exchange).listDevices)
	handle("GET "+one, DevicesEndpoint, authenticated, func(x *exchange) {
		x.withDevice(func(d *device) { x.json(http.StatusOK, x.s.deviceJSON(d)) })
	})
	handle("PUT "+one, RefreshEndpoint, authenticated, (*exchange).refreshDevice)
	handle("DELETE "+one, UnregisterEndpoint, authenticated, func(x *exchange) {
		x.withDevice(func(d *device) {
			x.s.mu.Lock()
			delete(x.s.devices, d.id)
			x.s.mu.Unlock()
			x.noContent(http.StatusNoContent)
		})
	})
}

func (x *exchange) registerDevice() {
	var info map[string]any
	if !x.decode(&info) {
		return
	}
	s := x.s
	now := time.Now()
	d := &device{id: uuid.NewString(), owner: x.person, created: now}
	d.update(info, now)

	s.mu.Lock()
	refused := len(s.devicesOf(x.person)) >= s.opts.DeviceLimit
	if !refused {
		s.devices[d.id] = d
	}
	s.mu.Unlock()
	if refused {
		x.fail(http.StatusForbidden, "User has excessive device registrations")
		return
	}
	x.json(http.StatusOK, s.deviceJSON(d))
}

func (x *exchange) refreshDevice() {
	var info map[string]any
	if !x.decode(&info) {
		return
	}
	x.withDevice(func(d *device) {
		x.s.mu.Lock()
		d.update(info, time.Now())
		x.s.mu.Unlock()
		x.json(http.StatusOK, x.s.deviceJSON(d))
	})
}

func (x *exchange) listDevices() {
	x.s.mu.Lock()
	list := x.s.devicesOf(x.person)
	x.s.mu.Unlock()
	if len(list) == 0 {
		x.fail(http.StatusNotFound, "no devices")
		return
	}
	items := make([]any, len(list))
	for i, d := range list {
		items[i] = x.s.deviceJSON(d)
	}
	x.json(http.StatusOK, map[string]any{"devices": items})
}

// withDevice calls f with the device of the request's path, or answers 404.
func (x *exchange) withDevice(f func(*device)) {
	x.s.mu.Lock()
	d := x.s.device(x.r.PathValue("id"))
	x.s.mu.Unlock()
	if d == nil || d.owner != x.person {
		x.fail(http.StatusNotFound, "no such device")
		return
	}
	f(d)
}

// update needs s.mu once the device is known to others.
func (d *device) update(info map[string]any, now time.Time) {
	if info == nil {
		info = map[string]any{}
	}
	d.info = info
	d.ttl = 0
	if n, ok := info["ttl"].(interface{ Float64() (float64, error) }); ok {
		if seconds, err := n.Float64(); err == nil && seconds > 0 {
			d.ttl = time.Duration(seconds * float64(time.Second))
		}
	}
	d.seen = now
}

// device returns a living device, and forgets it if its ttl has run out: this
// is the only place where a ttl acts, so that it needs no timer. It needs s.mu.
func (s *Server) device(id string) *device {
	d := s.devices[id]
	if d != nil && d.ttl > 0 && time.Since(d.seen) >= d.ttl {
		delete(s.devices, id)
		return nil
	}
	return d
}

// devicesOf returns p's living devices, oldest first. It needs s.mu.
func (s *Server) devicesOf(p *Person) []*device {
	var list []*device
	for id := range maps.Clone(s.devices) {
		if d := s.device(id); d != nil && d.owner == p {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b *device) int {
		return cmp.Or(a.created.Compare(b.created), cmp.Compare(a.id, b.id))
	})
	return list
}

// deviceJSON is the device as WDM answers with it.
func (s *Server) deviceJSON(d *device) map[string]any {
	links := make(map[string]string)
	for name := range services {
		links[name+"ServiceUrl"] = s.serviceURL(name)
	}
	webSocketURL := s.override(webSocketOverride, "wss://"+s.host+mercuryPath+"/registrations/"+d.id+"/messages")

	s.mu.Lock()
	defer s.mu.Unlock()
	answer := maps.Clone(d.info)
	maps.Copy(answer, map[string]any{
		"url":              s.deviceURL(d),
		"webSocketUrl":     webSocketURL,
		"userId":           d.owner.ID,
		"orgId":            d.owner.OrgID,
		"services":         links,
		"creationTime":     timestamp(d.created),
		"modificationTime": timestamp(d.seen),
		"deviceSettings":   []any{},
	})
	return answer
}

// deviceURL is the address of a device, wherever U2C says that WDM is.
func (s *Server) deviceURL(d *device) string { return s.URL() + wdmPath + "/devices/" + d.id }

// timestamp is t as Webex writes it.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
