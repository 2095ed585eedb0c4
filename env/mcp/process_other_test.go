//go:build !linux

package mcp

// family cannot be started.
func family(string, string) error { return nil }
