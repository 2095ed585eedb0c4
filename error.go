package sparkd

import (
	"context"
	"errors"
	"fmt"
)

// Code says what kind of failure an [Error] is. The HTTP API maps each code to one status, so codes are few and stable.
type Code string

const (
	CodeInvalid      Code = "invalid"      // the request is wrong; Field says where
	CodeUnauthorized Code = "unauthorized" // a token is missing or wrong
	CodeForbidden    Code = "forbidden"    // a web page of another origin
	CodeNotFound     Code = "not_found"    // no such rollout, tree or route
	CodeConflict     Code = "conflict"     // same id, different request; wrong state
	CodeTooLarge     Code = "too_large"    // body over the limit
	CodeQueueFull    Code = "queue_full"   // try again later
	CodeUnavailable  Code = "unavailable"  // shutting down, engine not ready
	CodeContext      Code = "context_full" // the trajectory outgrew the model's context
	CodeCapacity     Code = "capacity"     // the request can never fit in the KV cells
	CodeModel        Code = "model"        // the model file cannot be used
	CodeEngine       Code = "engine"       // the engine failed while sampling
	CodeEnv          Code = "env"          // the environment failed
	CodeDiverged     Code = "env_diverged" // a replayed environment gave other observations
	CodeDamaged      Code = "damaged"      // a stored record fails its checksum
	CodeStore        Code = "store"        // the store cannot read or write
	CodeCanceled     Code = "canceled"     // a caller cancelled
	CodeDeadline     Code = "deadline"     // a deadline passed
	CodeInternal     Code = "internal"     // a defect of sparkd; details are in the log
)

// Error is the one error type that crosses package borders. Message says what is
// wrong, Field names the input at fault as a JSON path ("policy.roots"; empty when
// none is), Remedy says what to do. Err is the cause and is never shown to clients.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Field   string `json:"field,omitempty"`
	Remedy  string `json:"remedy,omitempty"`
	Err     error  `json:"-"`
}

func (e *Error) Error() string {
	s := e.Message
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.Remedy != "" {
		s += " (" + e.Remedy + ")"
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an Error without a field. An operand of type error that is the last argument becomes its cause.
func Errorf(code Code, format string, args ...any) *Error {
	e := &Error{Code: code, Message: fmt.Sprintf(format, args...)}
	if n := len(args); n > 0 {
		e.Err, _ = args[n-1].(error)
	}
	return e
}

// Invalid returns a CodeInvalid error for field with a remedy.
func Invalid(field, remedy, format string, args ...any) *Error {
	return NewError(CodeInvalid, field, remedy, format, args...)
}

// NewError returns an Error; field and remedy may be empty.
func NewError(code Code, field, remedy, format string, args ...any) *Error {
	return &Error{Code: code, Field: field, Remedy: remedy, Message: fmt.Sprintf(format, args...)}
}

// Because sets the cause of e and returns e.
func (e *Error) Because(cause error) *Error {
	e.Err = cause
	return e
}

// AsError returns err as an *Error: itself if it is one or wraps one, a canceled or deadline error for those of
// package context, and an internal error otherwise. It returns nil for nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.Canceled):
		return &Error{Code: CodeCanceled, Message: "canceled", Err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Code: CodeDeadline, Message: "deadline exceeded", Err: err}
	}
	return &Error{Code: CodeInternal, Message: "internal error", Remedy: "see the log of the daemon", Err: err}
}

// CodeOf returns the code of err, or "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return AsError(err).Code
}
