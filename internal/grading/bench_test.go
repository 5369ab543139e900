package grading

import "testing"

func BenchmarkJudge(b *testing.B) {
	ev := story{candidate: always(with(func(f *figures) { f.speedMB, f.memMB, f.hbMs = 50, 150, 50 }))}.grading()
	for b.Loop() {
		if _, err := Judge(testChallenge(), fakeKinds(), ev); err != nil {
			b.Fatal(err)
		}
	}
}
