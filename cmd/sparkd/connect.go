package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	flag "github.com/spf13/pflag"

	"sparkd"
	"sparkd/api/client"
	"sparkd/daemon"
	"sparkd/store"
)

// connection is how a command reaches a daemon.
type connection struct {
	*settings
	addr string
}

// addConnection declares --addr and the flags of settings.
func (c *cli) addConnection(f *flag.FlagSet, about string, named ...string) *connection {
	n := &connection{settings: c.addSettings(f, named...)}
	f.StringVar(&n.addr, "addr", c.env("SPARKD_ADDR"), "`address` of a running daemon"+about)
	return n
}

// addReading declares how a command reaches what is stored.
func (c *cli) addReading(f *flag.FlagSet) *connection {
	return c.addConnection(f, ", instead of a data folder (with neither, the default folder, or the daemon at "+
		"api.listen where that is missing); a folder in use is read through its daemon", "data")
}

// connect loads the configuration for a client.
func (c *cli) connect(n *connection, logLevel string) (daemon.Loaded, error) {
	l, err := c.load(n.settings, map[string]string{"log.level": logLevel})
	if err == nil {
		err = n.refuseBeside(n.addr)
	}
	return l, err
}

// read calls use with a client: of the daemon at --addr, or of one that this process starts
// to read the data folder, or of the daemon that uses that folder, or of the one at
// api.listen where no setting names a folder and the default one has no store.
func (c *cli) read(n *connection, use func(*client.Client) error) error {
	l, err := c.connect(n, "error")
	if err != nil {
		return err
	}
	dir := l.Config.DataDir()
	if n.addr == "" && l.Sources["daemon.data"] == "default" && !store.Exists(dir) && c.answers(&l.Config) {
		n.addr = l.Config.API.Listen
	}
	if n.addr != "" {
		return c.dial(n.addr, &l.Config, use)
	}
	if err := needStore(dir, "name it with --data, or a running daemon with --addr"); err != nil {
		return err
	}
	started := false
	err = c.start(l.Config, daemon.Parts{Offline: true}, func(cl *client.Client) error {
		started = true
		return use(cl)
	})
	if started || sparkd.CodeOf(err) != sparkd.CodeConflict {
		return err
	}
	return c.user(&l.Config, use)
}

// user calls use with a client of the daemon that uses the data folder, as the folder says;
// it refuses to ask any other.
func (c *cli) user(config *daemon.Config, use func(*client.Client) error) error {
	dir := config.DataDir()
	refused := &sparkd.Error{Code: sparkd.CodeConflict, Field: "daemon.data", Message: "a running sparkd uses " + dir,
		Remedy: "if it is a daemon name its address with --addr; else wait until it has ended"}
	a, err := daemon.Announced(dir)
	if err != nil || a.Address == "" {
		refused.Err = err // sparkd run and the like serve nobody else
		return refused
	}
	return c.dial(a.Address, config, func(cl *client.Client) error {
		ctx, cancel := context.WithTimeout(c.ctx, 10*time.Second)
		info, err := cl.Info(ctx)
		cancel()
		if e := sparkd.AsError(err); err != nil {
			refused.Message += ", and " + a.Address + ", where its daemon was, does not say that it is: " + e.Message
			refused.Err = err
			if e.Code == sparkd.CodeUnauthorized {
				refused.Remedy = e.Remedy
			}
		}
		if err != nil || !info.Started.Equal(a.Started) {
			return refused
		}
		return use(cl)
	})
}

// answers reports whether a daemon that this user may talk to is at api.listen.
func (c *cli) answers(config *daemon.Config) bool {
	return c.dial(config.API.Listen, config, func(cl *client.Client) error {
		ctx, cancel := context.WithTimeout(c.ctx, 2*time.Second)
		defer cancel()
		_, err := cl.Info(ctx)
		return err
	}) == nil
}

// needStore refuses a folder that holds no store, which opening it would make one.
func needStore(dir, remedy string) error {
	if store.Exists(dir) {
		return nil
	}
	e := sparkd.Invalid("daemon.data", remedy, "there is no data folder %s", dir)
	switch info, err := os.Stat(dir); {
	case err != nil:
		e.Err = err
	case !info.IsDir():
		e.Message = dir + " is a file, not a data folder"
	default:
		e.Code, e.Message = sparkd.CodeNotFound, "there is no store in "+dir
	}
	return e
}

// dial calls use with a client of a running daemon, with the token of the configuration.
func (c *cli) dial(addr string, config *daemon.Config, use func(*client.Client) error) error {
	token, err := config.API.BearerToken()
	if err != nil {
		return err
	}
	cl, err := client.New(addr, token)
	if err != nil {
		return err
	}
	return use(cl)
}

// start calls use with a client of a daemon in this process that serves this process alone: on a free loopback
// port and with a token of its own. It ends in order; a second signal makes that quick.
func (c *cli) start(config daemon.Config, parts daemon.Parts, use func(*client.Client) error) error {
	token := rand.Text()
	config.API.Listen, config.API.Token, config.API.TokenFile = "127.0.0.1:0", token, ""
	parts.Version, parts.Commit = buildVersion()
	parts.Engine, parts.OpenEnv = c.parts.Engine, c.parts.OpenEnv
	d, err := daemon.New(c.ctx, config, c.logger(config.Log), parts)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	defer context.AfterFunc(c.hurry, d.StopNow)()
	cl, err := client.New(d.Addr().String(), token)
	if err == nil {
		err = use(cl)
	}
	stop()
	return closing(err, <-ended)
}

// closing joins what closing something failed with to the error of a command.
func closing(err, closed error) error {
	if closed != nil {
		return errors.Join(err, fmt.Errorf("closing: %w", closed))
	}
	return err
}
