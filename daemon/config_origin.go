package daemon

import (
	"strings"

	"sparkd"
)

// Locate puts where its setting comes from in front of the message of an error about a setting, or about a section or
// a part of a value: what opens the parts of a daemon knows settings by their keys alone. flag begins the message for
// one that a flag has set.
func (l *Loaded) Locate(e *sparkd.Error, flag func(key string) string) *sparkd.Error {
	if !strings.Contains(e.Field, ".") {
		return e
	}
	located := *e
	if origin := l.origin(e.Field, flag); !strings.HasPrefix(e.Message, origin) {
		located.Message = origin + e.Message
	}
	return &located
}

// origin says where the value of a field comes from, or where a missing one would stand, as the begin of a message.
func (l *Loaded) origin(field string, flag func(key string) string) string {
	if field == "" || field == envSection {
		return ""
	}
	above := field[:max(0, strings.LastIndex(field, "."))]
	source := l.Sources[field]
	variable, set := strings.CutPrefix(source, "env ")
	switch {
	case set:
		return variable + ": "
	case source == "flag":
		return flag(field)
	case source == "default" && l.overridden(above):
		return "" // the file is not at fault, or not alone
	case !notOfFile(l.Sources[above]) && l.file.where(field) != "":
		return l.file.where(field)
	}
	return l.origin(above, flag)
}

// overridden reports whether a variable or a flag sets something in a section.
func (l *Loaded) overridden(section string) bool {
	for key, source := range l.Sources {
		if key[:max(0, strings.LastIndex(key, "."))] == section && notOfFile(source) {
			return true
		}
	}
	return false
}

// unnamed leaves flags to who parsed them.
func unnamed(string) string { return "" }

func notOfFile(source string) bool { return source == "flag" || strings.HasPrefix(source, "env ") }
