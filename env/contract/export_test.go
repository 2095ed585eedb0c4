package contract

import (
	"context"

	"sparkd"
)

// Grows is the check of that name alone.
func Grows(ctx context.Context, s Source) (string, error) {
	r := &run{Options: Options{}.withDefaults(s.Info()), ctx: ctx, source: s, info: s.Info(), report: &Report{}}
	r.tasks = []sparkd.Task{{Env: r.info.Name, Split: "train"}}
	return r.grows()
}
