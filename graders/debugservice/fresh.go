package debugservice

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// The price and the stock that two articles get; which, is drawn. No other article is as dear.
const (
	newPrice = 123_456
	oldStock = 17
	newStock = 4
)

// seenAt are the places where a price is seen, in the order of freshFacts.Price.
func seenAt() []string {
	return []string{"The page of the article", "A basket with it", "Its price in euros", "Its card beside another article", "The list of its category"}
}

// fresh changes a price and a stock and asks at once, wherever they are seen.
func (d *driver) fresh(ctx context.Context) {
	f := &freshFacts{}
	d.facts.Fresh = f
	drawn := d.drawn("fresh").Perm(products)
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
	for _, pieces := range []int{oldStock, newStock} {
		d.up.setStock(stocked, pieces)
		f.Stock = append(f.Stock, whole(d.object(ctx, article(stocked))["onHand"]))
	}
}

func article(sku string) call { return get("", "", "/products/"+url.PathEscape(sku), 0) }

func related(sku string) call { return get("", "", "/products/"+sku+"/related?segment=regular", 0) }

// prices are what an article costs wherever that is seen; -1 where it is not.
func (d *driver) prices(ctx context.Context, priced, beside string) []int {
	basket := post("", "", "/baskets/price", map[string]any{"lines": []any{map[string]any{"sku": priced, "quantity": 1}}}, 0)
	page := d.object(ctx, article(priced))
	list := func(number int) map[string]any {
		category, _ := page["category"].(string)
		return d.object(ctx, get("", "", fmt.Sprintf("/products?category=%s&sort=price&page=%d", url.QueryEscape(category), number), 0))
	}
	return []int{
		whole(page["priceCents"]),
		whole(d.object(ctx, basket)["totalCents"]),
		whole(d.object(ctx, get("", "", "/products/"+url.PathEscape(priced)+"/price?currency=EUR", 0))["amountCents"]),
		of(d.object(ctx, related(beside))["related"], priced),
		of(list(max(whole(list(1)["pages"]), 1))["items"], priced), // the dearest come last
	}
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
func of(list any, sku string) int {
	all, _ := list.([]any)
	for _, one := range all {
		if fields, ok := one.(map[string]any); ok && fields["sku"] == sku {
			return whole(fields["priceCents"])
		}
	}
	return -1
}
