package agentgym

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
)

// server plays a counting game behind the routes of AgentGym's servers, written from the
// schemas in agentenv-*/…/{server,model,env_wrapper}.py.
type server struct {
	*httptest.Server
	dialect string // textcraft, alfworld or webshop

	mu      sync.Mutex
	games   map[int]*game // guarded by mu
	created int           // guarded by mu
}

type game struct {
	at   int
	over bool
}

func serve(t *testing.T, dialect string) *server {
	t.Helper()
	s := &server{dialect: dialect, games: map[int]*game{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /game/create", s.route(s.create))
	mux.HandleFunc("POST /game/reset", s.route(s.reset))
	mux.HandleFunc("POST /game/step", s.route(s.step))
	mux.HandleFunc("GET /game/observation", func(w http.ResponseWriter, r *http.Request) {
		id, _ := strconv.Atoi(r.URL.Query().Get(s.id()))
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = json.NewEncoder(w).Encode(fmt.Sprintf("Seen at %d.", s.games[id].at))
	})
	if dialect == "textcraft" {
		mux.HandleFunc("POST /game/close", s.route(s.remove))
	}
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// id is the field that names the game in requests.
func (s *server) id() string {
	if s.dialect == "webshop" {
		return "env_idx"
	}
	return "id"
}

// index is the field that names the task.
func (s *server) index() string {
	return map[string]string{"textcraft": "data_idx", "alfworld": "game", "webshop": "session_id"}[s.dialect]
}

func (s *server) route(f func(body map[string]any) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = json.NewEncoder(w).Encode(f(body))
	}
}

// refuse is how these servers report errors: with status 200.
func refuse(format string, args ...any) any {
	return map[string]string{"error": fmt.Sprintf(format, args...)}
}

func (s *server) create(map[string]any) any {
	id := s.created
	s.created++
	s.games[id] = &game{over: true}
	if s.dialect == "webshop" {
		return id
	}
	return map[string]any{"id": id}
}

// find returns the game that a request is about.
func (s *server) find(body map[string]any) *game {
	id, ok := body[s.id()].(float64)
	if !ok {
		return nil
	}
	return s.games[int(id)]
}

func (s *server) reset(body map[string]any) any {
	g := s.find(body)
	number, ok := body[s.index()].(float64)
	if g == nil || !ok || s.dialect == "alfworld" && body["world_type"] != "Text" {
		return refuse("The id %v is not valid.", body[s.id()])
	}
	if number == 13 {
		return refuse("list index out of range")
	}
	*g = game{at: int(number)}
	text := fmt.Sprintf("At %d.", g.at)
	switch s.dialect {
	case "webshop":
		return []any{text, nil}
	case "alfworld":
		return map[string]any{"id": body["id"], "observation": text, "available_actions": g.actions(),
			"task_type": "counting"}
	}
	return map[string]any{"id": body["id"], "observation": text, "done": false, "reward": 0}
}

func (g *game) actions() []string { return []string{fmt.Sprint(g.at + 1), "look", "quit"} }

func (s *server) step(body map[string]any) any {
	g := s.find(body)
	if g == nil || g.over {
		return refuse("The task with environment %v has finished.", body[s.id()])
	}
	reward := 0.0
	switch body["action"] {
	case fmt.Sprint(g.at + 1):
		g.at++
		reward = 1
	case "quit":
		g.over = true
	}
	text := fmt.Sprintf("At %d.", g.at)
	switch s.dialect {
	case "webshop":
		return map[string]any{"state": text, "reward": reward, "done": g.over, "info": nil}
	case "alfworld":
		return map[string]any{"observation": text, "reward": reward, "available_actions": g.actions(), "done": g.over}
	}
	return map[string]any{"observation": text, "reward": reward, "score": g.at, "done": g.over}
}

func (s *server) remove(body map[string]any) any {
	id, _ := body["id"].(float64)
	delete(s.games, int(id))
	return true
}

// left counts the games that are not closed.
func (s *server) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.games)
}
