package main

import (
	"github.com/spf13/cobra"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/schemas"
)

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "schema assay|report|challenge",
		Short:     "Print a published JSON Schema",
		Example:   "  assay schema assay > assay.schema.json",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{schemas.Assay, schemas.Report, "challenge"},
		RunE: func(_ *cobra.Command, args []string) error {
			if args[0] == "challenge" {
				_, err := a.out.Write(challenges.Schema())
				return err
			}
			data, err := schemas.Source(args[0])
			if err != nil {
				return err
			}
			_, err = a.out.Write(data)
			return err
		},
	}
}
