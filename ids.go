package webexmsg

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
)

// Kind says what the id of the REST API identifies.
type Kind string

// The kinds of ids. That of a membership is PERSON:ROOM, that of a content (a
// file) ACTIVITY/INDEX, in UUIDs; all others are a UUID.
const (
	KindMessage          Kind = "MESSAGE"
	KindPeople           Kind = "PEOPLE"
	KindRoom             Kind = "ROOM"
	KindMembership       Kind = "MEMBERSHIP"
	KindAttachmentAction Kind = "ATTACHMENT_ACTION"
	KindContent          Kind = "CONTENT"
	KindOrganization     Kind = "ORGANIZATION"
)

const (
	restIDScheme = "ciscospark://"
	homeCluster  = "us"
)

// ToRESTID makes the id that the REST API has for what Mercury identifies by a
// UUID. cluster is where it is at home, either as ids write it ("us",
// "urn:TEAM:eu-central-1_k") or as the catalog does; empty means "us". People
// and organizations are at home in "us" always. Of an empty uuid it makes an
// empty id.
func ToRESTID(kind Kind, uuid, cluster string) string {
	if uuid == "" {
		return ""
	}
	if kind == KindPeople || kind == KindOrganization {
		cluster = homeCluster
	}
	return base64.RawURLEncoding.EncodeToString([]byte(restIDScheme + publicCluster(cluster) + "/" + string(kind) + "/" + uuid))
}

// ParseRESTID undoes [ToRESTID]. It takes any kind and any flavour of base64.
func ParseRESTID(id string) (kind Kind, uuid, cluster string, err error) {
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(id, "="))
	raw, err := base64.RawStdEncoding.DecodeString(plain)
	if err != nil {
		return "", "", "", errors.New("webexmsg: the id is not base64")
	}
	path, ok := strings.CutPrefix(string(raw), restIDScheme)
	parts := strings.SplitN(path, "/", 3)
	if !ok || len(parts) < 3 || parts[0] == "" || parts[1] == "" || parts[2] == "" {
		return "", "", "", errors.New("webexmsg: the id is not one of the REST API")
	}
	return Kind(parts[1]), parts[2], parts[0], nil
}

// publicCluster is a cluster as ids write it.
func publicCluster(cluster string) string {
	parts := strings.Split(cluster, ":")
	switch cluster = strings.Join(parts[:min(len(parts), 3)], ":"); cluster {
	case "", "urn:TEAM:us-east-2_a", "urn:TEAM:us-east-1_int13":
		return homeCluster
	}
	return cluster
}

// cluster finds the cluster of an address by its host. One that the catalog
// does not have counts as being at home in "us".
func (c *catalog) cluster(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return homeCluster
	}
	for _, host := range [...]string{u.Host, u.Hostname()} {
		if hosts := c.Hosts[host]; len(hosts) > 0 {
			return publicCluster(hosts[0].ID)
		}
	}
	return homeCluster
}
