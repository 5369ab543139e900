package web_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the organisation is called, and how long new assessments keep data, is changed where its people are.
func TestTheOrganisationIsChanged(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	owner := b.owner()
	page := owner.get("/people").ok(t)
	_, values := page.form(t, "/organisation")
	require.Equal(t, "Acme", values.Get("organisation"))
	wrong := owner.fill(page, "/organisation", "organisation", "Acme & Sons", "retentionDays", "0")
	require.Equal(t, http.StatusUnprocessableEntity, wrong.status)
	require.Contains(t, wrong.body, `href="#f-retentionDays"`)
	_, values = wrong.form(t, "/organisation")
	require.Equal(t, "Acme & Sons", values.Get("organisation"), "what was typed stays")

	done := owner.fill(wrong, "/organisation", "retentionDays", "45").ok(t)
	require.Equal(t, "/people?done=saved", done.path)
	_, values = done.form(t, "/organisation")
	require.Equal(t, []string{"Acme & Sons", "45"}, []string{values.Get("organisation"), values.Get("retentionDays")})
	_, values = owner.get("/assessments/new").ok(t).form(t, "/assessments/new")
	require.Equal(t, "45", values.Get("retentionDays"), "new assessments are offered it")
}

// An endpoint that is disabled can be deleted.
func TestAnEndpointIsDeleted(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	owner := b.owner()
	page := owner.fill(owner.get("/webhooks").ok(t), "/webhooks", "url", "https://hooks.example/x", "event", "attempt.graded").ok(t)
	path := regexp.MustCompile(`/webhooks/whe_[0-9a-z]+`).FindString(page.body)
	require.NotEmpty(t, path)
	require.NotContains(t, page.body, `name="delete"`)
	page = owner.fill(page, path, "disabled", "on").ok(t)
	require.Contains(t, page.body, `name="delete"`)
	page = owner.fill(page, path, "delete", "on").ok(t)
	require.NotContains(t, page.body, "hooks.example")
}
