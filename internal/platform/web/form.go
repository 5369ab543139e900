package web

import (
	"errors"
	"net/http"
	"slices"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/web/httpbase"
)

// maxFields bounds the fields of a form; the largest of ours has three for each challenge.
const maxFields = 1000

// readForm reads a form that a browser has sent, in the encoding of forms without files. Its size is bounded already.
func readForm(r *http.Request, order ...string) (pages.Form, error) {
	out := pages.Form{Values: map[string]string{}, Errors: map[string]string{}, Order: order}
	if err := r.ParseForm(); err != nil {
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			return out, err
		}
		return out, platform.Errorf(platform.Invalid, "This form cannot be read.")
	}
	if len(r.PostForm) > maxFields {
		return out, platform.Errorf(platform.Invalid, "This form has too many fields.")
	}
	for name, values := range r.PostForm {
		for _, v := range append(slices.Clone(values), name) {
			if !plainText(v) {
				return out, platform.Errorf(platform.Invalid, "This form is not text in UTF-8.")
			}
		}
		out.Values[name] = values[0]
	}
	return out, nil
}

// readQuery reads the filter of a list from an address.
func readQuery(r *http.Request, fields ...string) (pages.Form, error) {
	out := pages.Form{Values: map[string]string{}, Errors: map[string]string{}, Order: fields}
	q := r.URL.Query()
	for _, name := range fields {
		if !plainText(q.Get(name)) {
			return out, platform.Errorf(platform.Invalid, "This address is not text in UTF-8.")
		}
		out.Values[name] = q.Get(name)
	}
	return out, nil
}

// many are the values of a field that may be there any number of times.
func many(r *http.Request, name string) []string { return r.PostForm[name] }

// wrong puts an error into a form, to be shown again beside its field, and says with which status. fields translates the
// service's names of fields into the form's; a field that the form does not have is about the whole form. Conflicts are told
// like mistakes: what was typed is not lost. What no form can mend is returned.
func wrong(f *pages.Form, err error, fields map[string]string) (status int, other error) {
	e := (*platform.Error)(nil)
	if !errors.As(err, &e) {
		return 0, err
	}
	switch e.Code {
	case platform.Invalid, platform.Conflict, platform.RateLimited, platform.Unauthorised:
	default:
		return 0, err
	}
	field := e.Field
	if name, ok := fields[field]; ok {
		field = name
	}
	if !slices.Contains(f.Order, field) {
		field = ""
	}
	if f.Errors == nil {
		f.Errors = map[string]string{}
	}
	f.Errors[field] = e.Message
	return httpbase.Status(e.Code), nil
}

// fail marks a field that the service need not see, and gives the status of the page.
func fail(f *pages.Form, field, message string) int {
	f.Errors[field] = message
	return http.StatusUnprocessableEntity
}
