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

// version and commit are set by the linker (-X main.version=v1.2.3); without them what the Go command noted says what
// this is.
var version, commit string

func (c *cli) versionCommand(*cobra.Command) run { return func([]string) error { return c.version() } }

func (c *cli) version() error {
	v, revision := buildVersion()
	about := struct {
		Version  string `json:"version"`
		Commit   string `json:"commit"`
		Go       string `json:"go"`
		Platform string `json:"platform"`
		Engine   string `json:"engine"`
		Warning  string `json:"warning"`
	}{v, revision, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, engineBuild(), daemon.EngineWarning()}
	return c.show(about, func(w io.Writer) {
		fmt.Fprintf(w, "sparkd %s\n", v)
		fmt.Fprintf(w, "commit %s\n", about.Commit)
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

// buildVersion returns the version and the commit, "-dirty" behind it when files were changed, "unknown" where nobody
// noted it.
func buildVersion() (v, c string) {
	info, settings := buildInfo()
	noted := settings["vcs.revision"]
	noted = noted[:min(12, len(noted))]
	if noted != "" && settings["vcs.modified"] == "true" {
		noted += "-dirty"
	}
	return cmp.Or(version, info.Main.Version, "(devel)"), cmp.Or(commit, noted, "unknown")
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
