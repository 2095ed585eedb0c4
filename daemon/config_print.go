package daemon

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"sparkd/internal/settings"
)

// Setting is one effective value and where it comes from.
type Setting struct {
	Key    string `json:"key"`
	Value  any    `json:"value"` // text, number, truth, list or table, as config.toml has it; secrets are masked
	Source string `json:"source"`
	toml   string
}

// Settings lists the effective configuration in the order of config.toml.
func (l *Loaded) Settings() []Setting {
	var out []Setting
	for _, s := range settings.List(&l.Config) {
		out = append(out, Setting{s.Key(), s.Value(), l.Sources[s.Key()], s.String()})
	}
	return out
}

// Variables lists the environment variables that set something, but secrets.
func (l *Loaded) Variables() []string {
	var names []string
	for _, s := range settings.List(&l.Config) {
		if name, ok := strings.CutPrefix(l.Sources[s.Key()], "env "); ok && !s.Secret() {
			names = append(names, name)
		}
	}
	return names
}

// Print writes the effective configuration as TOML, the source of each value behind it.
func (l *Loaded) Print(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 8, 1, ' ', 0)
	section := ""
	for i, s := range l.Settings() {
		head, name, _ := strings.Cut(s.Key, ".")
		if head != section {
			if i > 0 {
				fmt.Fprintln(tw)
			}
			section = head
			fmt.Fprintf(tw, "[%s]\n", section)
		}
		fmt.Fprintf(tw, "%s\t= %s\t# %s\n", name, s.toml, s.Source)
	}
	return tw.Flush()
}
