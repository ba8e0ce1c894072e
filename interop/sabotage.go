package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/webexmsg/webexmsg"
	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// A fault is something wrong with the cloud or a client that the suite must
// notice.
type fault struct {
	name   string
	what   string
	causes []string                                  // what the report must name
	before func(w *world)                            // before anybody connects
	after  func(ctx context.Context, w *world) error // when everybody has

	// ours reports whether our Handler has noticed too: that the SDK has is
	// enough for the suite to fail. Nil: it is not for our Handler to notice.
	ours func(w *world) bool
}

func (f fault) unnoticedBy(w *world) error {
	if f.ours == nil || f.ours(w) {
		return nil
	}
	return errors.New("our Handler has not noticed that " + f.what)
}

// untrusting reports whether our Handler refuses to connect for want of trust.
func untrusting(w *world) bool { return errors.Is(w.refusal, webexmsg.ErrUntrusted) }

var faults = []fault{
	{
		name:   "sign",
		what:   "the KMS signs with another key than its static one",
		causes: []string{causeSignature},
		before: func(w *world) { w.SignWith(webexmsgtest.SignAnotherKey) },
		ours:   untrusting,
	},
	{
		name:   "certificate",
		what:   "the certificate of the KMS's static key is another host's",
		causes: []string{causeCertificate},
		before: func(w *world) { w.KMSCertificateHost("kms.attacker.test") },
		ours:   untrusting,
	},
	{
		name:   "jwe",
		what:   "one bit of one encrypted string is flipped",
		causes: []string{causeAltered},
		after: func(_ context.Context, w *world) error {
			w.CorruptJWE(1)
			return nil
		},
		ours: func(w *world) bool { return w.ours.undecrypted() == 1 },
	},
	{
		name:   "ack",
		what:   "the SDK keeps one acknowledgement to itself",
		causes: []string{causeWithheld, sdkDevice},
		after: func(ctx context.Context, w *world) error {
			return w.witness.Call(ctx, nil, "withholdAcks", 1)
		},
	},
	{
		name:   "our-ack",
		what:   "our Handler keeps one acknowledgement to itself",
		causes: []string{causeWithheld, ourDevice},
		before: func(w *world) { w.withheld = 1 },
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

// sabotageAll makes each fault in a world of its own, and reports whether a
// run there fails and names the cause: a suite that cannot fail proves nothing.
func sabotageAll(ctx context.Context, dir string, r *report) {
	r.section("Sabotage: each of these must make the suite fail, and be named")
	var runs sync.WaitGroup
	outcomes := make([]error, len(faults))
	for i, f := range faults {
		runs.Go(func() { outcomes[i] = noticed(ctx, dir, f) })
	}
	runs.Wait()
	for i, f := range faults {
		r.check(f.what, outcomes[i])
	}
}

func noticed(ctx context.Context, dir string, f fault) error {
	var printed bytes.Buffer
	r := &report{out: &printed}
	if err := inWorld(ctx, dir, r, f, false, (*world).essentials); err != nil {
		return err
	}
	if r.finish() {
		return errors.New("the suite has not noticed:\n" + printed.String())
	}
	for _, cause := range f.causes {
		if !strings.Contains(printed.String(), cause) {
			return fmt.Errorf("the suite has failed without naming the cause, %q:\n%s", cause, printed.String())
		}
	}
	return nil
}

// essentials is enough of the suite for a fault to show.
func (w *world) essentials(ctx context.Context) {
	for _, op := range listening()[:3] {
		w.perform(ctx, op)
	}
	w.acknowledged(ctx)
}
