// Command interop lets Cisco's JavaScript SDK judge webexmsg, and the
// simulated cloud on which it is tested: see README.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	dir := flag.String("dir", "", "the `directory` of the Node project (default: found from the working directory)")
	sabotage := flag.String("sabotage", "", "make a `fault` that the suite must notice: "+faultNames())
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ok, err := run(ctx, *dir, *sabotage)
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// mostOfAll is how long the suite may take. It takes a tenth of that.
const mostOfAll = 3 * time.Minute

// run installs what is missing, and runs the suite.
func run(ctx context.Context, dir, sabotage string) (bool, error) {
	fault, err := faultNamed(sabotage)
	if err != nil {
		return false, err
	}
	if dir, err = project(dir); err != nil {
		return false, err
	}
	if err := install(ctx, dir); err != nil {
		return false, err
	}
	// Each wait has a bound of its own; this one is for what nobody thought of.
	ctx, cancel := context.WithTimeout(ctx, mostOfAll)
	defer cancel()
	r := &report{out: os.Stdout}
	err = inWorld(ctx, dir, r, fault, true, (*world).everything)
	if sabotage == "" && err == nil && r.failed == 0 { // or else that is what is to be read
		sabotageAll(ctx, dir, r)
	}
	return r.finish(), err
}

// inWorld runs part of the suite in a world of its own, with the fault in it,
// and with a sender if sending. The error is of what the report cannot say:
// there is no such world, or our Handler takes the fault for right.
func inWorld(ctx context.Context, dir string, r *report, f fault, sending bool, part func(*world, context.Context)) error {
	w, err := newWorld(ctx, dir, r, sending)
	if err != nil {
		return err
	}
	defer w.Close()
	if f.before != nil {
		f.before(w)
	}
	if !w.connect(ctx) {
		return f.unnoticedBy(w)
	}
	if f.after != nil {
		if err := f.after(ctx, w); err != nil {
			return err
		}
	}
	part(w, ctx)
	return f.unnoticedBy(w)
}

// everything is the whole suite but for connecting.
func (w *world) everything(ctx context.Context) {
	w.report.section("Listening: people of the simulated cloud act, the SDK and our Handler listen")
	for _, op := range listening() {
		w.perform(ctx, op)
	}
	w.report.section("Sending: Cisco's SDK acts, the SDK and our Handler listen")
	for _, op := range sending() {
		w.perform(ctx, op)
	}
	w.publicEvents(ctx)
	w.witnessing(ctx)
	w.history(ctx)
	w.unlisted(ctx)
	w.acknowledged(ctx)
	w.reconnecting(ctx)
	w.disconnect(ctx)
}
