package report

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/internal/grading"
	"github.com/assay-run/assay/internal/report/reporttest"
)

const schemaFile = "../schemas/report.schema.json"

func schemaValue(t *testing.T) map[string]any {
	t.Helper()
	b, err := os.ReadFile(schemaFile)
	require.NoError(t, err)
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	require.NoError(t, err)
	return v.(map[string]any)
}

func TestReportsFollowTheSchema(t *testing.T) {
	t.Parallel()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("report.json", schemaValue(t)))
	schema, err := c.Compile("report.json")
	require.NoError(t, err)
	check := func(rep *grading.Report) error {
		var b bytes.Buffer
		require.NoError(t, JSON(&b, rep))
		v, err := jsonschema.UnmarshalJSON(&b)
		require.NoError(t, err)
		return schema.Validate(v)
	}
	for name, maker := range map[string]func() *grading.Report{"blocked": reporttest.Blocked, "passing": reporttest.Passing,
		"oom": reporttest.OutOfMemory, "practice": reporttest.Practice, "invalid": reporttest.Invalid,
		"withheld": reporttest.Withheld, "empty": reporttest.Empty, "diagnosed": reporttest.Diagnosed} {
		assert.NoError(t, check(maker()), name)
	}
	for name, change := range map[string]func(*grading.Report){
		"other version":   func(r *grading.Report) { r.Schema = "assay.report/2" },
		"unknown verdict": func(r *grading.Report) { r.Verdict = "maybe" },
		"score above 100": func(r *grading.Report) { r.Score = 101 },
		"broken digest":   func(r *grading.Report) { r.Evidence.Digest = "sha256:xyz" },
		"unknown role":    func(r *grading.Report) { r.Runs[0].Role = "spectator" },
	} {
		rep := reporttest.Blocked()
		change(rep)
		assert.Error(t, check(rep), name)
	}
}

// TestSchemaDescribesEveryField keeps schema and type together: the same keys at every level, each with a description.
func TestSchemaDescribesEveryField(t *testing.T) {
	t.Parallel()
	root := schemaValue(t)
	compareSchema(t, root, root, reflect.TypeFor[grading.Report](), "report")
}

func compareSchema(t *testing.T, root, schema map[string]any, typ reflect.Type, path string) {
	t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		schema = root["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
	}
	switch typ.Kind() {
	case reflect.Pointer:
		compareSchema(t, root, schema, typ.Elem(), path)
	case reflect.Slice:
		compareSchema(t, root, schema["items"].(map[string]any), typ.Elem(), path+"[]")
	case reflect.Struct:
		if typ == reflect.TypeFor[time.Time]() {
			return
		}
		props, ok := schema["properties"].(map[string]any)
		require.True(t, ok, "%s has no properties", path)
		var names, required []string
		for i := range typ.NumField() {
			f := typ.Field(i)
			name, opts, _ := strings.Cut(f.Tag.Get("json"), ",")
			names = append(names, name)
			if opts != "omitempty" {
				required = append(required, name)
			}
			prop, ok := props[name].(map[string]any)
			if !assert.True(t, ok, "%s.%s is not in the schema", path, name) {
				continue
			}
			assert.NotEmpty(t, prop["description"], "%s.%s has no description", path, name)
			compareSchema(t, root, prop, f.Type, path+"."+name)
		}
		assert.ElementsMatch(t, names, slices.Collect(maps.Keys(props)), path)
		var stated []string
		for _, r := range schema["required"].([]any) {
			stated = append(stated, r.(string))
		}
		assert.ElementsMatch(t, required, stated, "required keys of %s", path)
	}
}

func TestJSONNeverHasNullLists(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	require.NoError(t, JSON(&b, reporttest.Empty()))
	assert.NotContains(t, b.String(), "null")
	var back grading.Report
	require.NoError(t, json.Unmarshal(b.Bytes(), &back))
	assert.Equal(t, grading.Invalid, back.Verdict)
}
