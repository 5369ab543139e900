package api

import (
	"github.com/danielgtaylor/huma/v2"

	"github.com/assay-run/assay/internal/platform/service"
)

// UseCases are the operations of each use case.
func (a *API) UseCases() map[service.UseCase][]string {
	out := map[service.UseCase][]string{}
	for _, item := range a.huma.OpenAPI().Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Delete, item.Patch, item.Head, item.Options} {
			if op != nil {
				use, _ := op.Metadata[useKey].(service.UseCase)
				out[use] = append(out[use], op.OperationID)
			}
		}
	}
	return out
}
