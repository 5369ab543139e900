package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/assay-run/assay/challenges"
	"github.com/assay-run/assay/internal/catalogue"
	"github.com/assay-run/assay/internal/evidence"
)

func (a *app) codesCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "codes",
		Short:   "Explain the reason codes and list the skills that a challenge may name",
		Example: "  assay codes\n  assay codes --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if !asJSON {
				return catalogue.CodesText(a.out, evidence.Codes(), challenges.Skills(), terminalWidth(a.out))
			}
			enc := json.NewEncoder(a.out)
			enc.SetIndent("", "  ")
			return enc.Encode(evidence.Codes())
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the codes as a JSON array")
	return c
}
