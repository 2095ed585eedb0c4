package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"sparkd/daemon"
)

// version is set by the linker (-X main.version=v1.2.3); without it the module's
// version or the commit says what this is.
var version string

func (c *cli) versionCommand(*cobra.Command) run { return func([]string) error { return c.version() } }

func (c *cli) version() error {
	v, commit := buildVersion()
	about := struct {
		Version  string `json:"version"`
		Commit   string `json:"commit,omitempty"`
		Go       string `json:"go"`
		Platform string `json:"platform"`
		Engine   string `json:"engine"`
		Warning  string `json:"warning,omitempty"`
	}{v, commit, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, engineBuild(), daemon.EngineWarning()}
	return c.show(about, func(w io.Writer) {
		fmt.Fprintf(w, "sparkd %s\n", v)
		if commit != "" {
			fmt.Fprintf(w, "commit %s\n", commit)
		}
		fmt.Fprintf(w, "%s %s\nengine: %s\n", about.Go, about.Platform, about.Engine)
		if about.Warning != "" {
			fmt.Fprintf(w, "warning: %s\n", about.Warning)
		}
	})
}

// buildInfo is what the Go command noted: the modules, and the settings by name.
func buildInfo() (*debug.BuildInfo, map[string]string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	return info, settings
}

// buildVersion returns the version and the commit, "-dirty" behind it when files were changed.
func buildVersion() (v, commit string) {
	info, settings := buildInfo()
	commit = settings["vcs.revision"]
	commit = commit[:min(12, len(commit))]
	if commit != "" && settings["vcs.modified"] == "true" {
		commit += "-dirty"
	}
	return cmp.Or(version, info.Main.Version, "(devel)"), commit
}

// engineBuild says what the embedded engine was built from and with.
func engineBuild() string {
	info, settings := buildInfo()
	if settings["CGO_ENABLED"] == "0" {
		return "none, built without cgo"
	}
	source := ""
	for _, dep := range info.Deps {
		if dep.Path == "github.com/ollama/ollama" {
			source = "llama.cpp of " + dep.Path + " " + dep.Version + " "
		}
	}
	return strings.TrimSpace(source + settings["CGO_CXXFLAGS"])
}
