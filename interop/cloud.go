package main

import "github.com/webexmsg/webexmsg/webexmsgtest"

// publicHost is the name under which the simulated cloud is known to its
// clients. It has no port, as the SDK wants it, and resolves nowhere:
// driver/route.js leads the SDK to where the cloud listens.
const publicHost = "webex.interop.test"

// cluster is where the cloud is at home: one that ids of the REST API name, as
// they do not the first of all.
const cluster = "urn:TEAM:eu-central-1_k"

func startCloud() *webexmsgtest.Server {
	return webexmsgtest.NewServer(webexmsgtest.Options{Host: publicHost, Cluster: cluster})
}
