//go:build integration

package debugservice

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestStale keeps what may not be kept, in one place of the service each time: it is seen there, and nowhere else.
func TestStale(t *testing.T) {
	const (
		catalogue, prices, availability = "src/services/catalogue.js", "src/services/prices.js", "src/services/availability.js"
		sorting                         = "const sorted = all.sort(ORDERS[sort]);"
	)
	for _, tt := range []struct {
		name, file, healthy, kept string
		seen                      []string
	}{
		{
			"lists by number and title", catalogue, sorting,
			"const kept = (this.kept ??= new Map()); const key = `${category} ${material} ${sort}`;" +
				"if (sort === 'price' || !kept.has(key)) kept.set(key, all.sort(ORDERS[sort])); const sorted = kept.get(key);",
			[]string{
				"The list of its category by sku", "The list of its category and material by sku",
				"The list of its category by title", "The list of its category and material by title",
			},
		},
		{
			"lists of a material", catalogue, sorting,
			"const kept = (this.kept ??= new Map()); const key = `${category} ${material} ${sort}`;" +
				"if (material === undefined || !kept.has(key)) kept.set(key, all.sort(ORDERS[sort])); const sorted = kept.get(key);",
			[]string{
				"The list of its category and material by sku", "The list of its category and material by price",
				"The list of its category and material by title",
			},
		},
		{
			"rates", prices, "await this.rates.rate(currency);",
			"((this.kept ??= {})[currency] ??= await this.rates.rate(currency));", []string{"The rate of a currency was 1.25"},
		},
		{
			"places", availability, "const places = await Promise.all(",
			"const places = (this.kept ??= {})[sku] ??= await Promise.all(", []string{"A warehouse had 4"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files, _, err := set(t).With(nil)
			require.NoError(t, err)
			text := string(files[tt.file])
			require.Equal(t, 1, strings.Count(text, tt.healthy), "the service has changed")
			files[tt.file] = []byte(strings.Replace(text, tt.healthy, tt.kept, 1))
			_, f := driven(t, files, params{Kind: kindChecks, Only: []string{cacheKey}})
			stale := f.Fresh.stale()
			require.Len(t, stale, len(tt.seen), "%v", stale)
			for i, place := range tt.seen {
				assert.True(t, strings.HasPrefix(stale[i], place), "%q: %q", place, stale[i])
			}
		})
	}
}
