package api

import (
	"net"
	"strconv"
	"time"

	"github.com/rs/zerolog"

	"sparkd/internal/loopback"
	"sparkd/internal/settings"
)

// Options configure a Server: the section [api] of the configuration.
type Options struct {
	Listen    string `toml:"listen" default:"127.0.0.1:8787"` // the address that will be served
	Token     string `toml:"token" secret:"true"`             // bearer token; see BearerToken
	TokenFile string `toml:"token_file"`                      // that holds the token, instead

	MaxBody     int64 `toml:"max_body" default:"1MiB" range:"1KiB..1GiB"`    // of a request
	Connections int   `toml:"connections" default:"1024" range:"1..1000000"` // open; more are turned away with 503
	Streams     int   `toml:"streams" default:"64" range:"1..1000000"`       // of them, exports and event streams

	// To receive a request, headers and body; for a client to take one write of the
	// answer; to answer a request that is no stream.
	ReadTimeout    time.Duration `toml:"read_timeout" default:"30s" range:">0"`
	WriteTimeout   time.Duration `toml:"write_timeout" default:"30s" range:">0"`
	RequestTimeout time.Duration `toml:"request_timeout" default:"30s" range:">0"`

	Logger zerolog.Logger
}

// BearerToken returns the token that requests must carry, read from its file where one is named; "" for none.
func (o *Options) BearerToken() (string, error) {
	if o.TokenFile == "" {
		return o.Token, nil
	}
	return settings.ReadSecret("api.token_file", o.TokenFile)
}

// Validate refuses an address that other machines can reach without a token.
func (o *Options) Validate(string) (faults settings.Faults) {
	host, port, err := net.SplitHostPort(o.Listen)
	if _, e := strconv.ParseUint(port, 10, 16); err != nil || e != nil {
		faults.Add("api.listen", `write host:port, for example "127.0.0.1:8787"; port 0 takes a free one`,
			"cannot listen on %q", o.Listen)
	} else if o.Token == "" && o.TokenFile == "" && !loopback.Is(host) {
		faults.Add("api.token", "set api.token_file (or api.token), or listen on 127.0.0.1",
			"%q can be reached from other machines and no token is set", o.Listen)
	}
	if o.Token != "" && o.TokenFile != "" {
		faults.Add("api.token_file", "set one of api.token and api.token_file", "both are set")
	}
	return faults
}
