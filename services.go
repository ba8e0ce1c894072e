package webexmsg

import "maps"

// Device is a registration with Webex, as WDM last described it.
type Device struct {
	URL          string
	WebSocketURL string
	// UserID is whom it is registered for, a UUID.
	UserID string
	// Services are addresses of Webex's services, by WDM's names for them
	// ("conversationServiceUrl").
	Services map[string]string
}

// A registration is what a Handler knows about its place in Webex.
type registration struct {
	device  *device
	catalog *catalog
}

// Device returns a copy of what is known of the Handler's device: of the last
// one, if it is disconnected, and the zero Device before it has any.
func (h *Handler) Device() Device {
	r := h.registration.Load()
	if r == nil {
		return Device{}
	}
	d := r.device
	return Device{URL: d.URL, WebSocketURL: d.WebSocketURL, UserID: d.UserID, Services: maps.Clone(d.Services)}
}

// ServiceURL returns the base address of one of Webex's services, by its name
// in the catalog ("conversation", "encryption", "hydra", ...), in the region
// of the bot. It is empty for a service that Webex did not name, and as long as
// the Handler has not connected.
func (h *Handler) ServiceURL(name string) string {
	r := h.registration.Load()
	if r == nil {
		return ""
	}
	return r.device.service(name, *r.catalog)
}

// cluster is where an activity is at home, for its public ids.
func (h *Handler) cluster(a *activity) string {
	r := h.registration.Load()
	if r == nil {
		return homeCluster
	}
	if a.URL == "" {
		return r.catalog.cluster(a.Target.URL)
	}
	return r.catalog.cluster(a.URL)
}
