package main

import (
	"net"

	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// publicHost is the name under which the simulated cloud is known to its
// clients. It has no port, as the SDK wants it, and resolves nowhere:
// driver/route.js leads the SDK to where the cloud listens.
const publicHost = "webex.interop.test"

// cluster is where the cloud is at home: one that ids of the REST API name, as
// they do not the first of all.
const cluster = "urn:TEAM:eu-central-1_k"

// A cloud is a simulated cloud and where it listens.
type cloud struct {
	*webexmsgtest.Server
	address string
}

func startCloud() (*cloud, error) {
	// The server takes an address, and tells only its public name: so the port
	// is chosen here.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	address := l.Addr().String()
	l.Close()
	return &cloud{
		Server:  webexmsgtest.NewServer(webexmsgtest.Options{Addr: address, Host: publicHost, Cluster: cluster}),
		address: address,
	}, nil
}
