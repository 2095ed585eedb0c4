package daemon

import (
	"context"
	"errors"
	"net"
	"syscall"

	"sparkd"
	"sparkd/engine/embedded"
	"sparkd/env"
	"sparkd/internal/settings"
	"sparkd/store"
)

// Check finds what New would refuse, as far as it can be told without the model, the servers and the programs that New
// starts: it judges by what New judges by. The daemon of this very configuration may run meanwhile.
func (c *Config) Check(ctx context.Context) error {
	_, token := c.API.BearerToken()
	dir, folder := c.DataDir()
	if folder == nil {
		folder = store.Usable(dir, c.Store)
	}
	ln, address := listen(ctx, c.API.Listen)
	if address == nil {
		address = ln.Close()
	}
	if sparkd.CodeOf(folder) == sparkd.CodeConflict && errors.Is(address, syscall.EADDRINUSE) && c.announcedIn(dir) {
		folder, address = nil, nil
	}
	return errors.Join(token, address, folder, c.checkEngine(ctx), env.Check(ctx, c.Env))
}

// announcedIn reports whether the daemon that uses the folder listens where this one would.
func (c *Config) announcedIn(dir string) bool {
	a, err := Announced(dir)
	_, theirs, _ := net.SplitHostPort(a.Address)
	_, ours, _ := net.SplitHostPort(c.API.Listen)
	return err == nil && theirs == ours
}

func (c *Config) checkEngine(ctx context.Context) error {
	if c.Engine.Kind == "remote" {
		_, err := settings.ReadSecret("engine.api_key_file", c.Remote.APIKeyFile)
		return err
	}
	path, err := modelPath(ctx, c.Engine.Model)
	if err == nil {
		err = embedded.CheckModel(ctx, path)
	}
	return err
}
