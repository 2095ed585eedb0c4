package pool

import (
	"context"
	"errors"
	"fmt"

	"sparkd"
)

// Reload implements sparkd.Reloader: one replica after the other is emptied, moved and put back, so that the
// others serve meanwhile, on the old weights until the first has moved and on the new from then on. A replica that
// cannot be moved is out of service until a later Reload moves it; if the first one cannot, nothing has changed.
func (p *Pool) Reload(ctx context.Context, w sparkd.Weights) (string, error) {
	p.reload.Lock()
	defer p.reload.Unlock()
	var errs []error
	moved := ""
	for _, r := range p.replicas {
		version, err := p.move(ctx, r, w)
		switch {
		case err != nil && moved == "":
			return "", err
		case err != nil:
			errs = append(errs, fmt.Errorf("%s: %w", r.Name, err))
			continue
		}
		moved = version
		w.Version = version // all report the same one
		p.mu.Lock()
		p.version = version
		p.signal()
		p.mu.Unlock()
	}
	if len(errs) > 0 {
		return moved, &sparkd.Error{Code: sparkd.CodeUnavailable,
			Message: fmt.Sprintf("%d of %d replicas were not moved and are out of service: %v",
				len(errs), len(p.replicas), errors.Join(errs...)),
			Remedy: "repair them and send the same request again"}
	}
	return moved, nil
}

// move exchanges the weights of one replica.
func (p *Pool) move(ctx context.Context, r *replica, w sparkd.Weights) (version string, err error) {
	engine, err := p.empty(ctx, r)
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		r.moving = false
		p.held.Drop(r.Name)
		if err == nil {
			r.Info = engine.Describe()
			r.Info.PolicyVersion = version
		}
		p.signal()
	}()
	if err != nil {
		return "", err
	}
	re, ok := engine.(sparkd.Reloader)
	if !ok {
		return "", &sparkd.Error{Code: sparkd.CodeInvalid,
			Message: r.Name + " cannot exchange its weights while it runs",
			Remedy:  "restart the server with the new ones, and drain it meanwhile"}
	}
	return re.Reload(ctx, w)
}

// empty keeps new requests away and waits for those under way.
func (p *Pool) empty(ctx context.Context, r *replica) (Member, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.moving = true
	for r.Running > 0 {
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		p.mu.Lock()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	if r.engine == nil || r.State == sparkd.ReplicaDown {
		return nil, errNone
	}
	return r.engine, nil
}
