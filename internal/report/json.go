package report

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"

	"github.com/assay-run/assay/internal/grading"
)

// JSON writes the report as report.json: indented, keys in the order of the type, lists never null. The strings are those
// of the report, not made safe to look at: JSON is for programs. The schema is internal/schemas/report.schema.json.
func JSON(w io.Writer, rep *grading.Report) error {
	full := *rep
	fillLists(reflect.ValueOf(&full).Elem())
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(&full); err != nil {
		return fmt.Errorf("write JSON report: %w", err)
	}
	return nil
}

// fillLists makes the nil lists that the JSON form always has into empty ones. It copies the slices it descends into,
// so that the caller's report is not written to.
func fillLists(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fillLists(v.Field(i))
			}
		}
	case reflect.Slice:
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		reflect.Copy(out, v)
		for i := range out.Len() {
			fillLists(out.Index(i))
		}
		v.Set(out)
	case reflect.Map:
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
	}
}
