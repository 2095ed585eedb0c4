// Package procgroup starts programs in process groups of their own, so that what such a program has started can be
// ended with it. Where the system has no process groups it does nothing.
package procgroup
