package mcp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"sparkd"
)

// The test binary is also a server on stdio, "mcp.test serve NUMBER"; with "deaf" behind
// that it does not end with its input.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "serve" {
		number, _ := strconv.Atoi(os.Args[2])
		serve(number, len(os.Args) > 3)
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // of the servers, under the race detector
	os.Exit(m.Run())
}

func serve(number int, deaf bool) {
	fmt.Fprintln(os.Stderr, "serving corridor", number)
	err := corridor(number).Run(context.Background(), &mcp.StdioTransport{})
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
	}
	if deaf {
		<-time.After(time.Hour)
	}
	os.Exit(0)
}

// self is the command of a server on stdio.
func self(t *testing.T) []string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return []string{path, "serve", "{index}"}
}

// overHTTP serves corridors, one for each session, and ends with the test.
func overHTTP(t *testing.T) string {
	t.Helper()
	h := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return corridor(0) }, nil)
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

type (
	nothing struct{}
	seeded  struct {
		Seed  int    `json:"seed"`
		Level string `json:"level,omitempty"`
	}
	shaped struct {
		Shape string `json:"shape"`
		Dir   string `json:"dir"`
	}
	direction struct {
		Direction string `json:"direction" jsonschema:"where to"`
	}
	place struct {
		Place  int     `json:"place"`
		Reward float64 `json:"reward"`
		Done   bool    `json:"done"`
		Task   string  `json:"task,omitempty"`
	}
)

// corridor is a server built with the SDK: a walk along a corridor of which every
// session has its own.
func corridor(at int) *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "corridor", Version: "1"}, &mcp.ServerOptions{Instructions: "Walk."})
	no := false
	inside := &mcp.ToolAnnotations{DestructiveHint: &no, OpenWorldHint: &no}
	mcp.AddTool(s, &mcp.Tool{Name: "begin"}, func(_ context.Context, _ *mcp.CallToolRequest,
		in seeded) (*mcp.CallToolResult, place, error) {
		if in.Level == "none" {
			return nil, place{}, errors.New("no such level")
		}
		at = in.Seed
		return nil, place{Place: at, Task: "walk " + in.Level}, nil
	})
	mcp.AddTool(s, &mcp.Tool{Name: "move", Description: "Walk\n one step.", Annotations: inside},
		func(_ context.Context, _ *mcp.CallToolRequest, in direction) (*mcp.CallToolResult, place, error) {
			switch in.Direction {
			case "east":
				at++
				return nil, place{Place: at, Reward: 0.5}, nil
			case "west":
				at--
				return nil, place{Place: at}, nil
			}
			return nil, place{}, fmt.Errorf("no way %s", in.Direction)
		})
	mcp.AddTool(s, &mcp.Tool{Name: "family", Annotations: inside},
		func(_ context.Context, _ *mcp.CallToolRequest, in shaped) (*mcp.CallToolResult, any, error) {
			return nil, nil, family(in.Shape, in.Dir)
		})
	text := func(name string, a *mcp.ToolAnnotations, f func(ctx context.Context) string) {
		mcp.AddTool(s, &mcp.Tool{Name: name, Annotations: a},
			func(ctx context.Context, _ *mcp.CallToolRequest, _ nothing) (*mcp.CallToolResult, any, error) {
				return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: f(ctx)}}}, nil, nil
			})
	}
	text("look", &mcp.ToolAnnotations{ReadOnlyHint: true},
		func(context.Context) string { return fmt.Sprintf("Place %d.", at) })
	text("learn", inside, func(context.Context) string {
		text("cast a spell", inside, func(context.Context) string { return "A light." })
		s.RemoveTools("shout")
		return "You know how."
	})
	text("babble", inside, func(context.Context) string {
		fmt.Println("The corridor is long.")
		return ""
	})
	text("shout", nil, func(context.Context) string { return "Everyone heard." })
	text("stop", inside, func(context.Context) string { return "You stop." })
	text("win", inside, func(context.Context) string { return `{"reward": 2, "done": true}` })
	text("overflow", inside, func(context.Context) string { return `{"reward": 1e999}` })
	text("lose", inside, func(context.Context) string { return `{"reward": null}` })
	text("quote", inside, func(context.Context) string { return `{"reward": "1"}` })
	text("mumble", inside, func(context.Context) string { return `{"done": "False"}` })
	text("crash", inside, func(context.Context) string {
		fmt.Fprintln(os.Stderr, "the ceiling fell")
		os.Exit(3)
		return ""
	})
	text("hang", inside, func(ctx context.Context) string {
		select {
		case <-ctx.Done():
		case <-time.After(time.Minute): // a bound, should nobody cancel
		}
		return ""
	})
	return s
}

func open(t *testing.T, o Options) *Source {
	t.Helper()
	s, err := Open(t.Context(), "walk", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// begin opens a copy and resets it to task 3.
func begin(t *testing.T, s *Source) (*Env, sparkd.Observation, error) {
	t.Helper()
	e, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	o, err := e.Reset(t.Context(), task(3))
	return e.(*Env), o, err
}

func task(index int) sparkd.Task { return sparkd.Task{Env: "walk", Split: "train", Index: index} }
