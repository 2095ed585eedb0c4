package openai

import (
	"context"

	"sparkd"
)

// errNoReload is what a server says that cannot exchange its weights.
var errNoReload = sparkd.Invalid("engine.dialect", "use vllm, sglang or the embedded engine, or start the server anew with other weights",
	"this server cannot exchange its weights while it runs")

// reloads reports whether the dialect has a way to exchange weights; whether the server
// has it switched on shows when it is used.
func (e *Engine) reloads() bool {
	name, _ := e.Dialect()
	return name == "vllm" || name == "sglang"
}

// Reload implements sparkd.Reloader. It waits for the samples under way, and others wait
// for it. The server's prefix cache is emptied, or never asked with the old prefixes again.
func (e *Engine) Reload(ctx context.Context, w sparkd.Weights) (string, error) {
	if !e.reloads() {
		return "", errNoReload
	}
	switch {
	case w.Path == "":
		return "", sparkd.Invalid("path", "name the weights in the server's file system", "no path")
	case w.Version == "":
		return "", sparkd.Invalid("version", "name the weights' version: the file is the server's, so that no hash of it can be had", "no version")
	}
	ctx, done := e.alive(ctx)
	defer done()
	if err := e.weights.Acquire(ctx, everybody); err != nil {
		return "", e.ended(ctx, sparkd.AsError(ctx.Err()))
	}
	defer e.weights.Release(everybody)
	model, err := e.dialect.reload(ctx, w)
	if err != nil {
		return "", e.ended(ctx, err)
	}
	e.server.move(model, w.Version)
	e.trunks.forget()
	return w.Version, nil
}
