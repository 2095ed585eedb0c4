package api

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"sparkd"
)

// route is one line of the route table.
type route struct {
	method  string
	pattern string   // {id} matches one segment; at most one per pattern
	query   []string // the query parameters it knows
	summary string
	handler handler
	limit   time.Duration // within which it answers; 0 is api.request_timeout
	open    bool          // needs no token
	quiet   bool          // logged at debug level
	streams bool          // may answer with a stream
}

// handler returns what a request is answered with as JSON; nil where it has answered itself. Its context ends with
// the time that the route has.
type handler func(*Server, context.Context, *request) (any, error)

// routes is the one list of routes; openapi.json describes the same ones.
var routes = []route{
	{method: "POST", pattern: "/v1/rollouts", summary: "Submit a rollout", handler: (*Server).submit},
	{method: "GET", pattern: "/v1/rollouts", query: listParameters,
		summary: "List rollouts", handler: (*Server).listRollouts},
	{method: "GET", pattern: "/v1/rollouts/{id}", query: []string{"wait"},
		summary: "Show a rollout, or wait for its end", handler: (*Server).waitRollout},
	{method: "DELETE", pattern: "/v1/rollouts/{id}", summary: "Cancel a rollout", handler: byID(Backend.Cancel)},
	{method: "POST", pattern: "/v1/sessions",
		summary: "Submit a rollout whose environments the caller drives", handler: (*Server).openSession},
	{method: "GET", pattern: "/v1/sessions/{id}/calls", query: []string{"after", "wait"},
		summary: "Wait for calls of a session's environments", handler: (*Server).sessionCalls, quiet: true},
	{method: "POST", pattern: "/v1/sessions/{id}/answers",
		summary: "Answer calls of a session", handler: (*Server).sessionAnswers, quiet: true},
	{method: "DELETE", pattern: "/v1/sessions/{id}", summary: "Close a session", handler: byID(Backend.CloseSession)},
	{method: "GET", pattern: "/v1/trees/{id}", summary: "Show a tree", handler: byID(Backend.Tree)},
	{method: "GET", pattern: "/v1/export", query: exportParameters(),
		summary: "Stream finished trees as JSONL", handler: (*Server).export, streams: true},
	{method: "GET", pattern: "/v1/events", query: []string{"after", "rollout", "limit", "stream"},
		summary: "Follow what happens", handler: (*Server).events, streams: true},
	{method: "GET", pattern: "/v1/engines", summary: "Describe what samples", handler: (*Server).engines},
	{method: "POST", pattern: "/v1/engines/weights", summary: "Move to new weights", handler: (*Server).reload,
		limit: reloadLimit},
	{method: "POST", pattern: "/v1/engines/drain",
		summary: "Take a replica out of service, or put it back", handler: (*Server).drain},
	{method: "GET", pattern: "/v1/info", summary: "Describe the daemon", handler: (*Server).info},
	{method: "GET", pattern: "/healthz",
		summary: "Is the process alive", handler: (*Server).health, open: true, quiet: true},
	{method: "GET", pattern: "/readyz",
		summary: "Are rollouts accepted", handler: (*Server).ready, open: true, quiet: true},
	{method: "GET", pattern: "/metrics", summary: "Prometheus metrics", handler: (*Server).showMetrics, quiet: true},
	{method: "GET", pattern: "/openapi.json", summary: "This API as OpenAPI 3.1", handler: (*Server).openapi},
}

// match finds the route of a request and the value of its {id}. HEAD is answered as GET without the body, except
// by routes that stream. Without a route it returns not_found, or a refusal with the methods that the path knows.
func match(method, path string) (r *route, id string, err error) {
	var allow []string
	for i := range routes {
		value, ok := matchPattern(routes[i].pattern, path)
		if !ok {
			continue
		}
		if m := routes[i].method; m == method || m == "GET" && method == "HEAD" && !routes[i].streams {
			return &routes[i], value, nil
		}
		allow = append(allow, routes[i].method)
		if routes[i].method == "GET" && !routes[i].streams {
			allow = append(allow, "HEAD")
		}
	}
	if allow == nil {
		return nil, "", sparkd.NewError(sparkd.CodeNotFound, "", "GET /openapi.json lists the routes",
			"no route %s", clip(path))
	}
	slices.Sort(allow)
	methods := strings.Join(allow, ", ")
	problem := sparkd.NewError(sparkd.CodeInvalid, "", "use "+methods, "%s is not allowed on %s", method, path)
	return nil, "", &refusal{problem, fasthttp.StatusMethodNotAllowed, "Allow", methods}
}

// matchPattern compares a path with a pattern, to the letter but for the {id}, which may hold escapes.
func matchPattern(pattern, path string) (id string, ok bool) {
	prefix, suffix, wild := strings.Cut(pattern, "{id}")
	if !wild {
		return "", pattern == path
	}
	id, ok = strings.CutPrefix(path, prefix)
	if ok {
		id, ok = strings.CutSuffix(id, suffix)
	}
	if !ok || id == "" || strings.Contains(id, "/") {
		return "", false
	}
	id, err := url.PathUnescape(id)
	return id, err == nil && !strings.Contains(id, "/")
}
