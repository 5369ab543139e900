package diagnosis

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/assay-run/assay/internal/evidence"
)

func TestStallsFromHeartbeat(t *testing.T) {
	t.Parallel()
	var curve evidence.Thinner
	quiet := func(from, to float64) {
		for at := from; at < to; at += 0.01 {
			curve.Add(at, 1e6)
		}
	}
	blocked := func(from, to float64) { // all due beats are answered at its end
		for at := from; at < to; at += 0.01 {
			curve.Add(at, (to-at)*1e9)
		}
	}
	quiet(0, 1)
	blocked(1, 1.4)
	quiet(1.4, 2)
	blocked(2, 2.06)
	blocked(2.1, 2.3)
	quiet(2.3, 3)
	blocked(3, 3.04) // too short to be worth a word
	s := curve.Series(evidence.SeriesHeartbeat, "ns")
	got := worst(fromHeartbeat(&s))
	if assert.Len(t, got, 3) {
		assert.InDelta(t, 1, got[0].from, 0.002)
		assert.InDelta(t, 1.4, got[0].to, 0.002)
		assert.InDelta(t, 2.1, got[1].from, 0.002)
		assert.InDelta(t, 0.06, got[2].length(), 0.002)
	}
	assert.Empty(t, fromHeartbeat(nil))
	assert.Empty(t, fromHeartbeat(&evidence.Series{T: []float64{1}}))
}

func TestCovered(t *testing.T) {
	t.Parallel()
	w := window{1, 2}
	assert.InDelta(t, 0.5, covered(w, []window{{0, 1.25}, {1.75, 3}}), 1e-9)
	assert.Zero(t, covered(w, []window{{2, 3}}))
	assert.Zero(t, covered(window{1, 1}, []window{{0, 3}}))
}

func TestFunctionsBelongToSomebody(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]evidence.FrameKind{
		"src/main.mjs": evidence.FrameOwn, "(eval)": evidence.FrameOwn, "(data)": evidence.FrameOwn,
		"node_modules/a/b.js": evidence.FramePackage, "apps/x/node_modules/@s/a/b.js": evidence.FramePackage,
		"node:fs": evidence.FrameNode, "": evidence.FrameNative, ourFile: evidence.FrameNative, "outside:/usr/x.js": evidence.FrameOutside,
	} {
		assert.Equal(t, want, function{file: file}.kind(), file)
	}
	for file, want := range map[string]string{
		"node_modules/a/b.js": "a", "x/node_modules/@s/a/b/c.js": "@s/a", "node_modules/a/node_modules/b/i.js": "b",
		"node_modules/a.js": "a.js", "src/a.js": "",
	} {
		assert.Equal(t, want, packageName(file), file)
	}
	for f, want := range map[function]string{
		{name: "readFileSync", file: "node:fs"}:                       "fs.readFileSync",
		{name: "pbkdf2Sync", file: "node:internal/crypto/pbkdf2"}:     "crypto.pbkdf2Sync",
		{name: "spawnSync", file: "node:internal/child_process"}:      "child_process.spawnSync",
		{name: "readFile", file: "node:fs"}:                           "",
		{name: "readFileSync", file: "src/own.mjs"}:                   "",
		{name: "gunzipSync", file: "node_modules/node:zlib/index.js"}: "",
	} {
		name, _ := syncCall(f)
		assert.Equal(t, want, name)
	}
}

// TestOneFunctionTookIt divides a second between a loop, what it calls and what that calls, as V8 happens to see it. It sees the
// loop itself often enough to know that its callees returned.
func TestOneFunctionTookIt(t *testing.T) {
	t.Parallel()
	const loop, sort, compare, other = 1, 2, 3, 4
	for name, tc := range map[string]struct {
		looks []int32 // in turn
		blame string
	}{
		"all of it in one":               {[]int32{sort, sort, sort, sort, sort, sort, sort, sort, sort, loop}, "sort"},
		"a part in what it calls":        {[]int32{sort, sort, compare, sort, sort, compare, sort, sort, compare, loop}, "sort"},
		"several, none with most of it":  {[]int32{sort, sort, compare, other, other, other, sort, sort, other, loop}, "loop"},
		"most of it in what it calls":    {[]int32{compare, compare, compare, sort, compare, compare, other, other, compare, loop}, "loop"},
		"nothing but what the loop does": {[]int32{loop, loop, loop, loop, loop, loop, loop, loop, loop, sort}, "loop"},
	} {
		p := piece{
			from: 0, to: 1e6,
			funcs: []function{
				{name: nameRoot}, {"loop", "a.mjs", 1}, {"sort", "a.mjs", 5}, {"compare", "a.mjs", 6}, {"other", "a.mjs", 9},
			},
			nodes: []node{
				{fn: 0, parent: -1}, {fn: loop, lines: []int32{2, 5, 3, 5}}, {fn: sort, parent: loop}, {fn: compare, parent: sort}, {fn: other, parent: loop},
			},
		}
		for i := range 1000 {
			p.samples = append(p.samples, tc.looks[i%len(tc.looks)])
			p.deltas = append(p.deltas, 1000)
		}
		r := &Recording{pieces: []piece{p}}
		a := &analysis{recording: r, profile: newProfile(r, 0)}
		s, ok := a.stall(window{0, 1})
		if assert.True(t, ok, name) && assert.NotNil(t, s.Blame, name) {
			assert.Equal(t, tc.blame, s.Blame.Function, name)
		}
	}
}
