package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// A fault is something wrong with the cloud or a client that the suite must
// notice.
type fault struct {
	name   string
	before func(w *world)                            // before anybody connects
	after  func(ctx context.Context, w *world) error // when everybody has
}

var faults = []fault{
	{
		name:   "sign", // the KMS signs with another key than its static one
		before: func(w *world) { w.SignWith(webexmsgtest.SignAnotherKey) },
	},
	{
		name:   "certificate", // the static key's certificate is another host's
		before: func(w *world) { w.KMSCertificateHost("kms.attacker.test") },
	},
	{
		name: "jwe", // one bit of one encrypted string is flipped
		after: func(_ context.Context, w *world) error {
			w.CorruptJWE(1)
			return nil
		},
	},
	{
		name: "ack", // a client keeps an acknowledgement to itself
		after: func(ctx context.Context, w *world) error {
			return w.witness.Call(ctx, nil, "withholdAcks", 1)
		},
	},
}

func faultNames() string {
	var names []string
	for _, f := range faults {
		names = append(names, f.name)
	}
	return strings.Join(names, ", ")
}

// faultNamed returns the fault of that name; "" is none.
func faultNamed(name string) (fault, error) {
	if name == "" {
		return fault{}, nil
	}
	at := slices.IndexFunc(faults, func(f fault) bool { return f.name == name })
	if at < 0 {
		return fault{}, fmt.Errorf("-sabotage %s: no such fault: there are %s", name, faultNames())
	}
	return faults[at], nil
}
