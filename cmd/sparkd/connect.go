package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"sparkd"
	"sparkd/api/client"
	"sparkd/daemon"
	"sparkd/store"
)

// connection is how a command reaches a daemon.
type connection struct {
	settings *settings
	addr     string
}

func (c *cli) addConnection(f *flag.FlagSet) *connection {
	n := &connection{settings: c.addSettings(f, "data")}
	f.StringVar(&n.addr, "addr", c.env("SPARKD_ADDR"), "`address` of a running daemon, instead of a data folder (with neither, the default folder, or the daemon at api.listen where that is missing); a folder in use is read through its daemon")
	return n
}

// open returns a client: of the daemon at --addr, or of one that this process starts to
// read the data folder, or of the daemon that uses that folder, or of the one at api.listen
// where no setting names a folder and the default one has no store. done ends what was
// started.
func (c *cli) open(n *connection) (cl *client.Client, done func() error, err error) {
	l, err := c.load(n.settings, map[string]string{"log.level": "error"})
	if err == nil {
		err = n.settings.refuseBeside(n.addr)
	}
	if err != nil {
		return nil, nil, err
	}
	if n.addr == "" && l.Sources["daemon.data"] == "default" && !store.Exists(l.Config.DataDir()) && c.answers(&l.Config) {
		n.addr = l.Config.API.Listen
	}
	if n.addr == "" {
		if err := needStore(l.Config.DataDir(), "name it with --data, or a running daemon with --addr"); err != nil {
			return nil, nil, err
		}
		cl, done, err := c.start(l.Config, daemon.Parts{Offline: true})
		if sparkd.CodeOf(err) != sparkd.CodeConflict {
			return cl, done, err
		}
		cl, err = c.user(&l.Config)
		return cl, func() error { return nil }, err
	}
	cl, err = c.dial(n.addr, &l.Config)
	return cl, func() error { return nil }, err
}

// user returns a client of the daemon that uses the data folder, as the folder says; it
// refuses to ask any other.
func (c *cli) user(config *daemon.Config) (*client.Client, error) {
	dir := config.DataDir()
	refused := &sparkd.Error{Code: sparkd.CodeConflict, Field: "daemon.data", Message: "a running sparkd uses " + dir,
		Remedy: "if it is a daemon name its address with --addr; else wait until it has ended"}
	a, err := daemon.Announced(dir)
	if err != nil || a.Address == "" {
		refused.Err = err // sparkd run and the like serve nobody else
		return nil, refused
	}
	cl, err := c.dial(a.Address, config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(c.ctx, 10*time.Second)
	defer cancel()
	info, err := cl.Info(ctx)
	if e := sparkd.AsError(err); err != nil {
		refused.Message += ", and " + a.Address + ", where its daemon was, does not say that it is: " + e.Message
		refused.Err = err
		if e.Code == sparkd.CodeUnauthorized {
			refused.Remedy = e.Remedy
		}
	}
	if err != nil || !info.Started.Equal(a.Started) {
		return nil, refused
	}
	return cl, nil
}

// answers reports whether a daemon that this user may talk to is at api.listen.
func (c *cli) answers(config *daemon.Config) bool {
	cl, err := c.dial(config.API.Listen, config)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(c.ctx, 2*time.Second)
	defer cancel()
	_, err = cl.Info(ctx)
	return err == nil
}

// needStore refuses a folder that holds no store, which opening it would make one.
func needStore(dir, remedy string) error {
	if store.Exists(dir) {
		return nil
	}
	e := &sparkd.Error{Code: sparkd.CodeNotFound, Field: "daemon.data", Message: "there is no store in " + dir, Remedy: remedy}
	if _, err := os.Stat(dir); err != nil {
		e.Message, e.Err = "there is no data folder "+dir, err
	}
	return e
}

// dial returns a client of a running daemon, with the token of the configuration.
func (c *cli) dial(addr string, config *daemon.Config) (*client.Client, error) {
	token, err := config.API.BearerToken()
	if err != nil {
		return nil, err
	}
	return client.New(addr, token)
}

// start runs a daemon in this process that serves this process alone: on a free
// loopback port and with a token of its own. done ends it in order; a second signal
// makes that quick.
func (c *cli) start(config daemon.Config, parts daemon.Parts) (cl *client.Client, done func() error, err error) {
	token := rand.Text()
	config.API.Listen, config.API.Token, config.API.TokenFile = "127.0.0.1:0", token, ""
	parts.Version, parts.Commit = buildVersion()
	parts.Engine, parts.OpenEnv = c.parts.Engine, c.parts.OpenEnv
	d, err := daemon.New(c.ctx, config, c.logger(config.Log), parts)
	if err != nil {
		return nil, nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	unhook := context.AfterFunc(c.hurry, d.StopNow)
	done = func() error {
		defer unhook()
		stop()
		return <-ended
	}
	cl, err = client.New(d.Addr().String(), token)
	if err != nil {
		return nil, nil, errors.Join(err, done())
	}
	return cl, done, nil
}

// closing joins the error of done to that of a command.
func closing(done func() error, err *error) {
	if e := done(); e != nil {
		*err = errors.Join(*err, fmt.Errorf("closing: %w", e))
	}
}
