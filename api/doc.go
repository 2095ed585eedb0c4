// Package api is the HTTP face of the daemon: versioned JSON routes, a JSONL export
// and a stream of events, served by fasthttp.
//
// The route table in routes.go is the one list of routes; it feeds routing, the Allow header, the metrics' labels,
// the accepted query parameters and, through a test, openapi.json.
//
// # Requests
//
// A request passes recover → request id → access log and metrics → access check → handler. A handler returns an error
// instead of writing one; problem.go is the one place that makes a status and a JSON body of it. A rollout belongs to
// the daemon and never to the request that asked for it, because fasthttp cannot see a client disconnect.
//
// # Streams
//
// An export or an event stream is written by the goroutine of its connection, while it is sent: nothing is queued
// for a slow client. Every single write has a deadline, so a client that stops reading loses its connection, and
// streams have their own bound, so they cannot use up all connections. A stream that fails is cut without the
// closing chunk, which every HTTP client reports as an error.
//
// # Access
//
// Without a token the server serves loopback only, to clients that address it by a loopback name (a web page that
// rebinds its DNS name does not). With a token it may listen anywhere.
package api
