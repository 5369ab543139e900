package report

import (
	"reflect"
	"slices"

	"github.com/assay-run/assay/internal/evidence"
)

// shown copies the part of the evidence that a page can show, its texts cut to what fits, so that cleaning it costs little
// whatever was recorded: the judged attempt, without result files and without what other solutions printed.
func shown(ev *evidence.Grading) *evidence.Grading {
	out := *ev
	out.Submission.Files = shownFiles(ev.Submission)
	out.Build.Steps = slices.Clone(ev.Build.Steps)
	for i := range out.Build.Steps {
		out.Build.Steps[i].Output = shorten(out.Build.Steps[i].Output, maxLogText)
	}
	runs := slices.Clone(ev.Last().Runs)
	for i := range runs {
		runs[i].Executions = slices.Clone(runs[i].Executions)
		for j := range runs[i].Executions {
			e := &runs[i].Executions[j]
			e.Output = nil
			if runs[i].Role != evidence.Candidate {
				e.Stdout, e.Stderr = evidence.Log{}, evidence.Log{}
			}
			e.Stdout, e.Stderr = shorten(e.Stdout, maxLogText), shorten(e.Stderr, maxLogText)
		}
	}
	out.Attempts = []evidence.Attempt{{Runs: runs}}
	return &out
}

// clean returns a deep copy of v in which every string went through Visible: fields named Text or Content keep their
// lines, all others become one line. Doing it for the whole value means that no writer can forget a field. Slices
// without strings in them (the curves) are shared with v, not copied; neither value is ever written to.
func clean[T any](v *T) *T {
	out := new(T)
	cleanInto(reflect.ValueOf(out).Elem(), reflect.ValueOf(v).Elem(), false)
	return out
}

func cleanInto(dst, src reflect.Value, lines bool) {
	switch src.Kind() {
	case reflect.String:
		if lines {
			dst.SetString(Visible(src.String()))
		} else {
			dst.SetString(oneLine(src.String()))
		}
	case reflect.Struct:
		cleanStruct(dst, src)
	case reflect.Pointer:
		if !src.IsNil() {
			dst.Set(reflect.New(src.Type().Elem()))
			cleanInto(dst.Elem(), src.Elem(), lines)
		}
	case reflect.Slice:
		cleanSlice(dst, src)
	case reflect.Map:
		cleanMap(dst, src)
	default:
		dst.Set(src)
	}
}

func cleanStruct(dst, src reflect.Value) {
	dst.Set(src) // carries unexported fields, e.g. of time.Time
	for i := range src.NumField() {
		f := src.Type().Field(i)
		if f.IsExported() {
			cleanInto(dst.Field(i), src.Field(i), f.Name == "Text" || f.Name == "Content")
		}
	}
}

func cleanSlice(dst, src reflect.Value) {
	switch src.Type().Elem().Kind() {
	case reflect.String, reflect.Struct, reflect.Slice, reflect.Map, reflect.Pointer:
	default: // numbers and raw JSON
		dst.Set(src)
		return
	}
	if src.IsNil() {
		return
	}
	dst.Set(reflect.MakeSlice(src.Type(), src.Len(), src.Len()))
	for i := range src.Len() {
		cleanInto(dst.Index(i), src.Index(i), false)
	}
}

func cleanMap(dst, src reflect.Value) {
	if src.IsNil() {
		return
	}
	dst.Set(reflect.MakeMapWithSize(src.Type(), src.Len()))
	for it := src.MapRange(); it.Next(); {
		k := reflect.New(src.Type().Key()).Elem()
		cleanInto(k, it.Key(), false)
		v := reflect.New(src.Type().Elem()).Elem()
		cleanInto(v, it.Value(), false)
		dst.SetMapIndex(k, v)
	}
}
