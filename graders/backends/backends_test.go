package backends

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/assay-run/assay/graders/service/servicetest"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{"schema.sql": &fstest.MapFile{Data: []byte("create table a (id int)")}}
	var none *Settings
	p, err := none.Plan([]string{"redis"}, nil)
	require.NoError(t, err)
	assert.Equal(t, Plan{Services: []string{"redis"}, Connections: 20}, p)
	name, err := none.File(nil)
	require.NoError(t, err)
	assert.Empty(t, name)

	s := &Settings{SQL: "schema.sql", Connections: 5}
	p, err = s.Plan([]string{"postgres"}, files)
	require.NoError(t, err)
	assert.Equal(t, Plan{Services: []string{"postgres"}, SQL: "create table a (id int)", Connections: 5}, p)
	name, err = s.File(files)
	require.NoError(t, err)
	assert.Equal(t, "schema.sql", name)

	_, err = s.Plan(nil, files)
	require.ErrorContains(t, err, "the scenario has no services: [postgres]")
	for _, bad := range []string{"other.sql", "../schema.sql", "/schema.sql"} {
		_, err = (&Settings{SQL: bad}).File(files)
		require.Error(t, err, bad)
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	r, err := Plan{}.Start(t.Context(), &servicetest.Pod{})
	require.NoError(t, err)
	assert.Empty(t, r.Env())
	assert.Nil(t, r.Counts())
	r.Close()
	for _, name := range []string{"postgres", "redis"} {
		_, err = Plan{Services: []string{name}}.Start(t.Context(), &servicetest.Pod{})
		require.ErrorContains(t, err, "the pod has no services", "what is asked for is not left out silently")
	}
}

func TestMeasure(t *testing.T) {
	t.Parallel()
	m := map[string]float64{}
	Measure(m, nil)
	assert.Empty(t, m)
	Measure(m, &Counts{Statements: 7, Connections: 2})
	assert.Len(t, m, len(Metrics()))
	for _, d := range Metrics() {
		assert.Contains(t, m, d.Name)
	}
}
