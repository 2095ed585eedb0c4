package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"sparkd/daemon"
)

// version is set by the linker (-X main.version=v1.2.3); without it the module's
// version or the commit says what this is.
var version string

func versionCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version and what was built in", Example: "sparkd version",
		RunE: func(*cobra.Command, []string) error { return c.version() },
	}
}

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
	if c.json {
		return writeJSON(c.stdout, about)
	}
	fmt.Fprintf(c.stdout, "sparkd %s\n", v)
	if commit != "" {
		fmt.Fprintf(c.stdout, "commit %s\n", commit)
	}
	fmt.Fprintf(c.stdout, "%s %s\nengine: %s\n", about.Go, about.Platform, about.Engine)
	if about.Warning != "" {
		fmt.Fprintf(c.stdout, "warning: %s\n", about.Warning)
	}
	return nil
}

// buildVersion returns the version and the commit, "-dirty" behind it when files were changed.
func buildVersion() (v, commit string) {
	v = version
	info, ok := debug.ReadBuildInfo()
	if !ok {
		if v == "" {
			v = "unknown"
		}
		return v, ""
	}
	if v == "" {
		v = info.Main.Version
	}
	dirty := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			commit = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if commit != "" {
		commit += dirty
	}
	if v == "" {
		v = "(devel)"
	}
	return v, commit
}

// engineBuild says what the embedded engine was built from and with.
func engineBuild() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	source := ""
	for _, dep := range info.Deps {
		if dep.Path == "github.com/ollama/ollama" {
			source = "llama.cpp of " + dep.Path + " " + dep.Version
		}
	}
	var flags []string
	for _, s := range info.Settings {
		if s.Key == "CGO_ENABLED" && s.Value == "0" {
			return "none, built without cgo"
		}
		if s.Key == "CGO_CXXFLAGS" && s.Value != "" {
			flags = append(flags, s.Value)
		}
	}
	return strings.TrimSpace(source + " " + strings.Join(flags, " "))
}
