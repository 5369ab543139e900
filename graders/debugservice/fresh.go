package debugservice

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
)

// newPrice is what an article costs from some moment on; which, is drawn. No other article is as dear.
const newPrice = 123_456

// pieces are what the stock service says of an article, and then a warehouse of another, one after the other.
func pieces() [2]int { return [2]int{17, 4} }

// rates are those of a currency, one after the other; the new price in it is a whole number.
func rates() [2]float64 { return [2]float64{2.5, 1.25} }

// sorts are the orders of a list.
func sorts() []string { return []string{"sku", "price", "title"} }

// seenAt are the places where a price is seen, in the order of freshFacts.Price.
func seenAt() []string {
	places := []string{"The page of the article", "A basket with it", "Its price in euros", "Its card beside another article"}
	for _, sort := range sorts() {
		places = append(places, "The list of its category by "+sort, "The list of its category and material by "+sort)
	}
	return places
}

// fresh changes a price, a stock, what a warehouse has and a rate, and asks at once, wherever they are seen.
func (d *driver) fresh(ctx context.Context) {
	f := &freshFacts{}
	d.facts.Fresh = f
	random := d.drawn("fresh")
	drawn := random.Perm(products)
	beside := sku(1 + drawn[0])
	// Whose price changes stands on a card beside that article, which may be kept: its price may not.
	priced := sku(1 + drawn[1])
	if cards, ok := d.object(ctx, related(beside))["related"].([]any); ok && len(cards) > 0 {
		if card, ok := cards[0].(map[string]any); ok {
			priced, _ = card["sku"].(string)
		}
	}
	stocked := sku(1 + drawn[2])
	if stocked == priced {
		stocked = sku(1 + drawn[3])
	}
	for range 2 { // whatever keeps answers has kept these
		d.prices(ctx, priced, beside)
	}
	change := post("", "", "/admin/products/"+url.PathEscape(priced)+"/price", map[string]any{"priceCents": newPrice}, 0)
	change.Method = http.MethodPut
	f.Changed = ask(ctx, d.svc.Addr, change, "").Status
	f.Price = d.prices(ctx, priced, beside)
	currency, warehouse := drawnCurrency(random), warehouses()[random.IntN(len(warehouses()))]
	for i := range 2 {
		d.up.set("/stock/"+stocked, float64(pieces()[i]))
		f.Stock = append(f.Stock, whole(d.object(ctx, article(stocked))["onHand"]))
		d.up.set("/warehouses/"+warehouse+"/stock/"+stocked, float64(pieces()[i]))
		f.Pieces = append(f.Pieces, piecesAt(d.object(ctx, get("", "", "/products/"+stocked+"/availability", 0)), warehouse))
		d.up.set("/rates/"+currency, rates()[i])
		f.Amount = append(f.Amount, d.amount(ctx, priced, currency))
	}
}

// drawnCurrency is one that nothing else asks for.
func drawnCurrency(random *rand.Rand) string {
	all := []string{"AUD", "CAD", "CHF", "CZK", "HUF", "ISK", "JPY", "NZD", "RON", "TRY"}
	return all[random.IntN(len(all))]
}

func article(sku string) call { return get("", "", "/products/"+url.PathEscape(sku), 0) }

func related(sku string) call { return get("", "", "/products/"+sku+"/related?segment=regular", 0) }

// prices are what an article costs wherever that is seen, in the order of seenAt; -1 where it is not.
func (d *driver) prices(ctx context.Context, priced, beside string) []int {
	basket := post("", "", "/baskets/price", map[string]any{"lines": []any{map[string]any{"sku": priced, "quantity": 1}}}, 0)
	page := d.object(ctx, article(priced))
	list := []int{
		whole(page["priceCents"]),
		whole(d.object(ctx, basket)["totalCents"]),
		d.amount(ctx, priced, "EUR"),
		of(d.object(ctx, related(beside))["related"], priced),
	}
	category, _ := page["category"].(string)
	material, _ := page["material"].(string)
	for _, sort := range sorts() {
		query := url.Values{"category": {category}, "sort": {sort}}
		list = append(list, d.listed(ctx, query, priced))
		query.Set("material", material)
		list = append(list, d.listed(ctx, query, priced))
	}
	return list
}

// maxPages is more than a category has.
const maxPages = 40

// listed is the price of an article in a list of articles, on whichever page it is; -1 when it is on none.
func (d *driver) listed(ctx context.Context, query url.Values, priced string) int {
	for number, pages := 1, 1; number <= min(pages, maxPages) && ctx.Err() == nil; number++ {
		page := d.object(ctx, get("", "", fmt.Sprintf("/products?%s&page=%d", query.Encode(), number), 0))
		if cents := of(page["items"], priced); cents >= 0 {
			return cents
		}
		pages = whole(page["pages"])
	}
	return -1
}

// amount is the price of an article in a currency.
func (d *driver) amount(ctx context.Context, priced, currency string) int {
	return whole(d.object(ctx, get("", "", "/products/"+url.PathEscape(priced)+"/price?currency="+currency, 0))["amountCents"])
}

// object asks for a JSON object; what is none has no fields.
func (d *driver) object(ctx context.Context, c call) map[string]any {
	a := ask(ctx, d.svc.Addr, c, "")
	var body map[string]any
	if a.Error != "" || a.Status != http.StatusOK || json.Unmarshal([]byte(a.body), &body) != nil {
		return nil
	}
	return body
}

// whole is a number as it came, -1 for anything else.
func whole(v any) int {
	n, ok := v.(float64)
	if !ok {
		return -1
	}
	return int(n)
}

// of is the price of an article in a list of articles, -1 when it is not there.
func of(list any, sku string) int { return numberIn(list, "sku", sku, "priceCents") }

// piecesAt are those that a warehouse has, -1 when it is not there.
func piecesAt(availability map[string]any, warehouse string) int {
	return numberIn(availability["places"], "warehouse", warehouse, "pieces")
}

// numberIn is a number in the entry of a list that has a name; -1 when there is none.
func numberIn(list any, key, name, field string) int {
	all, _ := list.([]any)
	for _, one := range all {
		if fields, ok := one.(map[string]any); ok && fields[key] == name {
			return whole(fields[field])
		}
	}
	return -1
}

// stale says which answers were old.
func (f *freshFacts) stale() []string {
	if f == nil {
		return []string{"Nothing was asked."}
	}
	var list []string
	for i, what := range seenAt() {
		if i >= len(f.Price) || f.Price[i] != newPrice {
			list = append(list, what+" did not have the new price.")
		}
	}
	for i, n := range pieces() {
		if i >= len(f.Stock) || f.Stock[i] != n {
			list = append(list, fmt.Sprintf("The stock was %d, and the page of the article did not say so.", n))
		}
	}
	for i, n := range pieces() {
		if i >= len(f.Pieces) || f.Pieces[i] != n {
			list = append(list, fmt.Sprintf("A warehouse had %d, and the availability of the article did not say so.", n))
		}
	}
	for i, rate := range rates() {
		if i >= len(f.Amount) || f.Amount[i] != int(newPrice*rate) {
			list = append(list, fmt.Sprintf("The rate of a currency was %g, and the price in it was of another.", rate))
		}
	}
	return list
}
