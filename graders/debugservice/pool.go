package debugservice

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// call is a request whose answer is known and always the same.
type call struct {
	Name   string // unique, e.g. "product/QS-0007"
	Route  string // of the load's mixture; empty for one that is not part of it
	Method string
	Path   string
	Body   string
	// Status and Echo are what is known of the answer to a call that was drawn: its status, and what stands in it. Calls of the pool have neither, their
	// answers are recorded.
	Status int
	Echo   string
	// Takes is what the services behind it take, on its critical path: no repair can make it quicker.
	Takes time.Duration
}

// heavy says whether the request is much work even in a service without any cause.
func (c *call) heavy() bool { return c.Route == "login" || c.Route == "export" }

// forgiving says whether the answer may be another one when the service is busy: points are left out when they come late.
func (c *call) forgiving() bool { return c.Route == "summary" }

// The service has so many of each at every start, numbered from 1.
const (
	products  = 2_000
	customers = 500
	orders    = 4_000
	shipments = 36_000
)

func get(name, route, path string, takes time.Duration) call {
	return call{Name: name, Route: route, Method: http.MethodGet, Path: path, Takes: takes}
}

func post(name, route, path string, body any, takes time.Duration) call {
	text, err := json.Marshal(body)
	if err != nil { // plain data always has a JSON form
		text = []byte("null")
	}
	return call{Name: name, Route: route, Method: http.MethodPost, Path: path, Body: string(text), Takes: takes}
}

func sku(n int) string { return fmt.Sprintf("QS-%04d", n) }

// tracking is the number that the store gives to shipment n.
func tracking(n int) string {
	return "QT" + strings.ToUpper(formatInt36(n*7_919+1_000_003))
}

func formatInt36(n int) string {
	const digits = "0123456789abcdefghijklmnopqrstuvwxyz"
	text := ""
	for ; n > 0; n /= 36 {
		text = string(digits[n%36]) + text
	}
	return text
}

// basketOf is a basket of n lines; distinct says whether each is another article, or all are one.
func basketOf(n int, distinct bool) map[string]any {
	lines := make([]any, n)
	for i := range lines {
		one := 0
		if distinct {
			one = i
		}
		lines[i] = map[string]any{"sku": sku(1 + one%products), "quantity": 1 + i%7, "note": fmt.Sprintf("deck %04d", one)}
	}
	return map[string]any{"lines": lines}
}

// typo is an address of n letters in front of what should be an @.
func typo(n int, seed string) string {
	text := make([]byte, n)
	for i := range text {
		text[i] = byte('a' + number(fmt.Sprint(seed, i), 26))
	}
	return string(text)
}

// pool is every request with a known answer. Order matters to nobody.
func pool() []call {
	var all []call
	all = append(all, productCalls()...)
	all = append(all, customerCalls()...)
	all = append(all, shipmentCalls()...)
	return append(all, errorCalls()...)
}

// categories are some of those that articles have.
func categories() []string {
	return []string{"anchors", "boots", "charts", "compasses", "jackets", "lamps"}
}

func productCalls() []call {
	var all []call
	for i, c := range categories() {
		sort := []string{"sku", "price", "title"}[i%3]
		all = append(all,
			get("list/"+c, "list", fmt.Sprintf("/products?category=%s&sort=%s&page=%d", c, sort, 1+i%4), 0),
			get("list/brass/"+c, "list", fmt.Sprintf("/products?category=%s&material=brass&sort=%s", c, sort), 0))
	}
	for i := range 24 {
		id := sku(5 + 61*i)
		all = append(all, get("product/"+id, "product", "/products/"+id, stockTakes))
		if i%2 == 0 {
			segment := []string{"new", "regular", "trade"}[i/2%3]
			currency := []string{"USD", "GBP", "NOK", "PLN"}[i/2%4]
			all = append(all,
				get("availability/"+id, "availability", "/products/"+id+"/availability", warehousesTakes),
				get("price/"+id, "price", "/products/"+id+"/price?currency="+currency, ratesTakes),
				get("related/"+segment+"/"+id, "related", "/products/"+id+"/related?segment="+segment, 0))
		}
	}
	// One article for all segments: they see different things.
	for _, segment := range []string{"new", "regular", "trade"} {
		all = append(all, get("related/"+segment, "related", "/products/QS-0100/related?segment="+segment, 0))
	}
	for i, n := range []int{3, 40, 400} {
		all = append(all, post(fmt.Sprintf("basket/%d", n), "basket", "/baskets/price", basketOf(n, i%2 == 0), 0))
	}
	all = append(all,
		post("basket/bulk", "basket", "/baskets/price", basketOf(2_500, true), 0),
		post("basket/one", "basket", "/baskets/price", basketOf(1_500, false), 0))
	return all
}

func customerCalls() []call {
	var all []call
	for i := range 12 {
		id := fmt.Sprintf("c-%d", 3+41*i)
		takes := loyaltyTakes
		if slowCustomer(id) {
			takes = loyaltyTimeout
		}
		all = append(all,
			get("orders/"+id, "orders", "/customers/"+id+"/orders", itemsTakes),
			get("summary/"+id, "summary", "/customers/"+id+"/summary", takes))
	}
	for i := range 8 {
		id := fmt.Sprintf("o-%d", 11+487*i)
		all = append(all, get("invoice/"+id, "invoice", "/orders/"+id+"/invoice", 0))
	}
	for i := range 4 {
		n := loginCustomers()[i]
		all = append(all, post("login/"+n.email, "login", "/sessions", map[string]any{"email": n.email, "password": n.password}, 0))
	}
	all = append(all, post("login/wrong", "login", "/sessions", map[string]any{"email": loginCustomers()[0].email, "password": "quayside-9"}, 0))
	for i, email := range []string{"ada.berg@example.com", "Bo_Costa-9@sub.example.org", "x@y.io", " carla@example.co.uk ", "a.b.c.d@example.net", "trailing.@example.com"} {
		all = append(all, post(fmt.Sprintf("newsletter/good/%d", i), "newsletter", "/newsletter", map[string]any{"email": email}, 0))
	}
	for i := range 6 {
		all = append(all, post(fmt.Sprintf("newsletter/typo/%d", i), "newsletter", "/newsletter", map[string]any{"email": typo(20+i%2, "typo") + ".example"}, 0))
	}
	for i, email := range []string{"", "@example.com", "a..b@example.com", "a@b", "a@b.c", "-a@example.com", "ä@example.com"} {
		all = append(all, post(fmt.Sprintf("newsletter/bad/%d", i), "", "/newsletter", map[string]any{"email": email}, 0))
	}
	return all
}

// login is somebody who can log in.
type login struct{ email, password string }

// loginCustomers are four of those that the store has at every start.
func loginCustomers() []login {
	return []login{
		{"hugo.haas.1@example.com", "quayside-1"}, {"elin.costa.2@example.com", "quayside-2"}, {"elin.garcia.3@example.com", "quayside-3"}, {"dag.ivarsen.4@example.com", "quayside-0"},
	}
}

func shipmentCalls() []call {
	var all []call
	for i := range 12 {
		n := 17 + 3_101*i
		all = append(all,
			get(fmt.Sprintf("shipment/%d", n), "shipment", fmt.Sprintf("/shipments/s-%d", n), 0),
			get(fmt.Sprintf("tracking/%d", n), "tracking", "/shipments?tracking="+tracking(n), 0),
			get(fmt.Sprintf("quote/%d", n), "quote", fmt.Sprintf("/shipping/quote?country=%s&postcode=%05d&grams=%d", countries()[i], 3_000+n, 200+n%20_000), 0))
	}
	for i := range 4 {
		all = append(all, get(fmt.Sprintf("order-shipments/%d", i), "", fmt.Sprintf("/orders/o-%d/shipments", 100+i), 0))
	}
	for _, month := range []string{"2025-01", "2025-06", "2025-11"} {
		all = append(all,
			get("countries/"+month, "report", "/reports/countries?month="+month, 0),
			get("carriers/"+month, "report", "/reports/carriers?month="+month, 0),
			get("export/"+month, "export", "/exports/shipments?from="+month+"&to="+month, 0))
	}
	return append(all, get("export/quarter", "", "/exports/shipments?from=2025-04&to=2025-06", 0))
}

func errorCalls() []call {
	return []call{
		get("error/route", "", "/no/such/route", 0),
		get("error/product", "", "/products/QS-9999", 0),
		get("error/availability", "", "/products/QS-9999/availability", 0),
		get("error/price", "", "/products/QS-9999/price?currency=USD", 0),
		get("error/currency", "", "/products/QS-0001/price?currency=usd", 0),
		get("price/eur", "", "/products/QS-0001/price?currency=EUR", 0),
		get("error/category", "", "/products?category=boats", 0),
		get("error/related", "", "/products/QS-9999/related", 0),
		get("error/segment", "", "/products/QS-0001/related?segment=vip", 0),
		get("error/customer", "", "/customers/c-9999/summary", 0),
		get("error/orders", "", "/customers/c-9999/orders", 0),
		get("error/invoice", "", "/orders/o-9999/invoice", 0),
		get("error/shipment", "", "/shipments/s-99999", 0),
		get("error/tracking", "", "/shipments?tracking=QT0", 0),
		get("error/month", "", "/reports/countries?month=2025-13", 0),
		get("error/range", "", "/exports/shipments?from=2025-06&to=2025-05", 0),
		get("error/country", "", "/shipping/quote?country=US&postcode=10001&grams=100", 0),
		get("error/weight", "", "/shipping/quote?country=DE&postcode=10001&grams=0", 0),
		post("error/basket", "", "/baskets/price", map[string]any{"lines": []any{map[string]any{"sku": "QS-9999", "quantity": 1}}}, 0),
		post("error/empty", "", "/baskets/price", map[string]any{"lines": []any{}}, 0),
		post("error/login", "", "/sessions", map[string]any{"email": "nobody@example.com", "password": "x"}, 0),
		post("error/fields", "", "/sessions", map[string]any{"email": "nobody@example.com"}, 0),
	}
}
