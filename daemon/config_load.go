package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"sparkd"
	"sparkd/env"
	"sparkd/internal/suggest"
)

// Loaded is a configuration and where each of its values comes from: "default",
// "file PATH", "env NAME" or "flag".
type Loaded struct {
	Config  Config
	Sources map[string]string // by key, "daemon.trees"
}

// Load reads the configuration: defaults, then the file at path ("" for none), then
// the environment variables SPARKD_SECTION_KEY, then the flags ("daemon.trees" →
// "16"); the later one wins. Its error joins one *sparkd.Error for each fault found.
func Load(path string, environ []string, flags map[string]string) (Loaded, error) {
	l := Loaded{Config: Default(), Sources: map[string]string{}}
	file, faults := readFile(path)
	l.declare(file, flags)
	keys := keysOf(&l.Config)
	for _, k := range keys {
		l.Sources[k.String()] = "default"
	}
	faults = append(faults, l.assignFile(file, keys)...)
	faults = append(faults, l.readEnv(environ, keys)...)
	faults = append(faults, l.readFlags(flags, keys)...)
	if len(faults) == 0 {
		faults = l.Config.Validate()
	}
	errs := make([]error, len(faults))
	for i, f := range faults {
		errs[i] = f
	}
	return l, errors.Join(errs...)
}

// file is a decoded configuration file.
type file struct {
	path, text string
	sections   map[string]map[string]any // by section; an environment's is "env.NAME"
	keys       []toml.Key
	loose      []string // what should be a section and is none
}

func readFile(path string) (file, []*sparkd.Error) {
	f := file{path: path, sections: map[string]map[string]any{}}
	if path == "" {
		return f, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return f, []*sparkd.Error{{Code: sparkd.CodeInvalid, Field: "config", Err: err,
			Message: err.Error(), Remedy: "name an existing file with -c, or leave -c out for the defaults"}}
	}
	f.text = string(text)
	var tables map[string]any
	md, err := toml.Decode(f.text, &tables)
	if err != nil {
		return f, []*sparkd.Error{{Code: sparkd.CodeInvalid, Field: "config", Err: err,
			Message: fmt.Sprintf("%s: %v", path, err), Remedy: "write TOML: [section] lines, and key = value lines below them"}}
	}
	f.keys = md.Keys()
	f.add("", tables)
	return f, nil
}

// add notes the sections of a table of tables.
func (f *file) add(prefix string, tables map[string]any) {
	for name, v := range tables {
		section, ok := v.(map[string]any)
		switch {
		case !ok:
			f.loose = append(f.loose, prefix+name)
		case prefix == "" && name == envSection:
			f.add(envSection+".", section)
		default:
			f.sections[prefix+name] = section
		}
	}
	slices.Sort(f.loose)
}

// declare adds the environments that the file and the flags speak of.
func (l *Loaded) declare(f file, flags map[string]string) {
	l.Config.Env = map[string]*env.Config{}
	for section := range f.sections {
		if name, ok := strings.CutPrefix(section, envSection+"."); ok {
			l.Config.Env[name] = &env.Config{}
		}
	}
	for flag := range flags {
		parts := strings.Split(flag, ".")
		if len(parts) == 3 && parts[0] == envSection && l.Config.Env[parts[1]] == nil {
			l.Config.Env[parts[1]] = &env.Config{}
		}
	}
}

func (l *Loaded) assignFile(f file, keys []key) []*sparkd.Error {
	faults := f.unknownKeys(keys)
	if len(faults) == 0 {
		for _, name := range f.loose {
			faults = append(faults, sparkd.Invalid(name, "write settings below a line [section]", "%s:%d: this is no section", f.path, lineOf(f.text, name, "")))
		}
	}
	for _, k := range keys {
		v, ok := f.sections[k.section][k.name]
		if !ok {
			continue
		}
		if err := k.assign(v); err != nil {
			line := lineOf(f.text, k.section, k.name)
			faults = append(faults, sparkd.Invalid(k.String(), "see config.toml for its form", "%s:%d: %v", f.path, line, err))
			continue
		}
		l.Sources[k.String()] = "file " + f.path
	}
	return faults
}

// unknownKeys reports the keys of a file that no setting has.
func (f *file) unknownKeys(keys []key) []*sparkd.Error {
	names := map[string][]string{envSection: nil} // by section
	for _, k := range keys {
		names[k.section] = append(names[k.section], k.name)
	}
	var faults []*sparkd.Error
	unknown := func(field string, line int, word string, known []string) {
		remedy := "known here: " + strings.Join(known, ", ")
		if n := suggest.Name(word, known); n != "" {
			remedy = fmt.Sprintf("did you mean %q?", n)
		}
		faults = append(faults, sparkd.Invalid(field, remedy, "%s:%d: there is no such setting", f.path, line))
	}
	for _, u := range f.keys {
		section, rest := u[0], u[1:]
		if section == envSection && len(rest) > 0 {
			section, rest = section+"."+rest[0], rest[1:]
		}
		known, ok := names[section]
		switch {
		case !ok && len(u) == 1:
			unknown(section, lineOf(f.text, section, ""), section, slices.Sorted(maps.Keys(names)))
		case ok && len(rest) == 1 && !slices.Contains(known, rest[0]):
			unknown(u.String(), lineOf(f.text, section, rest[0]), rest[0], known)
		}
	}
	return faults
}

// lineOf returns the line, from 1, where the section opens or, with a name, where
// that key of it stands; 0 where neither is found.
func lineOf(text, section, name string) int {
	current, number := "", 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			current = strings.Trim(strings.TrimRight(line, "\r\n"), "[] \t")
			if current == section && name == "" {
				return number
			}
			continue
		}
		left, _, ok := strings.Cut(line, "=")
		left = strings.Trim(left, " \t\"'")
		if ok && (current == section && left == name || current == "" && (left == section+"."+name || name == "" && left == section)) {
			return number
		}
	}
	return 0
}

func (l *Loaded) readEnv(environ []string, keys []key) []*sparkd.Error {
	var faults []*sparkd.Error
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.env()
	}
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		i := slices.Index(names, name)
		if i < 0 {
			if err := refuseVariable(name, names); err != nil {
				faults = append(faults, err)
			}
			continue
		}
		if err := keys[i].parse(value); err != nil {
			faults = append(faults, sparkd.Invalid(keys[i].String(), "correct the environment variable "+name, "%v", err))
			continue
		}
		l.Sources[keys[i].String()] = "env " + name
	}
	return faults
}

// ConfigVariable names the configuration file where no flag does.
const ConfigVariable = "SPARKD_CONFIG"

// otherVariables begin like a setting and are none.
var otherVariables = []string{ConfigVariable, "SPARKD_ADDR", "SPARKD_CACHE"}

// refuseVariable refuses an unknown variable that was meant to be a setting: it names a
// section, or a name that is nearly one. Others that begin with SPARKD_ are those of
// scripts and tests.
func refuseVariable(name string, settings []string) *sparkd.Error {
	rest, ours := strings.CutPrefix(name, "SPARKD_")
	if !ours || slices.Contains(otherVariables, name) {
		return nil
	}
	if n := suggest.Name(name, slices.Concat(settings, otherVariables)); n != "" {
		return sparkd.Invalid(name, "did you mean "+n+"?", "unknown environment variable")
	}
	section, key, ok := strings.Cut(rest, "_")
	for _, s := range append(settings, "SPARKD_ENV_") { // also where no environment is configured
		known, _, _ := strings.Cut(strings.TrimPrefix(s, "SPARKD_"), "_")
		if edits := suggest.Distance(section, known); ok && key != "" && edits <= min(2, len(known)/3) {
			return sparkd.Invalid(name, "variables are SPARKD_SECTION_KEY, for example SPARKD_DAEMON_TREES; sparkd config lists sections and keys", "unknown environment variable")
		}
	}
	return nil
}

func (l *Loaded) readFlags(flags map[string]string, keys []key) []*sparkd.Error {
	var faults []*sparkd.Error
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.String()
	}
	for name, value := range flags {
		i := slices.Index(names, name)
		if i < 0 {
			remedy := "settings are section.key, for example daemon.trees"
			if n := suggest.Name(name, names); n != "" {
				remedy = fmt.Sprintf("did you mean %q?", n)
			}
			faults = append(faults, sparkd.Invalid(name, remedy, "unknown setting"))
			continue
		}
		if err := keys[i].parse(value); err != nil {
			faults = append(faults, sparkd.Invalid(name, "correct the flag", "%v", err))
			continue
		}
		l.Sources[name] = "flag"
	}
	slices.SortFunc(faults, func(a, b *sparkd.Error) int { return cmp.Compare(a.Field, b.Field) })
	return faults
}
