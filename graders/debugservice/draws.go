package debugservice

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"

	"github.com/assay-run/assay/graders/wire"
)

// drawnOf is how many of eight requests of the load are drawn from all that can be asked, where a route has that many: whoever keeps the recorded
// answers, which are public, has the eighth.
const drawnOf = 7

// draw is a call of a route that nobody knew before; ok is false for a route whose requests come from the pool alone: related articles are
// meant to be kept, and who can log in and what the accountants want is a handful.
func draw(route string, r *rand.Rand) (c call, ok bool) {
	article, customer, shipment := sku(1+r.IntN(products)), 1+r.IntN(customers), 1+r.IntN(shipments)
	month := fmt.Sprintf("2025-%02d", 1+r.IntN(12))
	read := func(path, echo string, a ...any) call {
		return call{Method: http.MethodGet, Path: fmt.Sprintf(path, a...), Status: http.StatusOK, Echo: echo}
	}
	switch route {
	case "list":
		category := categories()[r.IntN(len(categories()))]
		c = read("/products?category=%s&sort=%s&page=%d", `"category":"`+category+`"`, category, []string{"sku", "price", "title"}[r.IntN(3)], 1+r.IntN(6))
	case "product":
		c = read("/products/%s", `"sku":"`+article+`"`, article)
		c.Takes = stockTakes
	case "availability":
		c = read("/products/%s/availability", `"sku":"`+article+`"`, article)
		c.Takes = warehousesTakes
	case "price":
		c = read("/products/%s/price?currency=%s", `"sku":"`+article+`"`, article, []string{"USD", "GBP", "NOK", "PLN"}[r.IntN(4)])
		c.Takes = ratesTakes
	case "orders":
		c = read("/customers/c-%d/orders", fmt.Sprintf(`"customerId":"c-%d"`, customer), customer)
		c.Takes = itemsTakes
	case "summary":
		id := fmt.Sprintf("c-%d", customer)
		c = read("/customers/%s/summary", `"id":"`+id+`"`, id)
		if c.Takes = loyaltyTakes; slowCustomer(id) {
			c.Takes = loyaltyTimeout
		}
	case "invoice":
		order := 1 + r.IntN(orders)
		c = read("/orders/o-%d/invoice", fmt.Sprintf(`"orderId":"o-%d"`, order), order)
	case "basket":
		c = drawnBasket(r)
	case "newsletter":
		c = drawnAddress(r)
	case "shipment":
		c = read("/shipments/s-%d", fmt.Sprintf(`"id":"s-%d"`, shipment), shipment)
	case "tracking":
		c = read("/shipments?tracking=%s", fmt.Sprintf(`"id":"s-%d"`, shipment), tracking(shipment))
	case "quote":
		grams := 1 + r.IntN(20_000)
		c = read("/shipping/quote?country=%s&postcode=%05d&grams=%d", fmt.Sprintf(`"grams":%d`, grams), countries()[r.IntN(len(countries()))], r.IntN(100_000), grams)
	case "report":
		c = read("/reports/%s?month=%s", `"month":"`+month+`"`, []string{"countries", "carriers"}[r.IntN(2)], month)
	default:
		return c, false
	}
	c.Name, c.Route = "drawn/"+route, route
	return c, true
}

// drawnBasket is one of a size that the pool has too, with the pieces that there must be in it.
func drawnBasket(r *rand.Rand) call {
	n := []int{3, 40, 400, 1_500, 2_500}[r.IntN(5)]
	n += r.IntN(n)/8 + 1
	basket, pieces := basketOf(n, r.IntN(2) == 0), 0
	for i := range n {
		pieces += 1 + i%7
	}
	c := post("", "", "/baskets/price", basket, 0)
	c.Status, c.Echo = http.StatusOK, fmt.Sprintf(`"pieces":%d`, pieces)
	return c
}

// drawnAddress is a good address, or one with a slip of the finger.
func drawnAddress(r *rand.Rand) call {
	name := typo(20+r.IntN(2), fmt.Sprint(r.Uint64()))
	if r.IntN(2) == 0 {
		c := post("", "", "/newsletter", map[string]any{"email": name + ".example"}, 0)
		c.Status = http.StatusBadRequest
		return c
	}
	c := post("", "", "/newsletter", map[string]any{"email": name + "@example.org"}, 0)
	c.Status, c.Echo = http.StatusAccepted, `"email":"`+name+`@example.org"`
	return c
}

// answered says whether an answer is what is known of that to a call that was drawn.
func (c *call) answered(a *wire.Answer) bool {
	return a.Status == c.Status && strings.Contains(string(canonical(unpacked(a.Body))), c.Echo)
}
