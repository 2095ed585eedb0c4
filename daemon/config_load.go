package daemon

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"sparkd"
	"sparkd/env"
	"sparkd/internal/settings"
	"sparkd/internal/suggest"
)

// Loaded is a configuration and where each of its values comes from: "default", "file PATH", "env NAME" or "flag".
type Loaded struct {
	Config  Config
	Sources map[string]string // by key, "daemon.trees"
	// Warnings are about settings that are gone, and change nothing.
	Warnings []*sparkd.Error

	file file
}

// gone are the settings of older versions that nobody needed, and what holds instead. One
// that is still set is no fault, so that a daemon starts with its old file.
var gone = map[string]string{
	"api.heartbeat":    "a silent event stream sends a comment every 10 s",
	"api.idle_timeout": "a connection may wait 2 minutes for its next request",
	"engine.chunk":     "a forward in which continuations decode takes 256 prompt tokens at most",
	"engine.queue":     "1024 requests may wait for cells, and further ones block",
}

// envSection holds one section for each environment.
const envSection = "env"

// loader gathers a configuration and what is wrong with it.
type loader struct {
	Loaded
	settings []settings.Setting // those of Config
	faults   settings.Faults
}

// Load reads the configuration: defaults, then the file at path ("" for none), then
// the environment variables SPARKD_SECTION_KEY, then the flags ("daemon.trees" →
// "16"); the later one wins. Its error joins one *sparkd.Error for each fault found.
func Load(path string, environ []string, flags map[string]string) (Loaded, error) {
	l := &loader{Loaded: Loaded{Sources: map[string]string{}}}
	var err *sparkd.Error
	if l.file, err = readFile(path); err != nil {
		l.faults = append(l.faults, err)
	}
	l.declare(flags)
	l.readTables("", l.file.tables)
	l.readEnv(environ)
	l.readFlags(flags)
	if len(l.faults) == 0 {
		l.faults = l.Config.Validate()
		for i, f := range l.faults {
			l.faults[i] = l.Locate(f, unnamed)
		}
	}
	return l.Loaded, l.faults.Err()
}

// declare makes a configuration of defaults, with the environments that the file and the flags speak of.
func (l *loader) declare(flags map[string]string) {
	l.Config.Env = map[string]*env.Config{}
	sections, _ := l.file.tables[envSection].(map[string]any)
	for name, section := range sections {
		if _, ok := section.(map[string]any); ok {
			l.Config.Env[name] = &env.Config{}
		}
	}
	for flag := range flags {
		if parts := strings.Split(flag, "."); len(parts) == 3 && parts[0] == envSection {
			l.Config.Env[parts[1]] = &env.Config{}
		}
	}
	l.settings = settings.List(&l.Config)
	settings.Fill(l.settings)
	for _, s := range l.settings {
		l.Sources[s.Key()] = "default"
	}
}

// setting returns the setting of a name, which is that of its key or of its variable.
func (l *loader) setting(name func(settings.Setting) string, is string) (settings.Setting, bool) {
	i := slices.IndexFunc(l.settings, func(s settings.Setting) bool { return name(s) == is })
	if i < 0 {
		return settings.Setting{}, false
	}
	return l.settings[i], true
}

// namesOf lists the names of the settings.
func namesOf(list []settings.Setting, name func(settings.Setting) string) []string {
	var names []string
	for _, s := range list {
		names = append(names, name(s))
	}
	return names
}

// in lists the settings of a section.
func (l *loader) in(section string) []settings.Setting {
	return slices.DeleteFunc(slices.Clone(l.settings), func(s settings.Setting) bool { return s.Section != section })
}

// readTables reads the sections of the file; prefix is "" or that of the environments.
func (l *loader) readTables(prefix string, tables map[string]any) {
	for _, name := range l.file.names(prefix, tables) {
		section := dotted(prefix, name)
		known := l.in(section)
		table, ok := tables[name].(map[string]any)
		switch {
		case ok && section == envSection:
			l.readTables(section, table)
		case ok && len(known) > 0:
			l.readSection(section, table, known)
		case prefix == "" && len(known) == 0 && section != envSection:
			l.unknown(section, name, l.sections())
		default:
			l.faults.Add(section, "write its settings below a line ["+section+"]",
				"%sthis is no section", l.file.where(section))
		}
	}
}

func (l *loader) readSection(section string, table map[string]any, known []settings.Setting) {
	for _, name := range l.file.names(section, table) {
		key := section + "." + name
		s, ok := l.setting(settings.Setting.Key, key)
		switch {
		case ok:
			l.took(key, "file "+l.file.path, s.Assign(table[name]), "the default is "+name+" = "+s.Default())
		case !l.warn(key, l.file.where(key)):
			l.unknown(key, name, namesOf(known, func(s settings.Setting) string { return s.Name }))
		}
	}
}

// took notes that the value of a setting comes from source, or why it cannot.
func (l *loader) took(key, source string, err error, remedy string) {
	l.Sources[key] = source
	if err != nil {
		l.faults.Add(key, remedy, "%s%v", l.origin(key, unnamed), err)
	}
}

// sections lists the names of the sections but those of environments.
func (l *loader) sections() []string {
	names := []string{envSection}
	for _, s := range l.settings {
		if !strings.HasPrefix(s.Section, envSection+".") {
			names = append(names, s.Section)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// unknown reports a key of the file that is no setting; name was meant to be one of known.
func (l *loader) unknown(key, name string, known []string) {
	l.faults.Add(key, meant(name, known, "known here: "+strings.Join(known, ", ")),
		"%sthere is no such setting", l.file.where(key))
}

// meant is the remedy for an unknown name: the known one that is like it, else otherwise.
func meant(name string, known []string, otherwise string) string {
	if n := suggest.Name(name, known); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	return otherwise
}

// warn reports whether the key is that of a setting that is gone, and notes that it is.
func (l *loader) warn(key, where string) bool {
	instead, ok := gone[key]
	if ok {
		l.Warnings = append(l.Warnings, sparkd.Invalid(key, "take it out",
			"%sthis setting is gone and changes nothing: %s", where, instead))
	}
	return ok
}

func (l *loader) readEnv(environ []string) {
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		s, ok := l.setting(settings.Setting.Variable, name)
		if !ok {
			l.refuseVariable(name)
			continue
		}
		l.took(s.Key(), "env "+name, s.Set(value), "correct the environment variable "+name)
	}
}

// ConfigVariable names the configuration file where no flag does.
const ConfigVariable = "SPARKD_CONFIG"

// otherVariables begin like a setting and are none.
var otherVariables = []string{ConfigVariable, "SPARKD_ADDR", "SPARKD_CACHE"}

// refuseVariable refuses an unknown variable that was meant to be a setting: it names a section, or a name that is
// nearly one. Others that begin with SPARKD_ are those of scripts and tests.
func (l *loader) refuseVariable(name string) {
	rest, ours := strings.CutPrefix(name, "SPARKD_")
	if !ours || slices.Contains(otherVariables, name) {
		return
	}
	section, key, ok := strings.Cut(rest, "_")
	if l.warn(strings.ToLower(section+"."+key), name+": ") {
		return
	}
	known := namesOf(l.settings, settings.Setting.Variable)
	if n := suggest.Name(name, slices.Concat(known, otherVariables)); n != "" {
		l.faults.Add(name, "did you mean "+n+"?", "unknown environment variable")
		return
	}
	for _, s := range l.sections() {
		s = strings.ToUpper(s)
		if edits := suggest.Distance(section, s); ok && key != "" && edits <= min(2, len(s)/3) {
			l.faults.Add(name, "variables are SPARKD_SECTION_KEY, for example SPARKD_DAEMON_TREES; "+
				"sparkd config lists sections and keys", "unknown environment variable")
			return
		}
	}
}

func (l *loader) readFlags(flags map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		s, ok := l.setting(settings.Setting.Key, name)
		l.Sources[name] = "flag"
		switch {
		case ok: // what has a flag of its own takes any text
			l.took(name, "flag", s.Set(flags[name]), "correct --set "+name)
		case !l.warn(name, ""):
			l.faults.Add(name, "correct --set: "+meant(name, namesOf(l.settings, settings.Setting.Key),
				"settings are section.key, for example daemon.trees"), "unknown setting")
		}
	}
}
