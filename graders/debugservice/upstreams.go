package debugservice

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/assay-run/assay/graders/upstream"
)

// The services that a submission depends on, as the driver plays them, and how long each takes.
const (
	itemsName      = "items"
	loyaltyName    = "loyalty"
	ratesName      = "rates"
	relatedName    = "related"
	reviewsName    = "reviews"
	stockName      = "stock"
	warehousesName = "warehouses"
	configName     = "config"

	itemsTakes      = 8 * time.Millisecond
	loyaltyTakes    = 6 * time.Millisecond
	loyaltySlow     = 1200 * time.Millisecond // for every fourth customer
	loyaltyTimeout  = 150 * time.Millisecond  // of the service, by its contract
	ratesTakes      = 5 * time.Millisecond
	relatedTakes    = 40 * time.Millisecond
	reviewsTakes    = 10 * time.Millisecond
	handshake       = 25 * time.Millisecond // of a new connection to reviews
	stockTakes      = 12 * time.Millisecond
	warehousesTakes = 15 * time.Millisecond
)

// rateHost is the name that only the platform's name server knows.
const rateHost = "rates.internal"

// upstreams are all of them.
type upstreams struct {
	began   time.Time // of the log: all its times are since then
	log     *upstream.Log
	servers map[string]*upstream.Server
	names   *nameServer

	mu      sync.Mutex
	values  map[string]float64 // that were set by hand, by path
	greeted map[int]bool       // connections to reviews that have had their handshake
}

// startUpstreams starts everything. Close ends it.
func startUpstreams() (_ *upstreams, err error) {
	began := time.Now()
	u := &upstreams{began: began, log: upstream.NewLog(began), servers: map[string]*upstream.Server{}, values: map[string]float64{}, greeted: map[int]bool{}}
	defer func() {
		if err != nil {
			u.Close()
		}
	}()
	for _, s := range []struct {
		name   string
		takes  time.Duration
		answer func(upstream.Call) any
	}{
		{itemsName, itemsTakes, itemsAnswer},
		{loyaltyName, loyaltyTakes, loyaltyAnswer},
		{ratesName, ratesTakes, u.ratesAnswer},
		{relatedName, relatedTakes, relatedAnswer},
		{reviewsName, reviewsTakes, u.reviewsAnswer},
		{stockName, stockTakes, u.stockAnswer},
		{warehousesName, warehousesTakes, u.warehousesAnswer},
		{configName, 0, func(upstream.Call) any { return tariffs() }},
	} {
		u.servers[s.name], err = upstream.Start(upstream.Options{
			Name: s.name, Log: u.log, Default: upstream.Reply{Latency: s.takes}, KeepBody: 4 << 10,
			Answer: func(c upstream.Call) []byte {
				text, err := json.Marshal(s.answer(c))
				if err != nil { // plain data always has a JSON form
					return []byte("null")
				}
				return text
			},
		})
		if err != nil {
			return nil, fmt.Errorf("start upstream %s: %w", s.name, err)
		}
	}
	if u.names, err = startNames(rateHost); err != nil {
		return nil, err
	}
	return u, nil
}

// Close ends all of them.
func (u *upstreams) Close() {
	for _, s := range u.servers {
		s.Close()
	}
	if u.names != nil {
		u.names.Close()
	}
}

// env is where a submission finds them.
func (u *upstreams) env() map[string]string {
	env := map[string]string{"RESOLVER_URL": "dns://" + u.names.addr}
	for name, s := range u.servers {
		url := s.URL()
		if name == ratesName {
			_, port, _ := strings.Cut(s.Addr(), ":")
			url = "http://" + rateHost + ":" + port
		}
		env[strings.ToUpper(name)+"_URL"] = url
	}
	return env
}

// mark is a moment in the log; what comes after it is what was done since.
func (u *upstreams) mark() time.Duration { return time.Since(u.began) }

// since are the calls of an upstream that arrived after a moment.
func (u *upstreams) since(name string, from time.Duration) []upstream.Call {
	all, _ := u.log.Calls()
	var list []upstream.Call
	for _, c := range all {
		if c.Upstream == name && c.Arrived >= from {
			list = append(list, c)
		}
	}
	return list
}

// opened is how many connections to an upstream were opened after a moment.
func (u *upstreams) opened(name string, from time.Duration) int {
	all, _ := u.log.Conns()
	n := 0
	for _, c := range all {
		if c.Upstream == name && c.Opened >= from {
			n++
		}
	}
	return n
}

// together is the largest number of calls that were at work at one time.
func together(calls []upstream.Call) int {
	most := 0
	for _, c := range calls {
		n := 0
		for _, other := range calls {
			if other.Arrived <= c.Arrived && (other.Ended < 0 || other.Ended > c.Arrived) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// number is a figure that belongs to a text, below limit.
func number(text string, limit uint32) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(text)) // a hash does not fail to be written
	return int(h.Sum32() % limit)
}

// last is the last part of a path, without its query.
func last(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path[strings.LastIndexByte(path, '/')+1:]
}

func item(id string) map[string]any {
	units := []string{"piece", "pair", "metre", "box"}
	return map[string]any{"id": id, "label": fmt.Sprintf("Q%05d", number("label"+id, 100_000)), "unit": units[number("unit"+id, 4)]}
}

func itemsAnswer(c upstream.Call) any {
	if c.Method != http.MethodPost {
		return item(last(c.Path))
	}
	var asked struct {
		IDs []string `json:"ids"`
	}
	if json.Unmarshal([]byte(c.Body), &asked) != nil || len(asked.IDs) > 200 {
		return []any{}
	}
	list := make([]any, 0, len(asked.IDs))
	for _, id := range asked.IDs {
		list = append(list, item(id))
	}
	return list
}

// slowCustomer says whose points do not come in time.
func slowCustomer(id string) bool {
	var n int
	_, err := fmt.Sscanf(id, "c-%d", &n)
	return err == nil && n%4 == 0
}

func loyaltyAnswer(c upstream.Call) any {
	id := last(c.Path)
	if slowCustomer(id) {
		time.Sleep(loyaltySlow)
	}
	return map[string]any{"points": number("points"+id, 9_000)}
}

func (u *upstreams) ratesAnswer(c upstream.Call) any {
	currency := last(c.Path)
	return map[string]any{"currency": currency, "rate": u.value(c.Path, float64(5_000+number(currency, 100_000))/10_000)}
}

func relatedAnswer(c upstream.Call) any {
	_, who, _ := strings.Cut(c.Path, "?")
	skus := make([]string, 4)
	for i := range skus {
		skus[i] = fmt.Sprintf("QS-%04d", 1+number(fmt.Sprint(last(c.Path), who, i), 2_000))
	}
	return map[string]any{"skus": skus}
}

// reviewsAnswer lets the first call over a connection wait for what a distant peer costs.
func (u *upstreams) reviewsAnswer(c upstream.Call) any {
	u.mu.Lock()
	known := u.greeted[c.Conn]
	u.greeted[c.Conn] = true
	u.mu.Unlock()
	if !known {
		time.Sleep(handshake)
	}
	sku := last(c.Path)
	return map[string]any{"count": number("count"+sku, 400), "average": float64(10+number("average"+sku, 41)) / 10}
}

func (u *upstreams) stockAnswer(c upstream.Call) any {
	return map[string]any{"onHand": u.value(c.Path, float64(max(number("stock"+last(c.Path), 60)-5, 0)))}
}

// warehouses are all of them.
func warehouses() []string { return []string{"bergen", "gdansk", "genoa", "porto", "rotterdam"} }

func (u *upstreams) warehousesAnswer(c upstream.Call) any {
	return map[string]any{"pieces": u.value(c.Path, float64(max(number("pieces"+c.Path, 60)-20, 0))), "days": 1 + number("days"+c.Path, 7)}
}

// set changes what the answer to a path says from now on; the paths of the upstreams differ.
func (u *upstreams) set(path string, value float64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.values[path] = value
}

// value is what was set for a path.
func (u *upstreams) value(path string, otherwise float64) float64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	if v, ok := u.values[path]; ok {
		return v
	}
	return otherwise
}

// zone is what a carrier takes for a destination.
type zone struct {
	Name       string `json:"name"`
	Days       int    `json:"days"`
	Base       int    `json:"baseCents"`
	PerKilo    int    `json:"perKilogramCents"`
	Carrier    string `json:"carrier"`
	Window     string `json:"window"`
	Collection string `json:"collection"`
}

// countries are those that parcels go to.
func countries() []string {
	return []string{"DE", "DK", "ES", "FR", "GB", "IT", "NL", "NO", "PL", "PT", "SE", "FI"}
}

// tariffs is the large document: a zone for each thousandth of each country, about 1.5 MB.
func tariffs() any {
	all := map[string]map[string]zone{}
	for _, country := range countries() {
		all[country] = map[string]zone{}
		for prefix := range 1_000 {
			key := fmt.Sprintf("%03d", prefix)
			n := number(country+key, 1_000)
			all[country][key] = zone{
				Name: fmt.Sprintf("%s-%d", country, n%9), Days: 1 + n%6, Base: 390 + 10*(n%80), PerKilo: 35 + n%120,
				Carrier: "ferryline", Window: "08:00-18:00", Collection: "depot",
			}
		}
	}
	return map[string]any{"version": 7, "prefixLength": 3, "countries": all}
}
