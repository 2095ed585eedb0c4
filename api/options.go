package api

import (
	"net"
	"time"

	"github.com/rs/zerolog"

	"sparkd"
	"sparkd/internal/loopback"
)

// Options configure a Server. A zero field takes the value of DefaultOptions.
type Options struct {
	Listen string // the address that will be served; decides whether a token is demanded
	Token  string // bearer token; "" for none

	MaxBody     int // bytes of a request's body
	Connections int // open connections; more are turned away with 503
	Streams     int // of them, exports and event streams

	ReadTimeout    time.Duration // to receive a request, headers and body
	IdleTimeout    time.Duration // between two requests of a connection
	WriteTimeout   time.Duration // for a client to take one write of the answer
	RequestTimeout time.Duration // to answer a request that is no stream
	Heartbeat      time.Duration // between comments on a silent event stream

	Logger zerolog.Logger
}

// DefaultOptions serves the local machine.
func DefaultOptions() Options {
	return Options{
		Listen:         "127.0.0.1:8787",
		MaxBody:        1 << 20,
		Connections:    1024,
		Streams:        64,
		ReadTimeout:    30 * time.Second,
		IdleTimeout:    2 * time.Minute,
		WriteTimeout:   30 * time.Second,
		RequestTimeout: 30 * time.Second,
		Heartbeat:      10 * time.Second,
		Logger:         zerolog.Nop(),
	}
}

func (o Options) withDefaults() Options {
	d := DefaultOptions()
	orDefault(&o.Listen, d.Listen)
	orDefault(&o.MaxBody, d.MaxBody)
	orDefault(&o.Connections, d.Connections)
	orDefault(&o.Streams, d.Streams)
	orDefault(&o.ReadTimeout, d.ReadTimeout)
	orDefault(&o.IdleTimeout, d.IdleTimeout)
	orDefault(&o.WriteTimeout, d.WriteTimeout)
	orDefault(&o.RequestTimeout, d.RequestTimeout)
	orDefault(&o.Heartbeat, d.Heartbeat)
	return o
}

func orDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// validate refuses an address that other machines can reach without a token.
func (o *Options) validate() error {
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return sparkd.Invalid("api.listen", `write host:port, for example "127.0.0.1:8787"`,
			"cannot listen on %q", o.Listen)
	}
	if o.Token == "" && !loopback.Is(host) {
		return sparkd.Invalid("api.token", "set api.token_file (or api.token), or listen on 127.0.0.1",
			"%q can be reached from other machines and no token is set", o.Listen)
	}
	return nil
}
