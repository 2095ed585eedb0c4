// Command sparkd grows trajectory trees of LLM agents: as a daemon with an HTTP API (serve), as one job in this
// process (run), and with commands that show what is stored. `sparkd help` lists them.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"sparkd/daemon"
)

func main() {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // as nohup has it
		signal.Notify(signals, syscall.SIGHUP)
	}
	// Who reads the output may stop: the write fails, and the command ends in order. To ignore the signal would be
	// to ignore it in the programs that are started, too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	c := &cli{environ: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	c.width, c.color = screen(os.Stdout, os.Getenv)
	c.bar, c.barColor = screen(os.Stderr, os.Getenv)
	os.Exit(c.main(signals, os.Args[1:]))
}

// cli is what the commands share: the streams, and what is known of them.
type cli struct {
	environ        []string
	stdin          io.Reader
	stdout, stderr io.Writer
	width          int  // of stdout's terminal; 0 when it is none
	color          bool // colours on stdout
	bar            int  // width of stderr's terminal; 0 when it is none
	barColor       bool
	json           bool // --json was given

	line *cobra.Command // the command line, and what it was given
	args []string

	parts daemon.Parts // what tests replace

	loaded    daemon.Loaded // the configuration that errors are about
	variables []string      // of the environment, that the command obeys

	ctx   context.Context // ends with the first signal
	hurry context.Context // ends with the second
}

// main runs one command and returns the exit code.
func (c *cli) main(signals chan os.Signal, args []string) int {
	ctx, stop := context.WithCancel(context.Background())
	hurry, stopNow := context.WithCancel(context.Background())
	defer stop()
	defer stopNow()
	c.ctx, c.hurry = ctx, hurry
	go func() {
		for _, end := range []func(){stop, stopNow} {
			select {
			case <-signals:
				end()
			case <-hurry.Done():
				return
			}
		}
		signal.Stop(signals) // a third one ends the process
	}()
	err := c.execute(args)
	c.printError(err)
	return c.exitCode(err)
}
