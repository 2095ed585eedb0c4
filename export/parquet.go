package export

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"

	"github.com/parquet-go/parquet-go"

	"sparkd"
)

// parquetWriter turns lines into rows of a Parquet file whose columns are the fields of the lines. Options that a
// column belongs to do not change the columns: without the option it is null.
type parquetWriter struct {
	row    reflect.Type
	rows   *parquet.GenericWriter[any]
	rest   []byte // of a line that is not complete yet
	inside int64  // bytes of lines in the row group under way
}

// rowGroup bounds what is in memory, in bytes of lines.
const rowGroup = 64 << 20

func newParquet(w io.Writer, f *format) *parquetWriter {
	row := f.lines.typ()
	return &parquetWriter{row: row, rows: parquet.NewGenericWriter[any](w,
		parquet.SchemaOf(reflect.New(row).Interface()),
		parquet.Compression(&parquet.Zstd), parquet.CreatedBy("sparkd", "", ""))}
}

// Write implements io.Writer; b holds whole lines or parts of them.
func (p *parquetWriter) Write(b []byte) (int, error) {
	n := len(b)
	if len(p.rest) > 0 {
		b = append(p.rest, b...)
	}
	for {
		line, rest, whole := bytes.Cut(b, []byte{'\n'})
		if !whole {
			p.rest = append(p.rest[:0:0], b...)
			return n, nil
		}
		if err := p.line(line); err != nil {
			return 0, err
		}
		b = rest
	}
}

func (p *parquetWriter) line(line []byte) error {
	row := reflect.New(p.row)
	if err := json.Unmarshal(line, row.Interface()); err != nil {
		return sparkd.Errorf(sparkd.CodeInternal, "a line does not fit its columns: %v", err)
	}
	if _, err := p.rows.Write([]any{row.Interface()}); err != nil {
		return err
	}
	if p.inside += int64(len(line)); p.inside < rowGroup {
		return nil
	}
	p.inside = 0
	return p.rows.Flush()
}

// Close writes the end of the file.
func (p *parquetWriter) Close() error { return p.rows.Close() }
