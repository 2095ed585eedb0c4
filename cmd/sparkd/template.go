package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"sparkd/daemon"
)

func (c *cli) templateCommand(cmd *cobra.Command) run {
	s := c.addSettings(cmd.Flags())
	model := cmd.Flags().String("model", "", "the `model`: bundled, smollm2, a GGUF, a .jinja, a "+
		"tokenizer_config.json or chat_template.json, a folder with one, or the address of a server "+
		"(default: engine.model or engine.replicas)")
	load := cmd.Flags().Bool("load", false, "load a GGUF's weights, to see what is doubtful about its vocabulary")
	return func([]string) error {
		l, err := c.load(s, "error")
		if err != nil {
			return err
		}
		switch e := &l.Config; {
		case strings.HasPrefix(*model, "http://") || strings.HasPrefix(*model, "https://"):
			e.Engine.Kind, e.Remote.Replicas = "remote", []string{*model}
		case *model != "":
			e.Engine.Kind, e.Engine.Model = "embedded", *model
		}
		r, err := daemon.DescribeTemplate(c.ctx, &l.Config, c.parts, *load)
		if err != nil {
			return err
		}
		if err := c.show(r, func(w io.Writer) { presentTemplate(w, r) }); err != nil {
			return err
		}
		if r.Template != "model" {
			return exit{code: exitProblems}
		}
		return nil
	}
}

// presentTemplate writes pieces in quotes, with control characters as escapes.
func presentTemplate(w io.Writer, r *daemon.TemplateReport) {
	own := "the model's own"
	if r.Template != "model" {
		own = "a stand-in, " + r.Template
	}
	fmt.Fprintf(w, "model     %s\ntemplate  %s\nstyle     %s\n", clean(r.Model), own, r.Style)
	p := r.Pieces
	section(w, "opening with a system text", []string{"before it", "before the user text", "behind that"}, p.WithSystem)
	section(w, "opening without one", []string{"before the user text", "behind that"}, p.Without)
	section(w, "appended per turn", []string{"behind the answer", "behind the next user text"}, p.Turn)
	section(w, "an example turn", []string{"before its answer"}, []string{p.Example})
	if r.Opens != "" {
		fmt.Fprintf(w, "\nThe generation prompt opens a thought with %q: answers begin inside it.\n", r.Opens)
	}
	if len(r.Differs) == 0 && r.Template == "model" {
		fmt.Fprintln(w, "\nAppended turns are what the template renders for the whole conversation, blanks around "+
			"answers aside.")
	}
	for _, d := range r.Differs {
		section(w, "what differs from the whole rendering: "+d.Of, []string{"appended", "whole"},
			[]string{d.Appended, d.Whole})
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(w, "\nwarning: %s\n", clean(warning))
	}
}

func section(w io.Writer, title string, names, texts []string) {
	if len(texts) > 0 {
		fmt.Fprintf(w, "\n%s\n", title)
	}
	for i, text := range texts {
		fmt.Fprintf(w, "  %-25s  %q\n", names[i], text)
	}
}
