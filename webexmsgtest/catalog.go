package webexmsgtest

import "net/http"

// services are the services that the server plays, by their names in U2C.
var services = map[string]string{
	"u2c":          catalogPath,
	"wdm":          wdmPath,
	"mercury":      mercuryPath,
	"encryption":   encryptionPath,
	"conversation": conversationPath,
	"hydra":        apiPath,
	"files":        filesPath,
	"metrics":      metricsPath,
}

func (s *Server) catalogRoutes(handle routeFunc) {
	handle("GET "+catalogPath+"/catalog", CatalogEndpoint, authenticated, (*exchange).catalog)
	// What Cisco's SDK asks before it shows its token.
	handle("GET "+catalogPath+"/limited/catalog", CatalogEndpoint, public, (*exchange).catalog)
	// What it tells about itself goes nowhere.
	handle("POST "+metricsPath+"/{kind}", MetricsEndpoint, public, func(x *exchange) { x.json(http.StatusOK, map[string]any{}) })
}

func (x *exchange) catalog() {
	s := x.s
	links := make(map[string]string)
	for name := range services {
		links[name] = s.serviceURL(name)
	}
	x.json(http.StatusOK, map[string]any{
		"serviceLinks": links,
		"hostCatalog": map[string]any{
			s.host: []any{map[string]any{
				"host": s.host, "ttl": -1, "priority": 1, "id": s.opts.Cluster + ":identityLookup",
			}},
		},
		"format": "hostmap",
	})
}

// Override makes U2C and WDM hand out url as the address of a service, to
// point a client at a foreign host. service is a name in U2C's serviceLinks
// ("wdm", "encryption", "conversation", ...), which counts for WDM's list too;
// "kms" is the kmsCluster of the KMS details. "" undoes it.
func (s *Server) Override(service, url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if url == "" {
		delete(s.overrides, service)
	} else {
		s.overrides[service] = url
	}
}

// SetWebSocketURL makes WDM hand out u as every device's webSocketUrl.
// "" undoes it.
func (s *Server) SetWebSocketURL(u string) { s.Override(webSocketOverride, u) }

const (
	webSocketOverride = "webSocketUrl"
	kmsOverride       = "kms"
)

// override returns what the test wants handed out for service, or else own.
func (s *Server) override(service, own string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if url, ok := s.overrides[service]; ok {
		return url
	}
	return own
}

func (s *Server) serviceURL(name string) string {
	return s.override(name, s.URL()+services[name])
}
