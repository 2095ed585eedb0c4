package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rs/zerolog"
	flag "github.com/spf13/pflag"

	"sparkd/daemon"
	"sparkd/internal/oneline"
)

// alfworldData is the flag for a folder of games; it stands for two settings.
const alfworldData = "alfworld-data"

// flagged are the settings that may have a flag of their own.
var flagged = []struct{ key, name, about string }{
	{"daemon.data", "data", "`folder` of the database"},
	{"engine.model", "model", "the `model`: bundled, smollm2, or a GGUF file (default bundled)"},
	{"api.listen", "listen", "`address` of the HTTP server"},
	{"env.alfworld.data", alfworldData, "`folder` of ALFWorld's games, the environment alfworld"},
}

// settings are the flags that decide the configuration.
type settings struct {
	file  string
	flags map[string]string
}

// addSettings declares -c and --set, and a flag for each of the named settings.
func (c *cli) addSettings(f *flag.FlagSet, named ...string) *settings {
	s := &settings{file: c.env(daemon.ConfigVariable), flags: map[string]string{}}
	f.FuncP("config", "c", "configuration `file` (default: "+daemon.ConfigVariable+")", fileName(&s.file))
	f.Func("set", "any other `section.key=value` of the configuration; may be repeated", func(text string) error {
		key, value, ok := strings.Cut(text, "=")
		if !ok {
			return fmt.Errorf("write section.key=value")
		}
		s.flags[key] = value
		return nil
	})
	for _, fl := range flagged {
		if !slices.Contains(named, fl.name) {
			continue
		}
		f.Func(fl.name, fl.about, func(text string) error {
			if fl.name == alfworldData {
				s.flags["env.alfworld.kind"] = "alfworld"
			}
			s.flags[fl.key] = text
			return nil
		})
	}
	return s
}

// fileName sets path to the name of a file. An empty one, such as that of a variable that is not set, is refused.
func fileName(path *string) func(string) error {
	return func(text string) error {
		*path = text
		if text == "" {
			return fmt.Errorf("name a file")
		}
		return nil
	}
}

// flagOf is the flag that sets a key.
func flagOf(key string) string {
	for _, fl := range flagged {
		if fl.key == key {
			return "--" + fl.name
		}
	}
	return "--set " + key
}

// load reads the configuration. quiet is the level of the command's log where a user has set none for it alone, as
// a file does, which is written for the daemon; "" leaves it.
func (c *cli) load(s *settings, quiet string) (daemon.Loaded, error) {
	l, err := daemon.Load(s.file, c.environ, s.flags)
	c.loaded = l
	if err != nil {
		return l, err
	}
	c.variables = l.Variables()
	for _, name := range []string{daemon.ConfigVariable, addrVariable} {
		if c.env(name) != "" {
			c.variables = append(c.variables, name)
		}
	}
	if source := l.Sources["log.level"]; quiet != "" && (source == "default" || strings.HasPrefix(source, "file ")) {
		l.Config.Log.Level = quiet
	}
	log := c.logger(l.Config.Log)
	for _, w := range l.Warnings {
		log.Warn().Msg(w.Error())
	}
	return l, nil
}

func (c *cli) env(name string) string {
	for _, e := range c.environ {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

// logger writes to stderr, for people where that is a terminal.
func (c *cli) logger(l daemon.LogConfig) zerolog.Logger {
	w := oneline.Writer(c.stderr)
	if !c.json && (l.Format == "console" || l.Format == "auto" && c.bar > 0) {
		w = zerolog.ConsoleWriter{Out: c.stderr, TimeFormat: time.TimeOnly, NoColor: !c.barColor}
	}
	level, err := zerolog.ParseLevel(l.Level)
	if err != nil {
		level = zerolog.InfoLevel // Load has checked the name
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

// report writes v as JSON: to stdout, or to stderr where the rows of a command have that.
func (c *cli) report(v any, rows string) error {
	if rows == "" || rows == "-" {
		return writeJSON(c.stderr, v)
	}
	return writeJSON(c.stdout, v)
}

// show writes v as JSON where --json was given, else what text writes for people.
func (c *cli) show(v any, text func(io.Writer)) error {
	if c.json {
		return writeJSON(c.stdout, v)
	}
	var b strings.Builder
	text(&b)
	_, err := io.WriteString(c.stdout, wrap(b.String(), c.width))
	return err
}

// note says on stderr what goes on, to people.
func (c *cli) note(format string, args ...any) {
	if !c.json {
		fmt.Fprint(c.stderr, wrap(fmt.Sprintf(format, args...)+"\n", c.bar))
	}
}

func writeJSON(w io.Writer, v any) error {
	return oneline.NewEncoder(w).Encode(v)
}
