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
	Value  string `json:"value"` // as config.toml writes it; secrets are masked
	Source string `json:"source"`
}

// Settings lists the effective configuration in the order of config.toml.
func (l *Loaded) Settings() []Setting {
	var out []Setting
	for _, s := range settings.List(&l.Config) {
		out = append(out, Setting{s.Key(), s.String(), l.Sources[s.Key()]})
	}
	return out
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
		fmt.Fprintf(tw, "%s\t= %s\t# %s\n", name, s.Value, s.Source)
	}
	return tw.Flush()
}
