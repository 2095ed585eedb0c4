package httpclient

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// report is an error in the words of the servers and proxies known here: {"error": {"message", "type", "param",
// "code"}} of OpenAI, vLLM and llama-server, {"error": {"message"}} or {"error": "…"} of SGLang and Ollama, {"detail":
// "…"} and {"detail": [{"loc", "msg"}]} of FastAPI, {"object": "error", "message"} of older vLLM, {"message"} and
// {"errors": [{"message"}]} of gateways.
type report struct {
	words
	Error, Errors, Detail json.RawMessage
}

type words struct {
	Object, Type, Param, Code, Status any
	Message, Msg, Loc                 any
}

// readStatus finds the words of an error in a body; else they are the start of the body.
func readStatus(code int, body []byte) *Status {
	s := &Status{Code: code, Message: Excerpt(body)}
	var r report
	if json.NewDecoder(bytes.NewReader(body)).Decode(&r) != nil {
		return s
	}
	in := r.inner()
	if text := in.text(); text != "" {
		s.Message = Excerpt([]byte(text))
	}
	s.Kind = in.kind()
	s.Param = text(in.Param)
	return s
}

// inner returns the words of the error itself.
func (r *report) inner() words {
	in, said := r.words, ""
	switch {
	case json.Unmarshal(r.Error, &said) == nil && said != "":
		in.Message = said
	case json.Unmarshal(r.Error, &in) == nil && in.text() != "" || in.text() != "":
	case json.Unmarshal(r.Detail, &said) == nil:
		in.Message = said
	default:
		for _, list := range []json.RawMessage{r.Detail, r.Errors} {
			var many []words
			if json.Unmarshal(list, &many) == nil && len(many) > 0 {
				in = many[0]
			}
		}
	}
	if loc, _ := in.Loc.([]any); len(loc) > 0 && in.text() != "" { // the place in the request
		in.Param = loc[len(loc)-1]
		in.Message = fmt.Sprintf("%v: %s", in.Param, in.text())
	}
	return in
}

// kind is the most particular name that the error has.
func (w *words) kind() string {
	if code := text(w.Code); code != "" && strings.ContainsFunc(code, unicode.IsLetter) {
		return code
	}
	return text(w.Type)
}

func (w *words) text() string { return cmp.Or(text(w.Message), text(w.Msg)) }

func text(v any) string {
	s, _ := v.(string)
	return s
}

// said returns the error that an answer is in spite of its status, nil where it is none: an object, alone, first of a
// list or of a stream of events.
func said(answer []byte) *Status {
	body := event(bytes.TrimSpace(answer))
	if list := []json.RawMessage{}; bytes.HasPrefix(body, []byte("[")) {
		if json.Unmarshal(body, &list) != nil || len(list) == 0 {
			return nil
		}
		body = list[0]
	}
	var fields map[string]json.RawMessage
	if !bytes.HasPrefix(body, []byte("{")) || json.NewDecoder(bytes.NewReader(body)).Decode(&fields) != nil {
		return nil
	}
	var r report
	if !isError(fields) || json.NewDecoder(bytes.NewReader(body)).Decode(&r) != nil {
		return nil
	}
	return readStatus(implied(r.inner()), body)
}

// event returns the first data of a stream of server-sent events; what is none it returns as it is.
func event(body []byte) []byte {
	if !bytes.HasPrefix(body, []byte("data:")) && !bytes.HasPrefix(body, []byte("event:")) {
		return body
	}
	for line := range bytes.Lines(body) {
		if data, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			return bytes.TrimSpace(data)
		}
	}
	return body
}

// errorFields are what an error is made of that no field of its own says to be one.
var errorFields = map[string]bool{"message": true, "msg": true, "detail": true, "errors": true, "code": true,
	"type": true, "param": true, "status": true, "statusCode": true, "object": true, "request_id": true,
	"timestamp": true, "path": true, "error": true, "title": true}

// isError reports whether an object is an error: it says so, or it has nothing but the words of one.
func isError(fields map[string]json.RawMessage) bool {
	for name, value := range fields {
		switch text := string(value); {
		case name == "error" && !slices.Contains([]string{"null", `""`, "false", "{}", "[]", "0"}, text),
			name == "object" && text == `"error"`:
			return true
		}
	}
	for name := range fields {
		if !errorFields[name] {
			return false
		}
	}
	return fields["message"] != nil || fields["msg"] != nil || fields["detail"] != nil || fields["errors"] != nil
}

// names are how servers name the kinds of errors, and the statuses that they stand for.
var names = []struct {
	name *regexp.Regexp
	code int
}{
	{regexp.MustCompile(`(?i)rate.?limit|too.?many|quota`), http.StatusTooManyRequests},
	{regexp.MustCompile(`(?i)unavailable|overload|busy|timeout|loading`), http.StatusServiceUnavailable},
	{regexp.MustCompile(`(?i)authenti|unauthorized|api.?key`), http.StatusUnauthorized},
	{regexp.MustCompile(`(?i)permission|forbidden`), http.StatusForbidden},
	{regexp.MustCompile(`(?i)not.?found`), http.StatusNotFound},
	{regexp.MustCompile(`(?i)invalid|bad.?request|validation|value.?error|unsupported|exceed|missing`),
		http.StatusBadRequest},
	{regexp.MustCompile(`(?i)server.?error|internal`), http.StatusInternalServerError},
}

// implied is the status that an error in a body stands for; 0 where nothing says.
func implied(w words) int {
	for _, v := range []any{w.Code, w.Status} {
		n, ok := v.(float64)
		if s := text(v); s != "" {
			n, _ = strconv.ParseFloat(s, 64)
			ok = true
		}
		if ok && n >= 400 && n <= 599 {
			return int(n)
		}
	}
	kind := strings.Join([]string{text(w.Type), text(w.Code), text(w.Status)}, " ")
	for _, x := range names {
		if x.name.MatchString(kind) {
			return x.code
		}
	}
	if w.Loc != nil {
		return http.StatusUnprocessableEntity
	}
	return 0
}
