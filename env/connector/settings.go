// Package connector holds what environments behind a server have in common: the options
// of their section in the configuration, which index of a split is which task, a bound
// on open sessions, and how fields of a JSON answer become an observation.
//
// # Options
//
// All kinds of servers have these options:
//
//	goal, goal_field the task in words, or the field of a reset's answer that has it
//	admissible       field that lists the actions that are accepted now
//	success          least reward at the end that is a success (any above 0)
//	success_field    field that is compared instead of the reward
//	max_steps        steps of an episode, more than which no request gets (100)
//	timeout          longest time an answer takes (60s)
//	max_message      largest message, in MiB (16); not of mcp
//	token_env        environment variable that holds a bearer token for the URL
package connector

import (
	"maps"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"sparkd"
)

// Settings reads the options of one environment, [env.NAME.options] in the
// configuration. The first mistake is kept for Err.
type Settings struct {
	env    string
	values map[string]string
	known  []string
	err    error
}

// Read returns the settings of the environment of that name.
func Read(env string, options map[string]string) *Settings {
	return &Settings{env: env, values: options}
}

// Field names an option as errors do.
func (s *Settings) Field(key string) string { return s.Section("options." + key) }

// Section names a key of the environment's section as errors do.
func (s *Settings) Section(key string) string { return "env." + s.env + "." + key }

// refuse keeps the first mistake.
func (s *Settings) refuse(field, remedy, format string, args ...any) {
	if s.err == nil {
		s.err = sparkd.Invalid(field, remedy, format, args...)
	}
}

// Err returns the first mistake; an option that nobody asked for is one.
func (s *Settings) Err() error {
	for _, key := range slices.Sorted(maps.Keys(s.values)) {
		if !slices.Contains(s.known, key) {
			s.refuse(s.Field(key), "one of "+strings.Join(slices.Sorted(slices.Values(s.known)), ", "),
				"there is no option %q", key)
		}
	}
	return s.err
}

// lookup returns the value of key, trimmed; ok is false where it is absent or empty.
func (s *Settings) lookup(key string) (value string, ok bool) {
	s.known = append(s.known, key)
	value = strings.TrimSpace(s.values[key])
	return value, value != ""
}

// Text returns the text of key.
func (s *Settings) Text(key, otherwise string) string {
	if v, ok := s.lookup(key); ok {
		return v
	}
	return otherwise
}

// List returns the comma-separated words of key.
func (s *Settings) List(key string) []string {
	v, ok := s.lookup(key)
	if !ok {
		return nil
	}
	var out []string
	for w := range strings.SplitSeq(v, ",") {
		if w = strings.TrimSpace(w); w != "" {
			out = append(out, w)
		}
	}
	return out
}

// Choice returns the value of key, which is one of the words; the first is the default.
func (s *Settings) Choice(key string, words ...string) string {
	v, ok := s.lookup(key)
	switch {
	case !ok:
		return words[0]
	case !slices.Contains(words, v):
		s.refuse(s.Field(key), "one of "+strings.Join(words, ", "), "unknown value %q", v)
	}
	return v
}

// Bool returns the truth of key; absent is false.
func (s *Settings) Bool(key string) bool { return s.Choice(key, "false", "true") == "true" }

// parsed returns the value of key as parse has it; good says which values are.
func parsed[T any](s *Settings, key string, otherwise T, remedy string, parse func(string) (T, error),
	good func(T) bool) T {
	v, ok := s.lookup(key)
	if !ok {
		return otherwise
	}
	x, err := parse(v)
	if err != nil || !good(x) {
		s.refuse(s.Field(key), remedy, "cannot read %q", v)
	}
	return x
}

// Duration returns the time of key, which is positive.
func (s *Settings) Duration(key string, otherwise time.Duration) time.Duration {
	return parsed(s, key, otherwise, `write a time such as "30s"`, time.ParseDuration,
		func(d time.Duration) bool { return d > 0 })
}

// MiB returns the size of key in bytes; it is written in MiB, from 1 to 1024.
func (s *Settings) MiB(key string, otherwise int) int64 {
	return int64(parsed(s, key, otherwise, "write a number of MiB from 1 to 1024", strconv.Atoi,
		func(n int) bool { return 1 <= n && n <= 1024 })) << 20
}

// Steps returns option max_steps, the steps of an episode.
func (s *Settings) Steps() int {
	return parsed(s, "max_steps", 100, "write a number from 1", strconv.Atoi, func(n int) bool { return n >= 1 })
}

// Number returns the finite number of key; ok is false where it is absent.
func (s *Settings) Number(key string) (n float64, ok bool) {
	v, ok := s.lookup(key)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseFloat(v, 64)
	if err != nil || n-n != 0 {
		s.refuse(s.Field(key), "write a number", "cannot read %q", v)
	}
	return n, true
}

// Object returns the JSON object of key; absent is an empty one.
func (s *Settings) Object(key string) map[string]any {
	v, ok := s.lookup(key)
	if !ok {
		return map[string]any{}
	}
	o, err := Object([]byte(v))
	if err != nil {
		s.refuse(s.Field(key), `write a JSON object such as {"world_type": "Text"}`, "cannot read %q: %v", v, err)
	}
	return o
}

// Token returns what the environment variable that option token_env names holds: a
// bearer token for the server. It is empty where the option is absent.
func (s *Settings) Token() string {
	v, ok := s.lookup("token_env")
	if !ok {
		return ""
	}
	token := os.Getenv(v)
	if token == "" || strings.ContainsAny(token, "\r\n") {
		s.refuse(s.Field("token_env"), "set it to the bearer token before sparkd starts",
			"the environment variable %q holds no token", v)
	}
	return token
}

// URL checks the address of the server; its scheme must be one of those given.
func (s *Settings) URL(address string, schemes ...string) *url.URL {
	u, err := url.Parse(address)
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "" {
		s.refuse(s.Section("url"), `write the address of the server, such as "`+schemes[0]+`://127.0.0.1:8000"`,
			"cannot use %q", address)
		return &url.URL{}
	}
	return u
}

// Late is the error of an answer that did not come within option timeout.
func (s *Settings) Late(server, to string, timeout time.Duration, err error) error {
	return sparkd.NewError(sparkd.CodeDeadline, s.Field("timeout"), "raise it, or look at the server",
		"the %s gave no answer to %s within %v", server, to, timeout).Because(err)
}
