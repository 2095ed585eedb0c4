package bench_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sparkd"
	"sparkd/prefixcache"
)

// recorded is the shape of a run's trees: who grew from whom in which round, the tokens
// that no model wrote, and how many each step sampled.
type recorded struct {
	From  string         `json:"from"` // the command that grew them
	Trees []recordedTree `json:"trees"`
}

type recordedTree struct {
	Task  string         `json:"task"`
	Nodes []recordedNode `json:"nodes"` // by id; node 0 is the opening context
}

type recordedNode struct {
	Parent    int            `json:"parent"`
	Round     int            `json:"round"`
	Generated int            `json:"generated"`
	Env       []sparkd.Token `json:"env"` // the opening of node 0; the observation of a node that grew on
}

const recording = "testdata/household_spark.json.gz"

func openRecording(t *testing.T) recorded {
	t.Helper()
	f, err := os.Open(recording)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var r recorded
	if err := json.NewDecoder(z).Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestRecordWorkload makes the recording anew, of what `sparkd run --format tree` wrote.
func TestRecordWorkload(t *testing.T) {
	file := os.Getenv("SPARKD_RECORD_WORKLOAD")
	if file == "" {
		t.Skip("SPARKD_RECORD_WORKLOAD names no trees to record")
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := recorded{From: os.Getenv("SPARKD_RECORD_COMMAND")}
	for lines := json.NewDecoder(bufio.NewReader(f)); lines.More(); {
		var line struct {
			Task  string
			Nodes []struct {
				Parent, Round int
				Tokens        []sparkd.Token
				Mask          []int
			}
		}
		if err := lines.Decode(&line); err != nil {
			t.Fatal(err)
		}
		tree, grew := recordedTree{Task: line.Task}, map[int]bool{}
		for _, n := range line.Nodes {
			grew[n.Parent] = true
		}
		for id, n := range line.Nodes {
			node := recordedNode{Parent: n.Parent, Round: n.Round}
			for i, token := range n.Tokens {
				if n.Mask[i] == 1 {
					node.Generated++
				} else if grew[id] {
					node.Env = append(node.Env, token)
				}
			}
			tree.Nodes = append(tree.Nodes, node)
		}
		r.Trees = append(r.Trees, tree)
	}
	slices.SortFunc(r.Trees, func(a, b recordedTree) int { return strings.Compare(a.Task, b.Task) })
	out, err := os.Create(filepath.FromSlash(recording))
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(out)
	if err := json.NewEncoder(z).Encode(r); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}

// source is what samples: an engine, or a client that is none.
type source interface {
	Sample(ctx context.Context, r sparkd.SampleRequest) (sparkd.SampleResult, error)
}

// replay grows the recorded trees on a source, all at once, each round by round as the
// sampler does. What is sampled stands in the trees that come of it; its length is the
// recording's, where siblings of different lengths all get that of the longest.
type replay struct {
	source     source
	vocabulary int // ids beyond it are folded into it; 0: the recording's own
	block      int // tokens in which the source's cache counts; 1 where it does not

	mu   sync.Mutex
	held prefixcache.Index[struct{}] // everything that was computed so far, by whom ever
	cost engineCost
}

// engineCost is what a replay took.
type engineCost struct {
	prompt, computed, cached int
	expected                 int // of the prompts, computed before they were sent
	own                      int // what the engine itself expected
	generated, unique        int
	seconds, cpu             float64
}

// run replays r.
func (p *replay) run(ctx context.Context, r recorded) (engineCost, error) {
	trees, errs := make([]*sparkd.Tree, len(r.Trees)), make([]error, len(r.Trees))
	start := time.Now()
	var wg sync.WaitGroup
	for i := range r.Trees {
		wg.Go(func() { trees[i], errs[i] = p.grow(ctx, i, &r.Trees[i]) })
	}
	wg.Wait()
	p.cost.seconds = time.Since(start).Seconds()
	for _, err := range errs {
		if err != nil {
			return p.cost, err
		}
	}
	p.cost.unique = uniquePrompt(trees)
	return p.cost, nil
}

func (p *replay) grow(ctx context.Context, index int, r *recordedTree) (*sparkd.Tree, error) {
	tree := &sparkd.Tree{ID: fmt.Sprintf("tree-%d", index), Seed: uint64(index),
		Nodes: make([]*sparkd.Node, len(r.Nodes))}
	tree.Nodes[0] = &sparkd.Node{Parent: -1,
		Spans: []sparkd.Span{{Source: sparkd.SourcePrompt, Tokens: p.fold(r.Nodes[0].Env)}}}
	for from := 1; from < len(r.Nodes); {
		to := from
		siblings := map[int][]int{} // by parent
		for ; to < len(r.Nodes) && r.Nodes[to].Round == r.Nodes[from].Round; to++ {
			siblings[r.Nodes[to].Parent] = append(siblings[r.Nodes[to].Parent], to)
		}
		var wg sync.WaitGroup
		errs := make(chan error, len(siblings))
		for parent, ids := range siblings {
			prefix := tree.Tokens(parent)
			wg.Go(func() { errs <- p.expand(ctx, tree, r, prefix, ids) })
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				return tree, err
			}
		}
		from = to
	}
	return tree, nil
}

// expand samples the siblings ids and puts them into the tree.
func (p *replay) expand(
	ctx context.Context, tree *sparkd.Tree, r *recordedTree, prefix []sparkd.Token, ids []int,
) error {
	request := sparkd.SampleRequest{Prefix: prefix, K: len(ids), Tree: tree.ID,
		Sampling: sparkd.Sampling{Temperature: 0.5}}
	for _, id := range ids {
		request.Sampling.MaxTokens = max(request.Sampling.MaxTokens, r.Nodes[id].Generated)
		request.Seeds = append(request.Seeds, sparkd.Mix(tree.Seed, uint64(id)))
	}
	p.mu.Lock()
	expected := min(len(p.held.Match(prefix)), len(prefix)-1) / p.block * p.block
	p.mu.Unlock()
	result, err := p.source.Sample(ctx, request)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cost.prompt += result.PromptTokens
	p.cost.computed += result.ComputedTokens
	p.cost.cached += result.CachedTokens
	p.cost.own += result.ExpectedTokens
	p.cost.expected += expected * (result.PromptTokens / len(prefix)) // sent once, or once for each sibling
	for i, id := range ids {
		tokens := result.Samples[i].Tokens
		if len(tokens) != request.Sampling.MaxTokens {
			return fmt.Errorf("a sample of %d tokens ended after %d", request.Sampling.MaxTokens, len(tokens))
		}
		p.cost.generated += len(tokens)
		path := slices.Concat(prefix, tokens[:len(tokens)-1]) // the last was not run yet
		p.held.Insert(path, make([]struct{}, len(path)))
		tree.Nodes[id] = &sparkd.Node{ID: id, Parent: r.Nodes[id].Parent,
			Depth: tree.Nodes[r.Nodes[id].Parent].Depth + 1,
			Spans: []sparkd.Span{
				{Source: sparkd.SourceModel, Tokens: tokens},
				{Source: sparkd.SourceEnv, Tokens: p.fold(r.Nodes[id].Env)},
			}}
	}
	return nil
}

// fold maps ids into a smaller vocabulary.
func (p *replay) fold(ids []sparkd.Token) []sparkd.Token {
	if p.vocabulary == 0 {
		return ids
	}
	out := make([]sparkd.Token, len(ids))
	for i, id := range ids {
		out[i] = id % sparkd.Token(p.vocabulary)
	}
	return out
}
