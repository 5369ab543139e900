package surgepricing

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/assay-run/assay/graders/signs"
)

// contractCase is one request of which the whole answer is known. Cases are sent one after the other.
type contractCase struct {
	ID     string
	Title  string
	Method string
	Path   string
	Body   string
	// wants describes the answer: a status, and for 200 what is in it. cells and iterations are set for a rebuild that must
	// succeed, quote for a quote.
	status     int
	cells      []cell
	iterations int
	quote      *question
}

// Parts of a run in which cases are asked.
const (
	partContract = "contract" // before the burst
	partPoison   = "poison"   // after it
)

// contractCases are asked of a fresh process, in this order.
func contractCases(seed []byte) []contractCase {
	rng := random(seed, "cases")
	id := func() int32 { return rng.Int32N(1_000_000) }
	var list []contractCase
	add := func(c contractCase) { list = append(list, c) }
	ask := func(name, title string, cell int32, base int64) {
		q := question{Cell: cell, Base: base}
		add(contractCase{ID: name, Title: title, Method: "POST", Path: "/quote", Body: string(q.body()), status: 200, quote: &q})
	}
	make1 := func(name, title string, cells []cell, iterations int) {
		add(contractCase{
			ID: name, Title: title, Method: "POST", Path: "/rebuild", Body: rebuildBody(cells, iterations),
			status: 200, cells: cells, iterations: iterations,
		})
	}
	refuse := func(name, title, path, body string) {
		add(contractCase{ID: name, Title: title, Method: "POST", Path: path, Body: body, status: 400})
	}

	add(contractCase{ID: "health", Title: "GET /healthz answers", Method: "GET", Path: "/healthz", status: 200})
	add(contractCase{ID: "unknown-route", Title: "A route that does not exist is 404", Method: "GET", Path: fmt.Sprintf("/prices/%d", id()), status: 404})
	ask("quote-before", "A quote before the first rebuild has multiplier 1 and epoch 0", id(), 1234)
	one := cell{ID: id(), Demand: 31 + rng.Int32N(20), Supply: 17}
	make1("one-cell", "A table of one cell", []cell{one}, 3)
	ask("one-cell-quote", "The quote for that cell", one.ID, 999)
	two := []cell{{ID: one.ID + 2, Demand: 40 + rng.Int32N(9), Supply: 13}, {ID: one.ID + 1, Demand: 90, Supply: 70}}
	make1("two-cells", "Two cells, the larger id first", two, 2)
	ask("replaced", "A cell of the table before is gone", one.ID, 1000)
	few := fewCells(seed, 7)
	make1("unordered", "Seven cells in no order, demand moved all the way round", few, 23)
	ask("unordered-quote", "A quote for one of them", few[3].ID, 100_000_000)
	ask("free", "A price of nothing", few[1].ID, 0)
	extremes := []cell{{ID: 5, Demand: 1_000_000, Supply: 0}, {ID: maxID, Demand: 0, Supply: 1_000_000}, {ID: 0, Demand: 7, Supply: 0}, {ID: 9, Demand: 4, Supply: 3}}
	make1("extremes", "No supply, no demand, the smallest and the largest id", extremes, 5)
	ask("extremes-quote", "The quote for the largest id", maxID, 12_345)
	many := fewCells(seed, 997)
	make1("many", "A thousand cells", many, 40)
	ask("rounding", "Cents are rounded half up", many[500].ID, 12_347)

	for _, bad := range []struct{ name, title, body string }{
		{"quote-fraction", "A cell that is no whole number", `{"cell":1.5,"baseCents":100}`},
		{"quote-negative", "A negative price", `{"cell":1,"baseCents":-1}`},
		{"quote-text", "A price as text", `{"cell":1,"baseCents":"100"}`},
		{"quote-missing", "A quote without a price", `{"cell":1}`},
		{"quote-broken", "A quote that is not JSON", `{"cell":1,"baseCents":`},
		{"quote-null", "A quote that is null", `null`},
	} {
		refuse(bad.name, bad.title+" is 400", "/quote", bad.body)
	}
	for _, bad := range []struct{ name, title, body string }{
		{"rebuild-empty", "A rebuild without cells", `{"cells":[],"iterations":3}`},
		{"rebuild-no-array", "Cells that are no array", `{"cells":{"id":1,"demand":1,"supply":1},"iterations":3}`},
		{"rebuild-zero", "No iterations", `{"cells":[{"id":1,"demand":1,"supply":1}],"iterations":0}`},
		{"rebuild-half", "Half an iteration", `{"cells":[{"id":1,"demand":1,"supply":1}],"iterations":1.5}`},
		{"rebuild-broken", "A rebuild that is not JSON", `{"cells":[{"id":1,"demand":1,`},
	} {
		refuse(bad.name, bad.title+" is 400", "/rebuild", bad.body)
	}
	ask("unharmed", "Bad requests change nothing", many[501].ID, 5_000)
	return list
}

// poisonCases are sent after the burst: each has one bad cell among good ones.
func poisonCases(seed []byte) []contractCase {
	good := fewCells(derive(seed, "poison"), 400)
	var list []contractCase
	add := func(name, title, bad string) {
		body := rebuildBody(good, 50)
		at := strings.Index(body, "},") + 2
		list = append(list, contractCase{
			ID: name, Title: title, Method: "POST", Path: "/rebuild", Body: body[:at] + bad + "," + body[at:], status: 400,
		})
	}
	add("poison-null", "A cell that is null", `null`)
	add("poison-demand", "A demand that is null", `{"id":2147483001,"demand":null,"supply":3}`)
	add("poison-supply", "A supply as text", `{"id":2147483002,"demand":7,"supply":"many"}`)
	add("poison-negative", "A negative demand", `{"id":2147483003,"demand":-7,"supply":3}`)
	add("poison-large", "An id that is too large", `{"id":4294967297,"demand":7,"supply":3}`)
	add("poison-twice", "An id that is there twice", fmt.Sprintf(`{"id":%d,"demand":7,"supply":3}`, good[9].ID))
	return list
}

// fewCells are cells with different ids in no order.
func fewCells(seed []byte, n int) []cell {
	rng := random(seed, fmt.Sprintf("few %d", n))
	list := make([]cell, 0, n)
	for i, id := range rng.Perm(4 * n) {
		if i == n {
			break
		}
		list = append(list, cell{ID: int32(id), Demand: demand(rng), Supply: rng.Int32N(2_000)}) //nolint:gosec // small
	}
	return list
}

func rebuildBody(cells []cell, iterations int) string {
	b, err := json.Marshal(map[string]any{"cells": cells, "iterations": iterations})
	if err != nil {
		panic(fmt.Sprintf("surgepricing: %v", err)) // plain numbers
	}
	return string(b)
}

// judge says what is wrong with the answer to a case, or nothing. state is what the answers before it have led to.
func (c *contractCase) judge(a *answer, state *state) string {
	if a == nil {
		return "It was not asked: the process had ended, or the time was used up."
	}
	if a.Error != "" {
		return "There was no answer: " + a.Error + "."
	}
	if a.Status != c.status {
		return fmt.Sprintf("Status %d, expected %d.", a.Status, c.status)
	}
	switch {
	case c.status >= 400:
		return a.problem()
	case c.cells != nil:
		t := rebuild(c.cells, c.iterations)
		state.epoch++
		state.table = t
		got, ok := a.rebuilt()
		switch {
		case !ok:
			return "The answer is not {\"epoch\", \"checksum\"}: " + quoted(a.Body) + "."
		case got.Checksum != t.checksum():
			return fmt.Sprintf("Checksum %s, expected %s.", quoted(got.Checksum), t.checksum())
		case got.Epoch != state.epoch:
			return fmt.Sprintf("Epoch %s, expected %d.", signs.Number(got.Epoch), state.epoch)
		}
	case c.quote != nil:
		return a.quoted(*c.quote, state.table.multiplier(c.quote.Cell), state.epoch)
	}
	return ""
}

// state is what a service must be in after the cases before.
type state struct {
	epoch int64
	table table
}

// rebuilt is a good answer to a rebuild.
type rebuilt struct {
	Epoch    int64
	Checksum string
}

// maxEpoch is the largest number up to which JavaScript has every whole one.
const maxEpoch = 1 << 53

func (a *answer) rebuilt() (rebuilt, bool) {
	var body struct {
		Epoch    *float64 `json:"epoch"`
		Checksum *string  `json:"checksum"`
	}
	if json.Unmarshal([]byte(a.Body), &body) != nil || body.Epoch == nil || body.Checksum == nil {
		return rebuilt{}, false
	}
	if *body.Epoch != math.Trunc(*body.Epoch) || math.Abs(*body.Epoch) > maxEpoch {
		return rebuilt{}, false
	}
	return rebuilt{Epoch: int64(*body.Epoch), Checksum: *body.Checksum}, true
}

// priced is a good answer to a quote.
type priced struct {
	Cents      float64
	Multiplier float64
	Epoch      float64
}

func parsePriced(body []byte) (priced, bool) {
	var p struct {
		Cents      *float64 `json:"cents"`
		Multiplier *float64 `json:"multiplier"`
		Epoch      *float64 `json:"epoch"`
	}
	if json.Unmarshal(body, &p) != nil || p.Cents == nil || p.Multiplier == nil || p.Epoch == nil {
		return priced{}, false
	}
	return priced{*p.Cents, *p.Multiplier, *p.Epoch}, true
}

// quoted says what is wrong with a quote.
func (a *answer) quoted(q question, multiplier int32, epoch int64) string {
	p, ok := parsePriced([]byte(a.Body))
	if !ok {
		return "The answer is not {\"cents\", \"multiplier\", \"epoch\"}: " + quoted(a.Body) + "."
	}
	switch want := cents(q.Base, multiplier); {
	case p.Epoch != float64(epoch):
		return fmt.Sprintf("Epoch %v, expected %d.", p.Epoch, epoch)
	case !isMultiplier(p.Multiplier, multiplier):
		return fmt.Sprintf("Multiplier %v, expected %v.", p.Multiplier, float64(multiplier)/unitMultiplier)
	case p.Cents != float64(want):
		return fmt.Sprintf("%v cents for a base of %d and multiplier %v, expected %d.", p.Cents, q.Base, p.Multiplier, want)
	}
	return ""
}

// isMultiplier compares a number of ten-thousandths with what was sent as a fraction: 16249 and 1.6249 are the same however the
// division was done.
func isMultiplier(got float64, want int32) bool {
	return math.Abs(got*unitMultiplier-float64(want)) < 1e-6
}

// problem says what is wrong with an error's form.
func (a *answer) problem() string {
	if !strings.HasPrefix(a.ContentType, "application/problem+json") {
		return fmt.Sprintf("Content type %s, expected application/problem+json.", quoted(a.ContentType))
	}
	return ""
}
