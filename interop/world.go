package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/webexmsg/webexmsg"
	"github.com/webexmsg/webexmsg/webexmsgtest"
)

// How long anything here may take. Connecting includes the loading of the SDK,
// which takes seconds on a machine that is busy; all else takes milliseconds
// unless it fails.
const (
	patience        = 10 * time.Second
	connectPatience = 40 * time.Second
)

// A world is a simulated cloud with all who take part:
//
//   - the sender: Cisco's SDK as Alice;
//   - the witness: Cisco's SDK as the bot;
//   - the Handler: ours, as the same bot, on a device of its own, so that the
//     cloud sends it exactly what it sends the witness;
//   - Bob and Carol, whom the cloud itself plays.
type world struct {
	*webexmsgtest.Server
	report  *report
	scratch string

	alice, bob, carol *webexmsgtest.Person
	direct, group     *webexmsgtest.Room // Alice and the bot; with Bob

	sender, witness *sdk
	handler         *webexmsg.Handler
	refusal         error // why our Handler does not connect, if so
	withheld        int   // acknowledgements to be withheld from it

	theirs, ours *stream    // what the witness and the Handler have told
	public, ids  *publicIDs // the ids in the SDK's public events, and in ours
	rest         *restIDs   // all that our Handler's events say
}

// newWorld starts the cloud and the Node processes, which connect later. There
// is a sender only if sending.
func newWorld(ctx context.Context, dir string, r *report, sending bool) (w *world, err error) {
	w = &world{report: r, theirs: newStream(), ours: newStream(), public: newPublicIDs(), ids: newPublicIDs(), rest: newRESTIDs()}
	defer func() {
		if err != nil {
			w.Close()
		}
	}()
	if w.scratch, err = os.MkdirTemp("", "interop"); err != nil {
		return nil, err
	}
	w.Server = startCloud()
	w.alice = w.NewPerson("alice@example.com", "Alice")
	w.bob = w.NewPerson("bob@example.com", "Bob")
	w.carol = w.NewPerson("carol@example.com", "Carol")
	w.direct = w.NewDirectRoom(w.alice, w.Bot())
	w.group = w.NewRoom("Interop", w.alice, w.bob, w.Bot())
	if w.witness, err = startSDK(ctx, dir, w.scratch, "witness", w.Server, w.Bot()); err != nil {
		return nil, err
	}
	go w.follow(w.witness)
	if sending {
		if w.sender, err = startSDK(ctx, dir, w.scratch, "sender", w.Server, w.alice); err != nil {
			return nil, err
		}
		go w.sender.ignoreEvents()
	}
	return w, nil
}

func (w *world) Close() {
	for _, s := range []*sdk{w.witness, w.sender} {
		if s != nil {
			s.Close()
		}
	}
	if w.handler != nil {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		w.handler.Disconnect(ctx) // nobody asks any more how that ends
	}
	if w.Server != nil {
		w.Server.Close()
	}
	os.RemoveAll(w.scratch)
}

// follow fills the streams from what the witness tells.
func (w *world) follow(s *sdk) {
	narrator := newNarrator()
	for e := range s.events {
		switch e.Name {
		case "activity":
			var told struct {
				SequenceNumber int
				Activity       activity
			}
			if err := json.Unmarshal(e.Data, &told); err != nil {
				w.theirs.fail("", fmt.Errorf("an activity of the SDK cannot be read: %w", err))
				continue
			}
			if bytes.Contains(e.Data, []byte(decryptionFailure)) {
				w.theirs.fail(told.Activity.ID, fmt.Errorf("the SDK cannot decrypt activity %s", told.Activity.ID))
				continue
			}
			w.theirs.add(&account{
				activityID: told.Activity.ID,
				sequence:   told.SequenceNumber,
				views:      narrator.tell(&told.Activity),
			})
		case "public":
			w.public.addSDK(e.Data)
		}
	}
}

// decryptionFailure is what the SDK puts in place of what it cannot decrypt.
const decryptionFailure = "This message cannot be decrypted"

// connect connects everybody and reports it; false means that there is no point
// in going on.
func (w *world) connect(ctx context.Context) bool {
	w.report.section("Connecting: catalog, device, socket, key exchange")
	all := w.connectSDK(ctx, w.witness, "listen")
	if w.sender != nil {
		all = w.connectSDK(ctx, w.sender, "connect") && all
	}
	return w.connectHandler(ctx) && all
}

func (w *world) connectSDK(ctx context.Context, s *sdk, function string) bool {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	var device struct{ URL, UserID string }
	err := s.Call(ctx, &device, function)
	return w.report.check("the SDK connects as "+s.name, w.explain(err, s))
}

func (w *world) connectHandler(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	config := w.Config()
	if w.withheld > 0 {
		config.HTTPClient = withholding(config.HTTPClient, w.withheld)
	}
	w.handler, w.refusal = connectHandler(ctx, config, &recorder{stream: w.ours, ids: w.ids, rest: w.rest})
	return w.report.check("our Handler connects", w.refusal)
}

// explain adds to an error what the SDK, if one took part, complained of, and
// what that means.
func (w *world) explain(err error, s *sdk) error {
	if err == nil || s == nil {
		return err
	}
	for _, complaint := range s.Complaints() {
		err = fmt.Errorf("%w\nthe SDK (%s) logs: %s", err, s.name, complaint)
	}
	for symptom, cause := range causes {
		if strings.Contains(err.Error(), symptom) {
			err = fmt.Errorf("%w\ncause: %s", err, cause)
		}
	}
	return err
}

// causes say what the SDK means by some of its complaints.
var causes = map[string]string{
	"no key found":                       causeSignature,
	"does not match 'kid'":               causeCertificate,
	"decryption failed":                  causeAltered,
	"INVALID KMS: Certificate Validatio": "the certificate of the KMS's static key is of no authority that the SDK knows",
}

const (
	causeSignature   = "the KMS's answer is not signed with its static key"
	causeCertificate = "the certificate of the KMS's static key is another host's"
	causeAltered     = "a JWE was altered, or is of another key"
	causeWithheld    = "an acknowledgement was withheld"
)

// disconnect ends the connections and reports it.
func (w *world) disconnect(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	w.report.section("Disconnecting")
	for _, s := range []*sdk{w.witness, w.sender} {
		w.report.check("the SDK disconnects as "+s.name, w.explain(s.Call(ctx, nil, "disconnect"), s))
	}
	w.report.check("our Handler disconnects", w.handler.Disconnect(ctx))
	var err error
	for _, p := range w.people() {
		if n := len(w.Devices(p)); n > 0 {
			err = errors.Join(err, fmt.Errorf("%s still has %d devices", p.Email, n))
		}
	}
	w.report.check("no device is left behind", err)
}

// people are all those with devices.
func (w *world) people() []*webexmsgtest.Person { return []*webexmsgtest.Person{w.alice, w.Bot()} }
