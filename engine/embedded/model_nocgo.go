//go:build !cgo

package embedded

import (
	"context"
	"errors"

	"sparkd"
)

var errNoCgo = sparkd.NewError(sparkd.CodeModel, "engine", `build with CGO_ENABLED=1 and a C++ compiler (make build), `+
	`or let servers sample: engine.kind = "remote"`, "this build has no embedded engine: it was compiled without cgo")

func openModel(context.Context, weights, modelOptions) (backend, error) { return nil, errNoCgo }

type passed struct{}

func (*loader) try(context.Context, weights) error { return nil }

// BuildWarning says what this build lacks.
func BuildWarning() string { return errNoCgo.Message }

// Quantize needs cgo.
func Quantize(in, out, weights string) error { return errors.New(errNoCgo.Message) }
