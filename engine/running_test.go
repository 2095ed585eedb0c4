package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// running asks a server how many requests it works on: /slots of llama-server, /metrics of vLLM.
func running(url string) func(context.Context) (int, error) {
	get := func(ctx context.Context, path string) (string, int, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, url+path, nil)
		if err != nil {
			return "", 0, err
		}
		w, err := http.DefaultClient.Do(r)
		if err != nil {
			return "", 0, err
		}
		defer w.Body.Close()
		body, err := io.ReadAll(w.Body)
		return string(body), w.StatusCode, err
	}
	return func(ctx context.Context) (int, error) {
		body, status, err := get(ctx, "/slots")
		if err == nil && status == http.StatusOK {
			var slots []struct {
				Processing bool `json:"is_processing"`
			}
			err := json.Unmarshal([]byte(body), &slots)
			n := 0
			for _, s := range slots {
				if s.Processing {
					n++
				}
			}
			return n, err
		}
		if body, _, err = get(ctx, "/metrics"); err != nil {
			return 0, err
		}
		for line := range strings.Lines(body) {
			if strings.HasPrefix(line, "vllm:num_requests_running{") {
				n, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndex(line, " "):]), 64)
				return int(n), err
			}
		}
		return 0, fmt.Errorf("the server does not say what runs")
	}
}
