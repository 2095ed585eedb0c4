package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"
	flag "github.com/spf13/pflag"

	"sparkd"
	"sparkd/api"
	"sparkd/api/client"
	"sparkd/daemon"
	"sparkd/store"
)

// connection is how a command reaches a daemon.
type connection struct {
	*settings
	addr    string
	offline string // the data folder that is read by this process, because no daemon uses it
	cancels bool   // that folder may be written to, to cancel a rollout
}

// addrVariable stands for --addr.
const addrVariable = "SPARKD_ADDR"

// addConnection declares --addr and the flags of settings.
func (c *cli) addConnection(f *flag.FlagSet, about string, named ...string) *connection {
	n := &connection{settings: c.addSettings(f, named...)}
	f.StringVar(&n.addr, "addr", c.env(addrVariable),
		"`address` of a running daemon, host:port or a URL (default: "+addrVariable+")"+about)
	return n
}

// reading is addReading, and returns what runs the command: use with a client.
func (c *cli) reading(cmd *cobra.Command, use func(cl *client.Client, args []string) error) run {
	n := c.addReading(cmd)
	return func(args []string) error {
		return c.read(n, func(cl *client.Client) error { return use(cl, args) })
	}
}

// addReading declares how a command reaches what is stored.
func (c *cli) addReading(cmd *cobra.Command) *connection {
	return c.addConnection(cmd.Flags(), ", instead of a data folder (with neither, the default folder, or the daemon "+
		"at api.listen where that is missing); a folder in use is read through its daemon", "data")
}

// connect loads the configuration for a client, and refuses settings beside the address of a daemon, which has its
// own: they would change nothing. Tokens are the client's too.
func (c *cli) connect(n *connection, quiet string) (daemon.Loaded, error) {
	l, err := c.load(n.settings, quiet)
	if err != nil || n.addr == "" {
		return l, err
	}
	for _, key := range slices.Sorted(maps.Keys(n.flags)) {
		if key == "api.token" || key == "api.token_file" {
			continue
		}
		return l, usage("%s is for a process of its own, and the daemon at %s has its own settings; "+
			"leave out %[1]s, or --addr (SPARKD_ADDR)", flagOf(key), n.addr)
	}
	return l, nil
}

// read calls use with a client: of the daemon at --addr, or of one that this process starts
// to read the data folder, or of the daemon that uses that folder, or of the one at
// api.listen where no setting names a folder and the default one has no store.
func (c *cli) read(n *connection, use func(*client.Client) error) error {
	l, err := c.connect(n, "error")
	if err != nil {
		return err
	}
	dir, missing := needStore(&l.Config, "name it with --data, or a running daemon with --addr")
	if n.addr == "" && missing != nil && l.Sources["daemon.data"] == "default" && c.answers(&l.Config) {
		n.addr = l.Config.API.Listen
	}
	switch {
	case n.addr != "":
		return c.dial(n.addr, &l.Config, use)
	case missing != nil:
		return missing
	}
	err = c.start(l.Config, daemon.Parts{Offline: true, Cancel: n.cancels}, func(cl *client.Client) error {
		n.offline = dir
		return use(cl)
	})
	if n.offline != "" || sparkd.CodeOf(err) != sparkd.CodeConflict {
		return err
	}
	return c.user(dir, &l.Config, use)
}

// user calls use with a client of the daemon that uses the data folder, as the folder says;
// it refuses to ask any other.
func (c *cli) user(dir string, config *daemon.Config, use func(*client.Client) error) error {
	refused := &sparkd.Error{Code: sparkd.CodeConflict, Field: "daemon.data", Message: "a running sparkd uses " + dir,
		Remedy: "if it is a daemon name its address with --addr; else wait until it has ended"}
	a, err := daemon.Announced(dir)
	if err != nil || a.Address == "" {
		refused.Err = err // sparkd run and the like serve nobody else
		return refused
	}
	return c.dial(a.Address, config, func(cl *client.Client) error {
		info, err := c.about(cl, 10*time.Second)
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
		_, err := c.about(cl, 2*time.Second)
		return err
	}) == nil
}

// about asks a daemon what it is.
func (c *cli) about(cl *client.Client, most time.Duration) (api.Info, error) {
	ctx, cancel := context.WithTimeout(c.ctx, most)
	defer cancel()
	return cl.Info(ctx)
}

// needStore returns the data folder, and refuses one that holds no store, which opening it would make one.
func needStore(config *daemon.Config, remedy string) (string, error) {
	dir, err := config.DataDir()
	if err != nil || store.Exists(dir) {
		return dir, err
	}
	e := sparkd.Invalid("daemon.data", remedy, "there is no data folder %s", dir)
	info, err := os.Stat(dir)
	_, inside := os.Stat(filepath.Join(dir, "any"))
	switch {
	case errors.Is(inside, fs.ErrPermission):
		e.Err, e.Message = inside, "the data folder "+dir+" cannot be read: permission denied"
		e.Remedy = "check its permissions, or " + remedy
	case err != nil:
		e.Err = err
	case !info.IsDir():
		e.Message = dir + " is a file, not a data folder"
	default:
		e.Message = "there is no store in " + dir
	}
	return dir, e
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
	c.loaded = daemon.Loaded{} // that of this daemon is another
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
		err = use(cl.Uncompressed())
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
