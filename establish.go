package webexmsg

import (
	"context"
	"fmt"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/sync/errgroup"
)

// establish makes a connection through which messages can flow. What does not
// depend on each other runs at the same time: the longest row of exchanges is
// catalog, registration, dial, authorisation, handshake.
func (s *session) establish(attempt context.Context) (*mercury, error) {
	var link *mercury
	if s.rest.creds.token() == "" {
		if err := s.rest.creds.renew(attempt, ""); err != nil {
			return nil, err
		}
	}
	g, ctx := errgroup.WithContext(attempt)
	if s.me.Load() == nil || s.strange {
		g.Go(func() error { return s.identify(ctx) })
	}
	g.Go(func() error {
		// Not given up when the identity fails: a registration that is on its
		// way would be left behind.
		if err := s.ensureDevice(attempt); err != nil {
			return err
		}
		s.publishRegistration()
		dialled, dctx := errgroup.WithContext(ctx)
		dialled.Go(func() (err error) {
			link, err = dialMercury(dctx, s.cfg, s.rest, s.device, s)
			return err
		})
		dialled.Go(func() error { return s.kms.prepare(dctx, s.device.service("encryption", s.catalog), s.device) })
		if err := dialled.Wait(); err != nil {
			return err
		}
		s.kms.setUp(true)
		if s.hasStarted() {
			return nil // content keys that are known serve; the rest waits for KMS
		}
		return awaitShared(ctx, s.kms, link)
	})
	if err := g.Wait(); err != nil {
		s.kms.setUp(false)
		if link != nil {
			link.close(websocket.StatusNormalClosure, "")
		}
		return nil, err
	}
	s.strange, s.suspect = false, false
	return link, nil
}

// awaitShared waits for the handshake, as long as there is a socket to bring it.
func awaitShared(ctx context.Context, k *kms, link *mercury) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(link.ctx, cancel)()
	err := k.awaitShared(ctx)
	if err != nil && link.ctx.Err() != nil {
		return link.wait()
	}
	return err
}

func (s *session) identify(ctx context.Context) error {
	me, err := s.rest.whoAmI(ctx, s.cfg.Endpoints)
	if err != nil {
		return err
	}
	if s.me.Swap(&me) == nil {
		close(s.known)
	}
	s.log.Info("identified", "person", me.userID, "bot", me.bot)
	return nil
}

// ensureDevice has a registration that can be dialled: the one there is, after
// refreshing it where that is due or it is in doubt, or a new one.
func (s *session) ensureDevice(ctx context.Context) error {
	if s.cfg.Checkpoint != nil && !s.resumed {
		if err := s.resume(ctx); err != nil {
			return err
		}
		s.resumed = true
	}
	if s.device != nil && (s.suspect || time.Since(s.device.refreshed) > deviceRefresh) {
		dev, err := s.rest.refresh(ctx, s.device, s.cfg.DeviceName)
		switch {
		case err == nil:
			s.device = dev
			return nil
		case !registrationRefused(err):
			return err
		}
		s.log.Info("the device is forgotten, registering anew", "err", err)
		s.device = nil
		s.h.setStatus(func(st *HandlerStatus) { st.DeviceRegistered = false })
	}
	if s.device != nil {
		return nil
	}
	cat, err := s.rest.discover(ctx, s.cfg.Endpoints)
	if err != nil {
		return err
	}
	dev, err := s.rest.register(ctx, cat.Links["wdm"], s.cfg.DeviceName)
	if err != nil {
		return err
	}
	s.catalog, s.device = cat, dev
	s.h.setStatus(func(st *HandlerStatus) { st.DeviceRegistered = true })
	s.log.Info("registered", "device", dev.URL)
	return nil
}

func (s *session) hasStarted() bool {
	select {
	case <-s.started:
		return true
	default:
		return false
	}
}

// began is the time by Webex's clock at which a connection was made.
func (s *session) began(link *mercury) time.Time {
	if !link.since.IsZero() {
		s.rest.setClock(link.since, link.since.Add(time.Second))
		return link.since
	}
	return s.rest.serverNow()
}

// resume goes on from the checkpoint: with its device, if Webex still knows
// it, and with what was missed since.
func (s *session) resume(ctx context.Context) error {
	c, err := s.cfg.Checkpoint.Load(ctx)
	if err != nil {
		return fmt.Errorf("loading the checkpoint: %w", err)
	}
	for _, id := range c.Handled {
		if s.h.seen.Begin(id) {
			s.h.seen.Done(id)
		}
	}
	s.progress.resume(c.Since, c.Handled)
	if !c.Since.IsZero() {
		s.recovery.resume(c.Since)
	}
	if c.Device == "" {
		return nil
	}
	if s.catalog, err = s.rest.discover(ctx, s.cfg.Endpoints); err != nil {
		return err
	}
	s.device, s.suspect = &device{URL: c.Device}, true
	return nil
}
