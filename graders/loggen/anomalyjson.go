package loggen

import (
	"strconv"
	"strings"
)

// deepLevels is how deep the deepest value is nested.
const deepLevels = 10_000

// onlyBad has no good line: every way in which JSON is commonly broken.
func onlyBad(p *pack) {
	swap := func(f fields, old, with string) string { return strings.Replace(f.text(), old, with, 1) }
	broken := []func(f fields) string{
		func(f fields) string { return f.text()[:1+p.rng.IntN(len(f.text())-2)] },
		func(f fields) string { return f.text()[1:] },
		func(f fields) string { return f.text() + "}" },
		func(f fields) string { return f.text() + f.text() },
		func(f fields) string { return f.text() + "," },
		func(f fields) string { return strings.TrimSuffix(f.text(), "}") + ",}" },
		func(f fields) string { return strings.ReplaceAll(f.text(), `"`, `'`) },
		func(f fields) string { return swap(f, `"ms":`, `ms:`) },
		func(f fields) string { return swap(f, `"ms":`, `"ms"`) },
		func(f fields) string { return swap(f, `"ms":`, `"ms"=`) },
		func(f fields) string { return swap(f, `,"lvl"`, ` "lvl"`) },
		func(f fields) string { return swap(f, `,"lvl"`, `,,"lvl"`) },
		func(f fields) string { return swap(f, `{`, `{/* x */`) },
		func(f fields) string { return f.text() + " // x" },
		func(f fields) string { return f.with(`"x":[1,2`) },
		func(f fields) string { return f.with(`"x":[1,]`) },
		func(f fields) string { return f.with(`"x":{"a":1,}`) },
		func(f fields) string { return f.with(`"x":"\x41"`) },
		func(f fields) string { return f.with(`"x":"\u12G4"`) },
		func(f fields) string { return f.with(`"x":"\u12"`) },
		func(f fields) string { return f.with(`"x":"\`) },
		func(f fields) string { return f.with(`x`) },
		func(f fields) string { return f.with(`"x":"abc`) },
		func(f fields) string {
			return f.with(`"x":` + strings.Repeat("[", deepLevels) + strings.Repeat("]", deepLevels-1))
		},
	}
	for _, n := range []string{"NaN", "-NaN", "Infinity", "-Infinity", "undefined", "012", "-01", "+1", ".5", "1.", "1.e2", "1e", "0x1F", "1_000", "1n", "True", "NULL", "nul", ""} {
		broken = append(broken, func(f fields) string { return f.with(`"x":` + n) }, func(f fields) string { return swap(f, `"ms":`, `"ms":`+n+`,"MS":`) })
	}
	for done := false; !done || p.n < smallFile; done = true {
		p.rng.Shuffle(len(broken), func(i, j int) { broken[i], broken[j] = broken[j], broken[i] })
		for _, text := range broken {
			p.bad("bad syntax", text(p.fresh()))
		}
	}
}

// oddJSON has what JSON allows and hand-made parsers do not expect.
func oddJSON(p *pack) {
	good := func(text func(f *fields) string) func() {
		return func() {
			f := p.fresh()
			text := text(&f) // may change the record, so before good
			p.good(f, text)
		}
	}
	bad := func(kind string, text func(f fields) string) func() {
		return func() { p.bad(kind, text(p.fresh())) }
	}
	deep := strings.Repeat("[", deepLevels) + strings.Repeat("]", deepLevels)
	p.scatter(smallFile,
		good(func(f *fields) string { first := f.text(); f.ms = 4242; return first[:len(first)-1] + `,"ms":4242}` }),
		good(func(f *fields) string {
			first := strings.Replace(f.text(), `"lvl":"`, `"lvl":null,"lvl":"`, 1)
			f.say(literal("again"))
			return first[:len(first)-1] + `,"msg":"again"}`
		}),
		good(func(f *fields) string { f.svc = "last"; return f.with(`"svc":"last"`) }),
		bad("last one has a wrong type", func(f fields) string { return f.with(`"ms":"1"`) }),
		bad("last one has a wrong type", func(f fields) string { return f.with(`"msg":null`) }),
		good(func(f *fields) string { return f.with(`"deep":` + deep) }),
		good(func(f *fields) string {
			return f.with(`"deep":` + strings.Repeat(`{"msg":`, deepLevels) + "0" + strings.Repeat("}", deepLevels))
		}),
		good(func(f *fields) string { return f.with(`"__proto__":{"svc":"none","ms":"x"}`) }),
		bad("fields in __proto__", func(f fields) string { return `{"__proto__":` + f.text() + "}" }),
		good(func(f *fields) string { return f.with(`"constructor":null,"toString":1,"hasOwnProperty":{}`) }),
		good(func(f *fields) string { return f.with(`"x":1e400,"y":-1e400,"z":1e-400`) }),
		good(func(f *fields) string { return f.with(`"":"","x":[],"y":{},"z":[[],{},[{}]]`) }),
		good(func(f *fields) string { return f.with(`"x":"}\n{","y":"\\","z":["\"","]"]`) }),
		good(func(f *fields) string { return respell(f, 100, "1e2") }),
		good(func(f *fields) string { return respell(f, 25, "25.0") }),
		good(func(f *fields) string { return respell(f, 1250, "12.5E+2") }),
		good(func(f *fields) string { return respell(f, 3, "300e-2") }),
		good(func(f *fields) string {
			return strings.NewReplacer(`"ms"`, `"\u006ds"`, `"svc"`, `"\u0073\u0076\u0063"`, `"msg"`, `"\u006D\u0073g"`).Replace(f.text())
		}),
		good(func(f *fields) string {
			return strings.NewReplacer(`,"`, " ,\t\"", `":`, "\" :  ", `{`, "{ ", `}`, " } ").Replace(f.text())
		}),
		good(reversed),
		good(func(f *fields) string { f.say(message{raw: `\ud83d\ude00`, cps: 1, utf16: 2}); return f.text() }),
		good(func(f *fields) string { f.say(message{raw: `a\ud83db`, cps: 3, utf16: 3}); return f.text() }),
		good(func(f *fields) string { f.say(message{raw: `\ude00\ud83d`, cps: 2, utf16: 2}); return f.text() }),
		good(func(f *fields) string { f.say(message{raw: `\ud83d\ud83d\ude00`, cps: 2, utf16: 3}); return f.text() }),
		good(func(f *fields) string { f.say(message{raw: `\ud83d😀\ude00`, cps: 3, utf16: 4}); return f.text() }),
		good(func(f *fields) string { f.say(literal("\ufffd")); return f.text() }),
		good(func(f *fields) string { f.say(message{}); return f.text() }),
	)
}

// respell writes ms in another spelling of the same number.
func respell(f *fields, ms int64, spelling string) string {
	f.ms = 0
	text := strings.Replace(f.text(), `"ms":0`, `"ms":`+spelling, 1)
	f.ms = ms
	return text
}

// reversed writes the fields in the opposite order.
func reversed(f *fields) string {
	return `{"id":"` + f.id + `","msg":"` + f.msgRaw + `","user":"` + f.user + `","ms":` + strconv.FormatInt(f.ms, 10) +
		`,"lvl":"` + f.lvl + `","svc":"` + f.svcRaw + `","ts":` + strconv.FormatInt(f.ts, 10) + "}"
}

// wrongTypes has valid JSON that is no log line: no object, a field missing, a field of another type.
func wrongTypes(p *pack) {
	var specials []func()
	for _, text := range []string{`[]`, `{}`, `null`, `true`, `false`, `0`, `-1.5e3`, `""`, `"text"`, `[1,2,3]`, `[{}]`} {
		specials = append(specials, func() { p.bad("not an object with fields", text) })
	}
	specials = append(specials, func() { f := p.fresh(); p.bad("array", "["+f.text()+"]") })
	specials = append(specials, func() { f := p.fresh(); p.bad("nested", `{"log":`+f.text()+"}") })
	for _, name := range []string{"ts", "svc", "lvl", "ms", "user", "msg", "id"} {
		specials = append(specials,
			func() {
				f := p.fresh()
				p.bad("field missing", strings.Replace(f.text(), `"`+name+`":`, `"`+strings.ToUpper(name)+`":`, 1))
			},
			func() {
				f := p.fresh()
				p.bad("field missing", strings.Replace(f.text(), `"`+name+`":`, `"`+name+` ":`, 1))
			})
		wrong := []string{"null", "true", "[]", "{}", `["x"]`}
		if name == "ts" || name == "ms" {
			wrong = append(wrong, `"12"`, `""`)
		} else {
			wrong = append(wrong, "12", "0")
		}
		for _, v := range wrong {
			specials = append(specials, func() { f := p.fresh(); p.bad("wrong type", f.with(`"`+name+`":`+v)) },
				func() { p.bad("wrong type", p.fresh().before(name, v)) })
		}
	}
	p.scatter(smallFile, specials...)
}

// before is the line with one field replaced, written first.
func (f fields) before(name, v string) string {
	rest := strings.Replace(f.text(), `"`+name+`":`, `"_`+name+`":`, 1)
	return `{"` + name + `":` + v + "," + rest[1:]
}

// hostileNames has service names that objects of JavaScript know already, names with escapes, and ties among the slowest
// that are in another order for a locale than by bytes.
func hostileNames(p *pack) {
	var specials []func()
	name := func(svc, raw string) {
		specials = append(specials, func() {
			f := p.fresh()
			f.svc, f.svcRaw = svc, raw
			p.good(f)
		})
	}
	for _, n := range []string{
		"__proto__", "constructor", "toString", "hasOwnProperty", "valueOf", "", " ", "0", "-1", "a.b", "null", "café", "cafe\u0301", "東京", "😀", "ﬁ",
	} {
		name(n, n)
	}
	name("café", `caf\u00e9`)
	name("😀", `\ud83d\ude00`)
	name(`a"b`, `a\"b`)
	name(`a\b`, `a\\b`)
	name("a/b", `a\/b`)
	name("__proto__", `__\u0070roto__`)
	for i, id := range []string{"a", "B", "_", "-", "Z", "z", "10", "9", "A1", "a1", "aa", "Aa", "~"} {
		specials = append(specials, func() {
			f := p.fresh()
			f.ms, f.id = 700_000+int64(i%2), id
			p.good(f)
		})
	}
	p.scatter(smallFile, specials...)
}
