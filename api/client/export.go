package client

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/url"

	"sparkd"
	"sparkd/api"
)

// ExportOptions select what Export writes.
type ExportOptions struct {
	Rollout string            // of one rollout; "" for all
	After   string            // cursor to go on from
	Limit   int               // most trees; 0 for all
	Options map[string]string // query parameters of GET /v1/export by name; the daemon has defaults
}

func (o ExportOptions) query() url.Values {
	q := url.Values{"cursors": {"true"}, "manifest": {"true"}}
	set(q, "rollout", o.Rollout)
	set(q, "after", o.After)
	for name, value := range o.Options {
		set(q, name, value)
	}
	set(q, "limit", max(0, o.Limit))
	return q
}

// Exported is what Export wrote.
type Exported struct {
	Cursor   string       // to go on from
	Manifest api.Manifest // how the lines were made, and what was left out
}

// Export writes finished trees to w as JSON lines. Every tree arrives whole and once: lines are written when the
// daemon has said that they are complete, and a lost connection is taken up behind the last of them.
func (c *Client) Export(ctx context.Context, w io.Writer, o ExportOptions) (Exported, error) {
	limit, sum := o.Limit, sha256.New()
	var all api.Manifest
	err := c.resume(ctx, func() (bool, error) {
		trees, manifest, err := c.export(ctx, io.MultiWriter(w, sum), &o)
		all.Add(&manifest)
		if limit > 0 {
			if o.Limit -= trees; o.Limit == 0 {
				return true, nil
			}
		}
		return trees > 0, err
	})
	all.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return Exported{o.After, all}, err
}

// export reads one connection's trees, moves o.After on and counts them.
func (c *Client) export(ctx context.Context, w io.Writer, o *ExportOptions) (
	trees int, manifest api.Manifest, err error,
) {
	body, err := c.stream(ctx, "/v1/export", o.query(), nil)
	if err != nil {
		return 0, manifest, err
	}
	defer body.Close()
	lines := bufio.NewReaderSize(body, 64<<10)
	var whole bytes.Buffer // lines of trees that are not known to be whole yet
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return trees, manifest, c.cut(ctx, err)
		}
		if !isMarker(line) {
			whole.Write(line)
			continue
		}
		var m api.Marker
		if err := json.Unmarshal(line, &m); err != nil {
			return trees, manifest, sparkd.Errorf(sparkd.CodeInternal, "cannot read a line of the export: %v", err)
		}
		if m.Error != nil {
			return trees, manifest, m.Error
		}
		if _, err := w.Write(whole.Bytes()); err != nil {
			return trees, manifest, sparkd.NewError(sparkd.CodeStore, "", "free disk space or choose another place",
				"cannot write the export: %v", err).Because(err)
		}
		whole.Reset()
		if trees, o.After = m.Trees, m.Cursor; m.Manifest != nil {
			manifest = *m.Manifest
		}
		if m.End {
			return trees, manifest, nil
		}
	}
}

// isMarker tells markers by their beginning; no line of data begins so.
func isMarker(line []byte) bool { return bytes.HasPrefix(line, []byte(`{"cursor":`)) }
